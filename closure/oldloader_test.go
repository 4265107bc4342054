package closure_test

import (
	"testing"

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
