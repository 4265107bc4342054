package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// TargetFromRoot reads what the machine provides that root is the file system of: for each kind of
// machine whose loader is there, the C library, its version, and, when asked, which libraries that
// loader finds and what versions they define. name is what messages call the target. Links are followed
// inside the root.
func TargetFromRoot(root fs.FS, name string) (*Target, error) {
	t := &Target{Name: name}
	for _, a := range arches {
		for _, read := range []func(fs.FS, arch) (*Port, error){glibcPort, muslPort} {
			p, err := read(root, a)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if p != nil {
				p.Target, p.Arch = name, a.name
				t.Ports = append(t.Ports, p)
			}
		}
	}
	if t.Ports == nil {
		return nil, &OptionError{"target-root", name, "no C library is in it: neither " + strings.Join(loaderPaths(), " nor ")}
	}
	return t, nil
}

// loaderPaths are the places of the loaders that a root is searched for.
func loaderPaths() []string {
	var paths []string
	for _, a := range arches {
		paths = append(paths, a.glibc, a.musl)
	}
	return paths
}

// glibcPort reads a root's glibc; nil where its loader is not there.
func glibcPort(root fs.FS, a arch) (*Port, error) {
	if loader, err := readLoader(root, a.glibc); loader == nil || err != nil {
		return nil, err
	}
	p := &Port{Libc: closure.LoaderGlibc, Interp: a.glibc, libraries: map[string][]string{}}
	p.find = func(soname string) *closure.Object {
		found, err := openByLoader(root, a.glibc, []string{soname})
		if err != nil {
			return nil
		}
		return found[0]
	}
	names := knownLibraries()
	found, err := openByLoader(root, a.glibc, names)
	if err != nil {
		return nil, err
	}
	for i, o := range found {
		if o != nil {
			p.libraries[names[i]] = definedVersions(o.Info)
		}
		if o != nil && names[i] == "libc.so.6" {
			p.Version, err = libcRelease(o, glibcBanner)
		}
	}
	return p, err
}

// knownLibraries are the sonames that the table of versions has.
func knownLibraries() []string {
	var names []string
	for _, t := range parseVersions() {
		names = append(names, t.soname)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// openByLoader opens libraries as glibc's loader does for a program that it starts and that says nothing
// of where to search: in ld.so.cache and the loader's own folders. An object is nil where there is none.
func openByLoader(root fs.FS, loader string, names []string) ([]*closure.Object, error) {
	var opts closure.Options
	for _, name := range names {
		opts.Opened = append(opts.Opened, closure.Opened{Name: name})
	}
	c, err := closure.Walk(root, []string{loader}, opts)
	if err != nil {
		return nil, err
	}
	found := make([]*closure.Object, len(names))
	for i, o := range c.LinkMaps[0].Opened {
		if o.Need.To != nil {
			found[i] = o.Need.To.Object
		}
	}
	return found, nil
}

// muslPort reads a root's musl, which is one file; nil where it is not there.
func muslPort(root fs.FS, a arch) (*Port, error) {
	loader, err := readLoader(root, a.musl)
	if loader == nil || err != nil {
		return nil, err
	}
	p := &Port{Libc: closure.LoaderMusl, Interp: a.musl, libraries: map[string][]string{}}
	p.find = func(soname string) *closure.Object {
		for _, dir := range []string{"/lib", "/usr/local/lib", "/usr/lib"} { // musl ldso/dynlink.c: load_library
			if o, err := closure.ReadObject(root, path.Join(dir, soname)); err == nil {
				return o
			}
		}
		return nil
	}
	p.Version, err = libcRelease(loader, muslNumber)
	return p, err
}

// readLoader reads the loader at a path; nil where nothing is there.
func readLoader(root fs.FS, at string) (*closure.Object, error) {
	o, err := closure.ReadObject(root, at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return o, err
}

// libcRelease finds the release of a C library in the text of its file; "" where that does not tell.
func libcRelease(o *closure.Object, find func(string) string) (string, error) {
	const most = 16 << 20
	f, err := o.Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	text := make([]byte, min(o.Size, most))
	if n, err := f.ReadAt(text, 0); n < len(text) {
		return "", fmt.Errorf("%s: %w", o.Path, err)
	}
	for word := range bytes.SplitSeq(text, []byte{0}) {
		if release := find(string(word)); release != "" {
			return release, nil
		}
	}
	return "", nil
}

// glibcBanner reads "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36." (glibc csu/version.c).
func glibcBanner(word string) string {
	_, after, ok := strings.Cut(word, "GNU C Library (")
	_, after, found := strings.Cut(after, " release version ")
	if !ok || !found {
		return ""
	}
	digits := strings.TrimLeft(after, "0123456789.")
	return strings.TrimSuffix(after[:len(after)-len(digits)], ".")
}

// muslNumber reads the one string that is a number of three parts (musl src/internal/version.c).
func muslNumber(word string) string {
	if len(word) < 16 && strings.Count(word, ".") == 2 && isNumber(word) {
		return word
	}
	return ""
}
