package elfpatch_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

func ExampleRead() {
	file := elftest.Image{Soname: "libfoo.so.1", Needed: []string{"libbar.so.2"}, RunPath: "$ORIGIN"}.Bytes()
	info, err := elfpatch.Read(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Machine, info.Soname, info.Needed, info.RunPath)
	// Output: EM_X86_64 libfoo.so.1 [libbar.so.2] $ORIGIN
}

// An Image is the patched file without a copy of it: Read checks it before it is written.
func ExampleApply() {
	file := elftest.Image{Needed: []string{"/nix/store/x/lib/libbar.so.2"}, RunPath: "/nix/store/y/lib"}.Bytes()
	image, err := elfpatch.Apply(bytes.NewReader(file), int64(len(file)), elfpatch.Edit{
		RunPath:       "$ORIGIN/../lib",
		ReplaceNeeded: map[string]string{"/nix/store/x/lib/libbar.so.2": "libbar.so.2"},
	})
	if err != nil {
		log.Fatal(err)
	}
	info, err := elfpatch.Read(image, image.Size())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Needed, info.RunPath, image.Size()-int64(len(file)), "bytes more")
	// Output: [libbar.so.2] $ORIGIN/../lib 0 bytes more
}
