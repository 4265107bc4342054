package elftest_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"log"

	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// A file is what its Image says, for any reader of ELF files: here the standard library's.
func ExampleImage() {
	file := elftest.Image{
		Machine: elf.EM_AARCH64, Soname: "libfoo.so.1", Needed: []string{"libc.so.6"},
		Symbols: []elftest.Symbol{{Name: "foo", Version: "FOO_1"}},
	}.Bytes()
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		log.Fatal(err)
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		log.Fatal(err)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Machine, needed, symbols[0].Name)
	// Output: EM_AARCH64 [libc.so.6] foo
}

// A tree is a store in memory; WriteTree puts one on the disk for a test.
func ExampleTree() {
	zlib := elftest.StorePath("zlib-1.3")
	root := elftest.Tree{
		zlib + "/lib/libz.so.1.3": elftest.Image{Soname: "libz.so.1"},
		zlib + "/lib/libz.so.1":   elftest.Link("libz.so.1.3"),
		"/result":                 elftest.Link(zlib),
	}.FS()
	link, err := fs.ReadLink(root, "result")
	fmt.Println(link, err)
	names, err := fs.Glob(root, "nix/store/*/lib/*")
	fmt.Println(len(names), err)
	// Output:
	// /nix/store/0a3z02s7ymamvdpiiwigr35in8h9258b-zlib-1.3 <nil>
	// 2 <nil>
}
