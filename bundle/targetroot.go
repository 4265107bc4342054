package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// TargetFromRoot reads what the machine provides that root is the file system of: for each kind of
// machine whose loader is there, the C library, its version, and, when asked, which libraries that
// loader finds and what versions they define. Kernels and processors are those of the distribution that the
// root says it is, where that is known. name is what messages call the target. Links are followed
// inside the root. A root without a C library is an [*OptionError].
func TargetFromRoot(root fs.FS, name string) (*Target, error) {
	t := &Target{Name: name}
	like := distributionOf(root)
	for _, a := range arches {
		for _, read := range []func(fs.FS, arch) (*Port, error){glibcPort, muslPort} {
			p, err := read(root, a)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if p != nil {
				p.Target, p.Arch = name, a.name
				p.learn(like)
				t.Ports = append(t.Ports, p)
			}
		}
	}
	if t.Ports == nil {
		return nil, &OptionError{"target-root", name, "no C library is in it: neither " + strings.Join(loaderPaths(), " nor ")}
	}
	return t, nil
}

// distributionOf is the known target that a root says it is; nil when it says nothing known. A 64-bit
// Raspberry Pi OS says that it is Debian, and has a file of its own beside that.
func distributionOf(root fs.FS) *Target {
	const most = 64 << 10
	const file = "usr/lib/os-release"
	if st, err := fs.Stat(root, file); err != nil || !st.Mode().IsRegular() {
		return nil
	}
	f, err := root.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, most))
	fields := map[string]string{} // os-release(5)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		fields[name] = strings.Trim(value, `"'`)
	}
	name := fields["ID"] + "-" + fields["VERSION_ID"]
	if _, err := fs.Stat(root, "etc/rpi-issue"); err == nil || fields["ID"] == "raspbian" {
		name = "raspios-" + fields["VERSION_CODENAME"]
	} else if fields["ID"] == "alpine" {
		name = "alpine"
	}
	like, err := ParseTarget(name)
	if err != nil {
		return nil
	}
	return like
}

// learn takes from a known target what a root does not hold.
func (p *Port) learn(like *Target) {
	if like == nil {
		return
	}
	for _, q := range like.Ports {
		if q.Arch == p.Arch {
			p.ISA, p.PageSizes = q.ISA, q.PageSizes
		}
	}
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
	names := append(knownLibraries(), path.Base(a.glibc))
	found, err := openByLoader(root, a.glibc, names)
	if err != nil {
		return nil, err
	}
	p.symbols = sync.OnceValues(func() (map[string]bool, error) { return exportedSymbols(found) })
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
	p.symbols = sync.OnceValues(func() (map[string]bool, error) { return exportedSymbols([]*closure.Object{loader}) })
	p.Version, err = libcRelease(loader, muslNumber)
	return p, err
}

// exportedSymbols are those that the members of the C library among objects export, by symbolKey.
func exportedSymbols(objects []*closure.Object) (map[string]bool, error) {
	there := map[string]bool{}
	for _, o := range objects {
		if o == nil || !inLibc(o) {
			continue
		}
		f, err := o.Open()
		if err != nil {
			return nil, err
		}
		symbols, err := elfpatch.ReadSymbols(f, o.Size)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Path, err)
		}
		for i := range symbols {
			if s := &symbols[i]; s.Exported() {
				there[symbolKey(s.Name, s.Version)] = true
				there[symbolKey(s.Name, "")] = true
			}
		}
	}
	return there, nil
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
