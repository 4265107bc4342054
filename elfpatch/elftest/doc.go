// Package elftest makes small ELF files, and trees of them, for tests, as net/http/httptest makes
// servers.
//
//	lib := elftest.Image{
//		Soname:  "libfoo.so.1",
//		Needed:  []string{"libc.so.6"},
//		RunPath: "$ORIGIN",
//		Symbols: []elftest.Symbol{{Name: "foo", Version: "FOO_1"}},
//	}
//	root := elftest.WriteTree(t, elftest.Tree{
//		elftest.StorePath("foo-1.0") + "/lib/libfoo.so.1": lib,
//		"usr/lib/libfoo.so":                               elftest.Link("libfoo.so.1"),
//	})
//
// The files are real: the kernel, ld.so, readelf and debug/elf accept them, and a program for
// x86-64, i386, AArch64, Arm or RISC-V runs and exits with status 0. The same Image always gives
// the same bytes. Neither a compiler nor a network is needed.
//
// What the package exports is listed in testdata/api/elfpatch-elftest.txt; package elfpatch says what is promised of it.
//
// The package does not read ELF files, makes no code that does anything, and no debug information.
// It makes sound files only; tests of damaged ones damage the bytes.
package elftest
