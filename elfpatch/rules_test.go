package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// One test for each rule of the kernel or of the loader that a simple reader gets wrong. The files
// are ELF64, little endian, so that a field is one number at a known place.

var le = binary.LittleEndian

// Fields of a program header.
const (
	pType, pOffset, pVaddr, pFilesz, pMemsz = 0, 8, 16, 32, 40
)

// segment is the place in b of the n-th program header of that type.
func segment(t *testing.T, b []byte, typ elf.ProgType, n int) int {
	t.Helper()
	for i := range int(le.Uint16(b[56:])) {
		at := 64 + 56*i
		if elf.ProgType(le.Uint32(b[at:])) == typ {
			if n == 0 {
				return at
			}
			n--
		}
	}
	t.Fatalf("no %v", typ)
	return 0
}

// section is the place in b of what the section header of that name describes.
func section(t *testing.T, b []byte, name string) int {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return int(f.Section(name).Offset)
}

// glibc elf/dl-load.c: "Debuginfo only files from objcopy --only-keep-debug contain a PT_DYNAMIC
// segment with p_filesz == 0".
func TestDebugFile(t *testing.T) {
	objcopy := needTool(t, "objcopy")
	prog := program()
	prog.BuildID = []byte("build id")
	root := elftest.WriteTree(t, elftest.Tree{"prog": prog})
	debug := filepath.Join(root, "prog.debug")
	out, err := exec.Command(objcopy, "--only-keep-debug", filepath.Join(root, "prog"), debug).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, size := openFile(t, debug)
	info, err := elfpatch.Read(file, size)
	if err != nil {
		t.Fatal(err)
	}
	if info.Dynamic || info.Interp != "" || string(info.BuildID) != "build id" {
		t.Errorf("%+v", info)
	}
	if symbols, err := elfpatch.ReadSymbols(file, size); err != nil || len(symbols) > 0 {
		t.Errorf("%v, %v", symbols, err)
	}
}

// glibc elf/dl-load.c: _dl_map_object_from_fd takes l_ld from each PT_DYNAMIC in turn.
func TestLastDynamicCounts(t *testing.T) {
	b := elftest.Image{Soname: "libfoo.so.1"}.Bytes()
	stack := segment(t, b, elf.PT_GNU_STACK, 0)
	dynamic := segment(t, b, elf.PT_DYNAMIC, 0)
	copy(b[stack:], b[dynamic:dynamic+56])
	le.PutUint64(b[dynamic+pVaddr:], 0x40) // not what a dynamic section looks like
	if info := read(t, b); info.Soname != "libfoo.so.1" {
		t.Errorf("soname %q", info.Soname)
	}
	le.PutUint64(b[stack+pFilesz:], 0)
	copy(b[dynamic+pVaddr:dynamic+pFilesz], b[stack+pVaddr:stack+pFilesz])
	if info := read(t, b); info.Soname != "libfoo.so.1" {
		t.Errorf("an empty last PT_DYNAMIC: soname %q", info.Soname)
	}
}

// fs/binfmt_elf.c: load_elf_binary stops at the first PT_INTERP, and refuses one that does not end
// in NUL, is shorter than 2 or longer than PATH_MAX.
func TestInterp(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b []byte, at int)
		want   string // "" for an error
	}{
		"usual":         {func([]byte, int) {}, "/lib64/ld-linux-x86-64.so.2"},
		"shorter":       {func(b []byte, at int) { b[int(le.Uint64(b[at+pOffset:]))+6] = 0 }, "/lib64"},
		"no NUL":        {func(b []byte, at int) { b[at+pFilesz]-- }, ""},
		"one byte":      {func(b []byte, at int) { b[at+pFilesz] = 1 }, ""},
		"over PATH_MAX": {func(b []byte, at int) { le.PutUint64(b[at+pFilesz:], 4097) }, ""},
		"outside":       {func(b []byte, at int) { le.PutUint64(b[at+pOffset:], 1<<40) }, ""},
		"negative":      {func(b []byte, at int) { le.PutUint64(b[at+pOffset:], 1<<63) }, ""},
		"by offset":     {func(b []byte, at int) { le.PutUint64(b[at+pVaddr:], 1<<40) }, "/lib64/ld-linux-x86-64.so.2"},
	} {
		t.Run(name, func(t *testing.T) {
			im := program()
			im.Padding = 8192
			b := im.Bytes()
			c.change(b, segment(t, b, elf.PT_INTERP, 0))
			info, err := elfpatch.Read(bytes.NewReader(b), int64(len(b)))
			if c.want == "" {
				wantDamage(t, err)
			} else if err != nil || info.Interp != c.want {
				t.Errorf("%+v, %v", info, err)
			}
		})
	}
}

