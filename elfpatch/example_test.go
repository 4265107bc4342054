package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// The facts of a file are what the loader reads, with strings as they stand there.
func ExampleRead() {
	file := elftest.Image{Soname: "libfoo.so.1", Needed: []string{"libbar.so.2"}, RunPath: "$ORIGIN"}.Bytes()
	info, err := elfpatch.Read(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Machine, info.Soname, info.Needed, info.RunPath)
	// Output: EM_X86_64 libfoo.so.1 [libbar.so.2] $ORIGIN
}

// What is no ELF file is one error, and what is damaged another, which says where.
func ExampleRead_errors() {
	script := []byte("#!/bin/sh\nexec sensor\n")
	_, err := elfpatch.Read(bytes.NewReader(script), int64(len(script)))
	fmt.Println(errors.Is(err, elfpatch.ErrNotELF))

	file := elftest.Image{Needed: []string{"libbar.so.2"}}.Bytes()[:200] // cut short
	_, err = elfpatch.Read(bytes.NewReader(file), int64(len(file)))
	var damaged *elfpatch.FormatError
	if errors.As(err, &damaged) {
		fmt.Println(damaged.Off, err)
	}
	// Output:
	// true
	// 64 damaged ELF file: program header table lies outside the file at offset 0x40
}

// Who starts a program, what it asks of a C library, and which pages it can be mapped in.
func ExampleInfo() {
	file, err := os.ReadFile("../testdata/demo/sensor-fixed/bin/sensor")
	if err != nil {
		log.Fatal(err)
	}
	info, err := elfpatch.Read(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Machine, info.IsPIE(), filepath.Base(info.Interp))
	for _, need := range info.VerNeeds {
		for _, v := range need.Versions {
			fmt.Println(need.File, v.Name)
		}
	}
	fmt.Println("pages of up to", info.MaxAlign(), "bytes")
	// Output:
	// EM_AARCH64 true ld-linux-aarch64.so.1
	// libc.so.6 GLIBC_2.17
	// libc.so.6 GLIBC_2.34
	// pages of up to 65536 bytes
}

// A symbol that a file defines and one that it refers to, each with its version.
func ExampleReadSymbols() {
	file := elftest.Image{Needed: []string{"libc.so.6"}, Symbols: []elftest.Symbol{
		{Name: "read_sensor", Version: "SENSOR_1"},
		{Name: "memcpy", Undefined: true, Version: "GLIBC_2.14"},
	}}.Bytes()
	symbols, err := elfpatch.ReadSymbols(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range symbols {
		fmt.Println(s.Name, s.Version, s.VersionFile, s.Exported())
	}
	// Output:
	// memcpy GLIBC_2.14 libc.so.6 false
	// read_sensor SENSOR_1  true
}

// Symbols has what relocations look up: a call and a pointer to one function are two references.
func ExampleInfo_ReadLookup() {
	file := elftest.Image{Symbols: []elftest.Symbol{
		{Name: "pack", Undefined: true, Relocs: []uint32{uint32(elf.R_X86_64_JMP_SLOT), uint32(elf.R_X86_64_GLOB_DAT)}},
	}}.Bytes()
	src, size := bytes.NewReader(file), int64(len(file))
	info, err := elfpatch.Read(src, size)
	if err != nil {
		log.Fatal(err)
	}
	symbols, err := info.ReadLookup(src, size)
	if err != nil {
		log.Fatal(err)
	}
	for _, ref := range symbols.References() {
		fmt.Println(ref.Name, ref.Class)
	}
	// Output:
	// pack data
	// pack call
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

// What cannot be done without risk is refused, with the reason.
func ExampleApply_refused() {
	file := elftest.Image{Interp: "/lib/ld.so", Trailer: []byte("a self-contained program's payload")}.Bytes()
	edit := elfpatch.Edit{AddNeeded: []string{"libpreload.so"}, RunPath: "$ORIGIN/../" + string(bytes.Repeat([]byte("long/"), 2000))}
	_, err := elfpatch.Apply(bytes.NewReader(file), int64(len(file)), edit)
	fmt.Println(errors.Is(err, elfpatch.ErrUnsupported))

	edit.Trailer = elfpatch.TrailerAtEnd // who reads it looks for it at the end
	_, err = elfpatch.Apply(bytes.NewReader(file), int64(len(file)), edit)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// The zero value changes nothing, and neither does a wish that is fulfilled.
func ExampleEdit() {
	file := elftest.Image{Soname: "libfoo.so.1", RunPath: "$ORIGIN"}.Bytes()
	for _, e := range []elfpatch.Edit{{}, {RunPath: "$ORIGIN"}, {RemoveRunPath: true}} {
		image, err := elfpatch.Apply(bytes.NewReader(file), int64(len(file)), e)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(image.Changed(), len(image.Overlays()))
	}
	// Output:
	// false 0
	// false 0
	// true 2
}

// An Image knows what differs, and how long the whole is, before anything is written.
func ExampleImage() {
	file := elftest.Image{Needed: []string{"libbar.so.1"}}.Bytes()
	image, err := elfpatch.Apply(bytes.NewReader(file), int64(len(file)), elfpatch.Edit{
		ReplaceNeeded: map[string]string{"libbar.so.1": "libfoo.so.2"}, // no longer than the old name, which dies
	})
	if err != nil {
		log.Fatal(err)
	}
	differing := int64(0)
	for _, r := range image.Overlays() {
		differing += r.Len
	}
	var out bytes.Buffer
	n, err := image.WriteTo(&out)
	fmt.Println(n == image.Size(), n == int64(len(file)), differing < 100, err)
	// Output: true true true <nil>
}

// Check tells what the kernel or the loader would not take.
func ExampleCheck() {
	file := elftest.Image{Soname: "libfoo.so.1"}.Bytes()
	file[64+16]++ // p_vaddr of PT_PHDR, which stands first
	defects, err := elfpatch.Check(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range defects {
		fmt.Println(d)
	}
	// Output:
	// damaged ELF file: PT_PHDR is not in a PT_LOAD at offset 0x40
	// damaged ELF file: PT_PHDR is not where the program headers are at offset 0x40
}

// A file is replaced whole or not at all, and keeps its mode.
func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "elfpatch-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "libfoo.so.1")
	if err := os.WriteFile(name, elftest.Image{Needed: []string{"libbar.so.1"}}.Bytes(), 0o755); err != nil {
		log.Fatal(err)
	}
	src, err := os.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	stat, err := src.Stat()
	if err != nil {
		log.Fatal(err)
	}
	image, err := elfpatch.Apply(src, stat.Size(), elfpatch.Edit{ReplaceNeeded: map[string]string{"libbar.so.1": "libbar.so.2"}})
	if err != nil {
		log.Fatal(err)
	}
	if err := elfpatch.WriteFile(src, image, elfpatch.WriteOptions{}); err != nil {
		log.Fatal(err)
	}
	patched, err := os.ReadFile(name)
	if err != nil {
		log.Fatal(err)
	}
	info, err := elfpatch.Read(bytes.NewReader(patched), int64(len(patched)))
	fmt.Println(info.Needed, err)
	// Output:
	// [libbar.so.2] <nil>
}
