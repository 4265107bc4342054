package closure

import (
	"bytes"
	"fmt"
	"strings"
)

// loaderBuild finds a loader and a C library of two builds, which share data without a stable form:
// nothing fails to link, and the process crashes. Two store paths are another finding; here files of
// one name stand at one place, as where a system was updated in part.
func (j *judge) loaderBuild() error {
	in := j.m.Interp
	if in == nil || j.m.Loader.Kind != LoaderGlibc {
		return nil
	}
	for _, l := range j.m.Loaded {
		if !strings.HasPrefix(l.Object.Info.Soname, "libc.so.") || j.store(l.Object.Path) != "" || j.store(in.Object.Path) != "" {
			continue
		}
		loader, err := j.buildOf(in.Object, "ld.so (")
		if err != nil {
			return err
		}
		libc, err := j.buildOf(l.Object, "GNU C Library (")
		if err != nil {
			return err
		}
		if loader == "" || libc == "" || loader == libc {
			continue
		}
		j.add(Finding{
			Kind: KindBuilds, Severity: Error, Name: "glibc",
			Copies: []Copy{
				{Object: in.Object, Path: in.Path, Kept: true},
				{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)},
			},
			What:   fmt.Sprintf("the loader %s is of %s and %s of %s: the process crashes at start or later", in.Path, loader, l.Path, libc),
			Advice: "take all of glibc from one build",
		})
	}
	return nil
}

// buildOf is what a part of glibc says of its build: "Debian GLIBC 2.36-9+deb12u14, 2.36"; "" where it
// says nothing (glibc elf/rtld.c and csu/version.c: "... (PKGVERSION) stable release version VERSION.").
func (c *comparer) buildOf(o *Object, before string) (string, error) {
	if build, ok := c.builds[o]; ok {
		return build, nil
	}
	f, err := o.Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := readSome(f, min(o.Size, maxLoader))
	if err != nil {
		return "", err
	}
	build := buildText(text, before)
	c.builds[o] = build
	return build, nil
}

func buildText(text []byte, before string) string {
	const most = 256
	for {
		_, after, found := bytes.Cut(text, []byte(before))
		if !found {
			return ""
		}
		text = after
		line, _, _ := bytes.Cut(after[:min(len(after), most)], []byte{0})
		name, rest, _ := strings.Cut(string(line), ")")
		if _, version, found := strings.Cut(rest, " release version "); found {
			version, _, _ = strings.Cut(version, "\n")
			return name + ", " + strings.TrimRight(version, ".")
		}
	}
}