// glibc elf/dl-map-segments.h: a later PT_LOAD is mapped over an earlier one.
func TestLastLoadCounts(t *testing.T) {
	im := elftest.Image{Soname: "libfoo.so.1", Padding: 64, NoSections: true}
	b := im.Bytes()
	padding := len(b) - 64
	stack, first := segment(t, b, elf.PT_GNU_STACK, 0), segment(t, b, elf.PT_LOAD, 0)
	at := bytes.Index(b, []byte("libfoo.so.1"))
	copy(b[padding:], "libbar.so.2\x00")
	copy(b[stack:], b[first:first+56])
	le.PutUint64(b[stack+pOffset:], uint64(padding))
	le.PutUint64(b[stack+pVaddr:], uint64(at))
	le.PutUint64(b[stack+pFilesz:], 12)
	if info := read(t, b); info.Soname != "libbar.so.2" {
		t.Errorf("soname %q", info.Soname)
	}
}

// A segment that claims more than the file has is mapped as far as the file goes.
func TestLoadBeyondFile(t *testing.T) {
	b := elftest.Image{Soname: "libfoo.so.1"}.Bytes()
	for i := range 2 {
		le.PutUint64(b[segment(t, b, elf.PT_LOAD, i)+pFilesz:], 1<<62)
	}
	if info := read(t, b); info.Soname != "libfoo.so.1" {
		t.Errorf("soname %q", info.Soname)
	}
}

func TestDynamicDefects(t *testing.T) {
	im := elftest.Image{Soname: "libfoo.so.1", Spare: -1}
	for name, change := range map[string]func(b []byte, entries int){
		"no DT_NULL":         func(b []byte, at int) { le.PutUint64(b[dynamicEntry(b, at, elf.DT_NULL):], 1<<40) },
		"no DT_STRTAB":       func(b []byte, at int) { le.PutUint64(b[dynamicEntry(b, at, elf.DT_STRTAB):], 1<<40) },
		"DT_STRTAB nowhere":  func(b []byte, at int) { le.PutUint64(b[dynamicEntry(b, at, elf.DT_STRTAB)+8:], 1<<40) },
		"DT_STRTAB wraps":    func(b []byte, at int) { le.PutUint64(b[dynamicEntry(b, at, elf.DT_STRTAB)+8:], ^uint64(0)) },
		"name past DT_STRSZ": func(b []byte, at int) { le.PutUint64(b[dynamicEntry(b, at, elf.DT_SONAME)+8:], 1000) },
		"name wraps":         func(b []byte, at int) { le.PutUint64(b[dynamicEntry(b, at, elf.DT_SONAME)+8:], ^uint64(0)) },
		"DT_STRSZ cuts":      func(b []byte, at int) { le.PutUint64(b[dynamicEntry(b, at, elf.DT_STRSZ)+8:], 5) },
	} {
		t.Run(name, func(t *testing.T) {
			b := im.Bytes()
			change(b, section(t, b, ".dynamic"))
			_, err := elfpatch.Read(bytes.NewReader(b), int64(len(b)))
			wantDamage(t, err)
		})
	}
}

// dynamicEntry is the place in b of the first entry of that tag in the dynamic section at at.
func dynamicEntry(b []byte, at int, tag elf.DynTag) int {
	for ; at < len(b); at += 16 {
		if elf.DynTag(le.Uint64(b[at:])) == tag {
			break
		}
	}
	return at
}

// gABI 5: d_tag is signed and has 64 bits; a tag that is DT_NEEDED in its low half is another.
func TestTagsAreWide(t *testing.T) {
	im := elftest.Image{Soname: "libfoo.so.1", Dyn: []elftest.Dyn{{Tag: elf.DT_NEEDED, Val: 1}, {Tag: -1, Val: 1}}}
	b := im.Bytes()
	le.PutUint32(b[dynamicEntry(b, section(t, b, ".dynamic"), elf.DT_NEEDED)+4:], 1)
	if info := read(t, b); info.Needed != nil {
		t.Errorf("needed %q", info.Needed)
	}
}

// Strings are longer than a page in run paths of large closures.
func TestLongStrings(t *testing.T) {
	for _, n := range []int{4095, 4096, 4097, 100_000} {
		im := elftest.Image{RunPath: strings.Repeat("/nix/store", n/10), Needed: []string{"after"}}
		if info := read(t, im.Bytes()); info.RunPath != im.RunPath || info.Needed[0] != "after" {
			t.Errorf("run path of %d bytes, want %d", len(info.RunPath), len(im.RunPath))
		}
	}
}

