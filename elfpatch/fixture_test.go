package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// library has one of everything that Read and ReadSymbols report.
func library() elftest.Image {
	return elftest.Image{
		Soname: "libfoo.so.1", Needed: []string{"libc.so.6", "libm.so.6", "libc.so.6"},
		RPath: "/old", RunPath: "$ORIGIN/../lib:/opt", Filter: []string{"libf.so"}, Auxiliary: []string{"liba.so", "libb.so"},
		DynFlags: elf.DF_BIND_NOW | elf.DF_TEXTREL, DynFlags1: elf.DF_1_NOW | elf.DF_1_NODEFLIB,
		BuildID: []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14"),
		Notes: []elftest.Note{
			{Section: ".note.gnu.property", Name: "GNU", Type: 5, Align: 8, Desc: make([]byte, 16)},
			{Section: ".note.dlopen", Name: "FDO", Type: 0x407c0c0a, Desc: []byte(`[{"soname":["libz.so.1"]}]` + "\x00")},
		},
		VersionNeeds: []elftest.VersionNeed{{File: "libm.so.6", Version: "GLIBC_2.29", Weak: true}},
		Symbols: []elftest.Symbol{
			{Name: "puts", Undefined: true, Version: "GLIBC_2.17"},
			{Name: "maybe", Undefined: true, Bind: elf.STB_WEAK},
			{Name: "own", Local: true},
			{Name: "foo", Version: "FOO_1", Hidden: true, Size: 12},
			{Name: "foo", Version: "FOO_2", Size: 16},
			{Name: "plain"},
			{Name: "data", Type: elf.STT_OBJECT, Size: 24, Visibility: elf.STV_PROTECTED, Bind: elf.STB_WEAK},
			{Name: "unseen", Visibility: elf.STV_HIDDEN},
			{Name: "thread", Type: elf.STT_TLS, Size: 4},
			{Name: "one", Type: elf.STT_OBJECT, Size: 8, Bind: 10},
			{Name: "fixed", Section: elf.SHN_ABS, Value: 0x1234},
		},
		BSS: 64,
	}
}

// program has an interp and symbols that it only refers to: its DT_GNU_HASH is empty.
func program() elftest.Image {
	return elftest.Image{
		Interp: "/lib64/ld-linux-x86-64.so.2", Needed: []string{"libc.so.6"}, DynFlags1: elf.DF_1_PIE,
		Symbols: []elftest.Symbol{
			{Name: "puts", Undefined: true, Version: "GLIBC_2.2.5"},
			{Name: "exit", Undefined: true, Version: "GLIBC_2.34"},
			{Name: "__gmon_start__", Undefined: true, Bind: elf.STB_WEAK},
		},
	}
}

// flavours are the classes, byte orders and machines; each is one code path with another.
func flavours() map[string]elftest.Image {
	named := map[string]elftest.Image{}
	for _, m := range []elf.Machine{
		elf.EM_X86_64, elf.EM_386, elf.EM_AARCH64, elf.EM_ARM, elf.EM_RISCV, elf.EM_MIPS, elf.EM_PPC, elf.EM_PPC64,
		elf.EM_S390, elf.EM_ALPHA,
	} {
		named[m.String()] = elftest.Image{Machine: m}
	}
	for _, class := range []elf.Class{elf.ELFCLASS32, elf.ELFCLASS64} {
		for _, data := range []elf.Data{elf.ELFDATA2LSB, elf.ELFDATA2MSB} {
			named[fmt.Sprintf("%v,%v", class, data)] = elftest.Image{Machine: elf.EM_RISCV, Class: class, Data: data}
		}
	}
	return named
}

// ofKind gives the flavour the content of im.
func ofKind(im, flavour elftest.Image) elftest.Image {
	im.Machine, im.Class, im.Data = flavour.Machine, flavour.Class, flavour.Data
	return im
}

// fixtures are small files of every kind, for the tests that damage them.
func fixtures() map[string][]byte {
	files := map[string][]byte{
		"empty":  elftest.Image{}.Bytes(),
		"static": elftest.Image{Static: true, BuildID: []byte("id")}.Bytes(),
		"object": elftest.Image{Type: elf.ET_REL}.Bytes(),
	}
	core := elftest.Image{Type: elf.ET_CORE, Notes: []elftest.Note{{Name: "CORE", Type: 1, Desc: make([]byte, 64)}}}
	files["core"] = core.Bytes()
	for name, flavour := range flavours() {
		if flavour.Class == 0 && flavour.Machine != elf.EM_S390 {
			continue
		}
		lib, prog, bare := ofKind(library(), flavour), ofKind(program(), flavour), ofKind(library(), flavour)
		bare.NoSections, bare.Hash = true, elftest.HashGNU
		prog.Hash = elftest.HashGNU
		files["library "+name], files["program "+name], files["bare "+name] = lib.Bytes(), prog.Bytes(), bare.Bytes()
	}
	for name, edit := range map[string]elfpatch.Edit{
		"stub": {Loader: "../lib/ld.so"}, "stub and tables": {Loader: "../lib/ld.so", RunPath: longPath},
	} {
		b := program().Bytes()
		var out bytes.Buffer
		if img, err := elfpatch.Apply(bytes.NewReader(b), int64(len(b)), edit); err == nil {
			_, _ = img.WriteTo(&out)
		}
		files[name] = out.Bytes()
	}
	return files
}

// realFiles are ELF files of this machine, at most n, evenly chosen.
func realFiles(t testing.TB, n int) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{
		"/bin/*", "/usr/bin/*", "/lib/*.so*", "/lib/*-linux-*/*.so*", "/lib64/*.so*", "/usr/lib/*.so*",
		"/usr/lib/*-linux-*/*.so*",
		"/usr/lib/*-linux-*/*/*.so*", "/usr/*-linux-*/lib/*.so*", "/usr/lib/gcc/*/*/*.o", "/usr/lib/gcc/*/*/cc1*",
		"/usr/lib/debug/.build-id/*/*.debug",
	} {
		found, _ := filepath.Glob(pattern)
		for _, name := range found {
			if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && isELF(name) {
				all = append(all, name)
			}
		}
	}
	if len(all) == 0 {
		t.Skip("no ELF files on this machine")
	}
	var chosen []string
	step := max(1, len(all)/n)
	for i := 0; i < len(all); i += step {
		chosen = append(chosen, all[i])
	}
	return chosen
}

func isELF(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 4)
	_, err = io.ReadFull(f, magic)
	return err == nil && string(magic) == elf.ELFMAG
}

// openFile gives a file and its size; it is closed when the test ends.
func openFile(t testing.TB, name string) (*os.File, int64) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, info.Size()
}
