package closure_test

import (
	"debug/elf"
	"errors"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestSilentLoader: glibc's ld.so says its version from 2.33 on; an earlier one is known by its file's name or the C
// library beside it, and is one that knows the directories of that time.
func TestSilentLoader(t *testing.T) {
	const dir = "/lib/x86_64-linux-gnu/"
	said := func(im elftest.Image, text string) elftest.Image {
		im.Trailer = []byte("\x00" + text + "\x00")
		return im
	}
	silent := said(lib(ldso), "GLIBC_PRIVATE")
	libc := said(lib("libc.so.6"), "GNU C Library (Debian GLIBC 2.31-13+deb11u11) stable release version 2.31.\n")
	for _, test := range []struct {
		name  string
		files elftest.Tree // over a loader's link and a program
		want  [2]int
		tls   bool
	}{
		{"file name", elftest.Tree{dir + "ld-2.28.so": silent, x86Interp: elftest.Link(dir + "ld-2.28.so"), dir + "libc.so.6": libc}, [2]int{2, 28}, true},
		{"C library", elftest.Tree{dir + ldso: silent, x86Interp: elftest.Link(dir + ldso), dir + "libc.so.6": libc}, [2]int{2, 31}, true},
		{"C library elsewhere", elftest.Tree{x86Interp: silent, dir + "libc.so.6": libc}, [2]int{2, 32}, true},
		{"C library that says nothing", elftest.Tree{x86Interp: silent, "/lib64/libc.so.6": lib("libc.so.6")}, [2]int{2, 32}, true},
		{"its own text before all", elftest.Tree{dir + "ld-2.28.so": loaderOf("2.40"), x86Interp: elftest.Link(dir + "ld-2.28.so"), dir + "libc.so.6": libc}, [2]int{2, 40}, false},
		{"no glibc", elftest.Tree{x86Interp: lib(ldso), "/lib64/libc.so.6": libc}, [2]int{}, false},
	} {
		files := elftest.Tree{
			"/bin/prog":        runPath(program(elftest.Image{}, "liba.so"), "/opt"),
			"/opt/liba.so":     lib("liba.so"),
			"/opt/tls/liba.so": lib("liba.so"),
		}
		for name, f := range test.files {
			files[name] = f
		}
		m := walk(t, files, "/bin/prog").LinkMaps[0]
		if m.Loader.Version != test.want || (m.Loaded[1].Path == "/opt/tls/liba.so") != test.tls {
			t.Errorf("%s: version %v, loaded %q", test.name, m.Loader.Version, paths(m))
		}
	}
}

// TestVerifyByLoader: what stops one glibc, and not another.
func TestVerifyByLoader(t *testing.T) {
	aligned := func(to uint64) elftest.File {
		return reloaded(func(loads []elf.Prog64) {
			for i := range loads {
				loads[i].Align = to
			}
		})
	}
	upstream := debian
	upstream.Lib = "lib64"
	for _, test := range []struct {
		name   string
		file   elftest.File
		loader closure.Loader
		minor  int
		stops  string
	}{
		{"less than a page", aligned(8), debian, 34, "ELF load command alignment not page-aligned"},
		{"less than a page", aligned(8), debian, 35, ""},
		{"more than their places", aligned(1 << 20), debian, 34, "ELF load command address/offset not page-aligned"},
		{"more than their places", aligned(1 << 20), debian, 35, ""},
		{"none", aligned(0), debian, 35, ""},
		{"other byte order", elftest.Image{Machine: elf.EM_S390}, debian, 36, ""},
		{"other byte order", elftest.Image{Machine: elf.EM_S390}, upstream, 36, "data encoding is not that of the program"},
	} {
		loader := test.loader
		loader.Version = [2]int{2, test.minor}
		files := elftest.Tree{
			"/bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "/one:/two"),
			"/one/liba.so": test.file,
			"/two/liba.so": lib(""),
		}
		_, err := closure.Walk(files.FS(), []string{"/bin/prog"}, closure.Options{Loader: &loader})
		var stop *closure.LoadError
		if errors.As(err, &stop) != (test.stops != "") || stop != nil && stop.Why != test.stops {
			t.Errorf("%s, %d: got %v, want %q", test.name, test.minor, err, test.stops)
		}
	}
}