// glibc elf/dl-version.c: _dl_check_map_versions follows vna_next and not vn_cnt, and refuses a
// record of another version.
func TestVersionRecords(t *testing.T) {
	im := library()
	b := im.Bytes()
	want := read(t, b).VerNeeds
	at := section(t, b, ".gnu.version_r")
	le.PutUint16(b[at+2:], 0) // vn_cnt
	if got := read(t, b).VerNeeds; len(got) != len(want) || len(got[0].Versions) != len(want[0].Versions) {
		t.Errorf("%v, want %v", got, want)
	}
	le.PutUint16(b[at:], 2) // vn_version
	_, err := elfpatch.Read(bytes.NewReader(b), int64(len(b)))
	wantDamage(t, err)
	b = im.Bytes()
	le.PutUint16(b[section(t, b, ".gnu.version_d"):], 2) // vd_version
	_, err = elfpatch.Read(bytes.NewReader(b), int64(len(b)))
	wantDamage(t, err)
}

// gABI 4, e_phnum: a core with more than 65534 segments has their number in section header 0.
func TestManySegments(t *testing.T) {
	const many = 70_000
	head := elftest.Image{Type: elf.ET_CORE, NoSections: true}.Bytes()[:64]
	b := make([]byte, 64+many*56+64)
	copy(b, head)
	le.PutUint16(b[56:], 0xffff)
	le.PutUint64(b[40:], 64+many*56) // e_shoff
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], 1)
	le.PutUint32(b[64+many*56+44:], many) // sh_info
	le.PutUint32(b[64+(many-1)*56:], uint32(elf.PT_LOAD))
	info := read(t, b)
	if len(info.Segments) != many || info.Segments[many-1].Type != elf.PT_LOAD {
		t.Errorf("%d segments", len(info.Segments))
	}
	le.PutUint16(b[16:], uint16(elf.ET_DYN)) // the kernel would not run it
	_, err := elfpatch.Read(bytes.NewReader(b), int64(len(b)))
	wantDamage(t, err)
}

// What a symbol's version is called comes from DT_VERNEED first and DT_VERDEF over it; DT_VERSYM
// does not count where there is neither.
func TestVersymWithoutVersions(t *testing.T) {
	b := library().Bytes()
	dynamic := section(t, b, ".dynamic")
	for _, tag := range []elf.DynTag{elf.DT_VERNEED, elf.DT_VERDEF} {
		le.PutUint64(b[dynamicEntry(b, dynamic, tag):], 1<<40)
	}
	for _, s := range symbolsOf(t, b) {
		if s.Version != "" || s.Hidden || s.VersionIndex != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// patchelf moves the string table away and drops no section header; stripped of these, what is left
// of the old table in the gap must not be taken for symbols.
func TestSymbolsAfterPatchelf(t *testing.T) {
	patchelf := needTool(t, "patchelf")
	prog := program()
	prog.Hash = elftest.HashGNU
	root := elftest.WriteTree(t, elftest.Tree{"prog": prog})
	name := filepath.Join(root, "prog")
	if out, err := exec.Command(patchelf, "--set-rpath", strings.Repeat("/long", 100), name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, size := openFile(t, name)
	b := make([]byte, size)
	if _, err := file.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	le.PutUint64(b[40:], 0) // e_shoff
	le.PutUint16(b[60:], 0) // e_shnum
	checkSymbols(t, symbolsOf(t, b), prog.Symbols)
}

// A symbol table whose length a hash table overstates is damaged, not read past its end.
func TestHashOverstates(t *testing.T) {
	for _, c := range []struct {
		hash elftest.Hash
		name string
		at   int
	}{{elftest.HashSysV, ".hash", 4}, {elftest.HashGNU, ".gnu.hash", 16 + 8}} { // nchain; the first bucket
		im := library()
		im.Hash = c.hash
		b := im.Bytes()
		le.PutUint32(b[section(t, b, c.name)+c.at:], 1<<20)
		_, err := elfpatch.ReadSymbols(bytes.NewReader(b), int64(len(b)))
		wantDamage(t, err)
	}
}

// MIPS states the number of symbols (DT_MIPS_SYMTABNO).
func TestMIPSSymbolCount(t *testing.T) {
	im := elftest.Image{
		Machine: elf.EM_MIPS, Hash: elftest.HashNone, NoSections: true,
		Symbols: []elftest.Symbol{{Name: "a"}, {Name: "b"}, {Name: "c"}},
		Dyn:     []elftest.Dyn{{Tag: 0x70000011, Val: 3}},
	}
	if symbols := symbolsOf(t, im.Bytes()); len(symbols) != 2 {
		t.Errorf("%+v", symbols)
	}
}
