package elftest_test

import (
	"bytes"
	"debug/elf"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// library has a bit of everything.
func library() elftest.Image {
	return elftest.Image{
		Soname: "libfoo.so.1", Needed: []string{"libc.so.6"}, RunPath: "$ORIGIN", BuildID: []byte("0123456789abcdef"),
		Symbols: []elftest.Symbol{
			{Name: "puts", Undefined: true, Version: "GLIBC_2.2.5"},
			{Name: "foo", Version: "FOO_1", Hidden: true},
			{Name: "foo", Version: "FOO_2"},
			{Name: "data", Type: elf.STT_OBJECT, Size: 24, Version: "FOO_1"},
			{Name: "thread", Type: elf.STT_TLS, Size: 4},
			{Name: "one", Type: elf.STT_OBJECT, Size: 8, Bind: 10},
		},
		Notes: []elftest.Note{{Section: ".note.gnu.property", Name: "GNU", Type: 5, Align: 8, Desc: make([]byte, 8)}},
		BSS:   100,
	}
}

// program binds to all of library, with relocations of x86-64.
func program() elftest.Image {
	reloc := func(types ...elf.R_X86_64) []uint32 {
		var out []uint32
		for _, t := range types {
			out = append(out, uint32(t))
		}
		return out
	}
	return elftest.Image{
		Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libfoo.so.1"}, RunPath: "$ORIGIN",
		DynFlags1: elf.DF_1_PIE,
		Symbols: []elftest.Symbol{
			{Name: "foo", Undefined: true, Version: "FOO_1", Relocs: reloc(elf.R_X86_64_JMP_SLOT)},
			{Name: "foo", Undefined: true, Version: "FOO_2", Relocs: reloc(elf.R_X86_64_GLOB_DAT)},
			{
				Name: "data", Type: elf.STT_OBJECT, Size: 24, Version: "FOO_1", VersionFile: "libfoo.so.1",
				Relocs: reloc(elf.R_X86_64_COPY),
			},
			{Name: "thread", Undefined: true, Type: elf.STT_TLS, Relocs: reloc(elf.R_X86_64_TPOFF64)},
		},
	}
}

func TestReadByDebugELF(t *testing.T) {
	for _, machine := range []elf.Machine{
		elf.EM_X86_64, elf.EM_386, elf.EM_AARCH64, elf.EM_ARM, elf.EM_RISCV, elf.EM_MIPS, elf.EM_PPC, elf.EM_PPC64,
		elf.EM_S390,
	} {
		t.Run(machine.String(), func(t *testing.T) {
			im := library()
			im.Machine = machine
			f, err := elf.NewFile(bytes.NewReader(im.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			soname, _ := f.DynString(elf.DT_SONAME)
			needed, _ := f.ImportedLibraries()
			if !slices.Equal(soname, []string{im.Soname}) || !slices.Equal(needed, im.Needed) {
				t.Errorf("soname %q, needed %q", soname, needed)
			}
			symbols, err := f.DynamicSymbols()
			if err != nil || len(symbols) != len(im.Symbols) {
				t.Errorf("%d symbols, %v", len(symbols), err)
			}
			for _, s := range symbols {
				if s.Name == "puts" && (s.Version != "GLIBC_2.2.5" || s.Library != "libc.so.6") {
					t.Errorf("puts wants %s of %s", s.Version, s.Library)
				}
			}
		})
	}
}

func TestSameBytes(t *testing.T) {
	im := library()
	first := im.Bytes()
	if !bytes.Equal(first, im.Bytes()) {
		t.Error("two calls, two files")
	}
	if im.Machine != 0 || im.Symbols[1].Bind != 0 {
		t.Error("Bytes wrote into the Image")
	}
}

func TestEndsInTrailer(t *testing.T) {
	plain := library()
	full := library()
	full.Padding, full.Trailer = 4096, []byte("tail")
	b := full.Bytes()
	if !bytes.HasSuffix(b, full.Trailer) || len(b) != len(plain.Bytes())+4096+4 {
		t.Errorf("%d bytes, plain has %d", len(b), len(plain.Bytes()))
	}
	full.NoSections = true
	if f, err := elf.NewFile(bytes.NewReader(full.Bytes())); err != nil || len(f.Sections) != 0 {
		t.Errorf("sections in a file without: %v", err)
	}
}

// readelf prints a warning or an error for what it does not like.
func TestReadByReadelf(t *testing.T) {
	for _, tool := range []string{"readelf", "eu-readelf"} {
		for name, im := range map[string]elftest.Image{
			"zero": {}, "library": library(), "program": program(), "static": {Static: true},
			"object": {Type: elf.ET_REL}, "core": {Type: elf.ET_CORE}, "big": {Machine: elf.EM_S390, Symbols: library().Symbols},
		} {
			t.Run(tool+"/"+name, func(t *testing.T) {
				root := elftest.WriteTree(t, elftest.Tree{name: im})
				var stderr strings.Builder
				cmd := exec.Command(needTool(t, tool), "-aW", filepath.Join(root, name))
				if tool == "eu-readelf" {
					cmd.Args[1] = "-a"
				}
				cmd.Stderr = &stderr
				if err := cmd.Run(); err != nil || stderr.Len() > 0 {
					t.Errorf("%v\n%s", err, &stderr)
				}
			})
		}
	}
}

// The real loader maps, binds and starts the files.
func TestRunByLoader(t *testing.T) {
	needLoader(t)
	for name, typ := range map[string]elf.Type{"pie": elf.ET_DYN, "exec": elf.ET_EXEC} {
		t.Run(name, func(t *testing.T) {
			prog := program()
			prog.Type = typ
			if typ == elf.ET_EXEC {
				prog.DynFlags1 = 0
			}
			lib := library()
			lib.Needed, lib.Symbols = nil, lib.Symbols[1:]
			root := elftest.WriteTree(t, elftest.Tree{"prog": prog, "libfoo.so.1": lib})
			cmd := exec.Command(filepath.Join(root, "prog"))
			cmd.Env = []string{"LD_BIND_NOW=1", "LD_DEBUG=bindings"}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range []string{"`foo' [FOO_1]", "`foo' [FOO_2]", "`data' [FOO_1]", "`thread'"} {
				if !strings.Contains(string(out), root+"/libfoo.so.1 [0]: normal symbol "+want) {
					t.Errorf("no binding of %s in\n%s", want, out)
				}
			}
		})
	}
}

func TestTraceByLoader(t *testing.T) {
	needLoader(t)
	root := elftest.WriteTree(t, elftest.Tree{
		"prog": program(), "libfoo.so.1": elftest.Link("sub/real"), "sub/real": library(),
	})
	cmd := exec.Command(filepath.Join(root, "prog"))
	cmd.Env = []string{"LD_TRACE_LOADED_OBJECTS=1"}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "libfoo.so.1 => "+root+"/libfoo.so.1") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Static programs of other machines run in qemu.
func TestRunForeign(t *testing.T) {
	for emulator, machine := range map[string]elf.Machine{
		"qemu-aarch64-static": elf.EM_AARCH64, "qemu-arm-static": elf.EM_ARM, "qemu-riscv64-static": elf.EM_RISCV,
	} {
		t.Run(emulator, func(t *testing.T) {
			root := elftest.WriteTree(t, elftest.Tree{"prog": elftest.Image{Static: true, Machine: machine}})
			if out, err := exec.Command(needTool(t, emulator), filepath.Join(root, "prog")).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestTree(t *testing.T) {
	store := elftest.StorePath("foo-1.0")
	if !regexp.MustCompile(`^/nix/store/[0-9abcdfghijklmnpqrsvwxyz]{32}-foo-1\.0$`).MatchString(store) {
		t.Errorf("StorePath gives %q", store)
	}
	tree := elftest.Tree{
		store + "/lib/libfoo.so":   elftest.Link("libfoo.so.1"),
		store + "/lib/libfoo.so.1": elftest.Image{},
		store + "/bin/foo":         elftest.Script("#!/bin/sh\n"),
		"etc/foo.conf":             elftest.Data("foo\n"),
		"var/empty":                elftest.Dir{},
	}
	for name, fsys := range map[string]fs.FS{"memory": tree.FS(), "disk": os.DirFS(elftest.WriteTree(t, tree))} {
		t.Run(name, func(t *testing.T) {
			checkTree(t, fsys, store[1:])
		})
	}
}

func checkTree(t *testing.T, fsys fs.FS, store string) {
	t.Helper()
	f, err := fsys.Open(store + "/lib/libfoo.so")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := f.(io.ReaderAt).ReadAt(magic, 0); err != nil || string(magic) != elf.ELFMAG {
		t.Errorf("%q, %v", magic, err)
	}
	if target, err := fs.ReadLink(fsys, store+"/lib/libfoo.so"); err != nil || target != "libfoo.so.1" {
		t.Errorf("link to %q, %v", target, err)
	}
	for name, mode := range map[string]fs.FileMode{
		store + "/bin/foo": 0o755, "etc/foo.conf": 0o644, "var/empty": fs.ModeDir | 0o755,
	} {
		if info, err := fs.Stat(fsys, name); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// needTool is the path of a program, or the end of the test where it is not installed.
func needTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return path
}

func needLoader(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/lib64/ld-linux-x86-64.so.2"); runtime.GOARCH != "amd64" || err != nil {
		t.Skip("no glibc for x86-64 on this machine")
	}
}
