package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestClash: elftest makes the tree that a test wants, without a compiler and without Nix.
func TestClash(t *testing.T) {
	old, recent := elftest.StorePath("zlib-1.2"), elftest.StorePath("zlib-1.3")
	png, app := elftest.StorePath("png-1.6"), elftest.StorePath("app-1.0")
	symbol := []elftest.Symbol{{Name: "inflate", Undefined: true, Relocs: []uint32{7}}} // R_X86_64_JMP_SLOT
	inflate := []elftest.Symbol{{Name: "inflate"}}
	dir := elftest.WriteTree(t, elftest.Tree{
		app + "/bin/app": elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libz.so.1", "libpng.so"},
			RunPath: old + "/lib:" + png + "/lib", Symbols: symbol},
		"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		png + "/lib/libpng.so":        elftest.Image{Needed: []string{"libz.so.1"}, RunPath: recent + "/lib", Symbols: symbol},
		old + "/lib/libz.so.1":        elftest.Image{Soname: "libz.so.1", Symbols: inflate},
		recent + "/lib/libz.so.1":     elftest.Image{Soname: "libz.so.1", Symbols: inflate, BuildID: []byte("another")},
	})
	output := filepath.Join(t.TempDir(), "app.tar")
	var out bytes.Buffer
	if err := ship(context.Background(), &out, dir, app+"/bin/app", output); !errors.Is(err, errClash) {
		t.Fatalf("got %v", err)
	}
	want := "libz.so.1: same-soname, for 1 references\n  kept zlib 1.2 by app\n  wanted zlib 1.3 by libpng.so\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	if _, err := os.Stat(output); err == nil {
		t.Error("it was written all the same")
	}
}

// TestShipped: the demo whose libraries agree is bundled and proven.
func TestShipped(t *testing.T) {
	var out bytes.Buffer
	if err := ship(context.Background(), &out, "../demo", "/sensor-fixed", filepath.Join(t.TempDir(), "sensor.tar.zst")); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "161 references: all as in the store\n") {
		t.Errorf("got\n%s", &out)
	}
}

// TestDamaged: what no kernel would map is told by its place.
func TestDamaged(t *testing.T) {
	file := elftest.Image{Interp: "/lib64/ld-linux-x86-64.so.2"}.Bytes()
	file[64+16]++ // p_vaddr of PT_PHDR
	dir := elftest.WriteTree(t, elftest.Tree{"/bin/app": elftest.Script(file)})
	err := ship(context.Background(), os.Stderr, dir, "/bin/app", filepath.Join(t.TempDir(), "app.tar"))
	if err == nil || !strings.HasPrefix(err.Error(), "/bin/app: ") {
		t.Errorf("got %v", err)
	}
}

// TestAbsent: errors have types to tell them apart by.
func TestAbsent(t *testing.T) {
	err := ship(context.Background(), os.Stderr, "../demo", "/no/such", filepath.Join(t.TempDir(), "x.tar"))
	var none *closure.ProgramError
	if !errors.As(err, &none) || none.Path != "/no/such" {
		t.Errorf("got %v", err)
	}
}
