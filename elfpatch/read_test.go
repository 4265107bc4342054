package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
	"github.com/stretchr/testify/require"
)

func read(t testing.TB, b []byte) *elfpatch.Info {
	t.Helper()
	info, err := elfpatch.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestReadFlavours(t *testing.T) {
	for name, flavour := range flavours() {
		t.Run(name, func(t *testing.T) {
			for _, noSections := range []bool{false, true} {
				im := ofKind(library(), flavour)
				im.NoSections = noSections
				checkLibrary(t, read(t, im.Bytes()))
			}
			prog := read(t, ofKind(program(), flavour).Bytes())
			if prog.Interp != program().Interp || !prog.IsPIE() || prog.Entry == 0 {
				t.Errorf("interp %q, entry %#x", prog.Interp, prog.Entry)
			}
		})
	}
}

// checkLibrary compares info with library().
func checkLibrary(t *testing.T, info *elfpatch.Info) {
	t.Helper()
	want := library()
	base := elfpatch.VerDef{Name: want.Soname, Base: true, Index: 1}
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"soname", info.Soname, want.Soname},
		{"needed", info.Needed, want.Needed},
		{"rpath", info.RPath, want.RPath},
		{"has rpath", info.HasRPath, true},
		{"run path", info.RunPath, want.RunPath},
		{"has run path", info.HasRunPath, true},
		{"filter", info.Filter, want.Filter},
		{"auxiliary", info.Auxiliary, want.Auxiliary},
		{"flags", info.DynFlags, want.DynFlags},
		{"flags_1", info.DynFlags1, want.DynFlags1},
		{"text relocations", info.TextRel, true},
		{"interp", info.Interp, ""},
		{"build id", info.BuildID, want.BuildID},
		{"os abi", info.OSABI, elf.ELFOSABI_LINUX},
		{"pie", info.IsPIE(), false},
		{"version definitions", info.VerDefs, []elfpatch.VerDef{base, {Name: "FOO_1", Index: 2}, {Name: "FOO_2", Index: 3}}},
		{"version needs", info.VerNeeds, []elfpatch.VerNeed{
			{File: "libm.so.6", Versions: []elfpatch.VerNeedVersion{{Name: "GLIBC_2.29", Weak: true, Index: 4}}},
			{File: "libc.so.6", Versions: []elfpatch.VerNeedVersion{{Name: "GLIBC_2.17", Index: 5}}},
		}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %#v, want %#v", c.what, c.got, c.want)
		}
	}
	checkNotes(t, info.Notes, want.Notes)
}

func checkNotes(t *testing.T, got []elfpatch.Note, want []elftest.Note) {
	t.Helper()
	if len(got) != 1+len(want) {
		t.Fatalf("%d notes, want %d", len(got), 1+len(want))
	}
	for i, w := range want {
		if g := got[i+1]; g.Name != w.Name || g.Type != w.Type || !bytes.Equal(g.Desc, w.Desc) {
			t.Errorf("note %+v, want %+v", g, w)
		}
	}
}

func TestReadRunPaths(t *testing.T) {
	for name, im := range map[string]elftest.Image{
		"absent":   {},
		"empty":    {HasRunPath: true},
		"rpath":    {RPath: "/a"},
		"both":     {RPath: "/a", RunPath: "/b"},
		"hides":    {RPath: "/a", HasRunPath: true},
		"no rpath": {HasRPath: true},
	} {
		t.Run(name, func(t *testing.T) {
			info := read(t, im.Bytes())
			if info.HasRPath != (im.HasRPath || im.RPath != "") || info.HasRunPath != (im.HasRunPath || im.RunPath != "") {
				t.Errorf("rpath %v, run path %v", info.HasRPath, info.HasRunPath)
			}
			if info.RPath != im.RPath || info.RunPath != im.RunPath {
				t.Errorf("rpath %q, run path %q", info.RPath, info.RunPath)
			}
		})
	}
}

// Of a tag that may stand once the last counts, of the others all do.
func TestReadLastTagWins(t *testing.T) {
	im := elftest.Image{
		Soname: "first", Needed: []string{"a"}, RunPath: "/first", DynFlags: elf.DF_TEXTREL,
		Dyn: []elftest.Dyn{
			{Tag: elf.DT_SONAME, Str: "last"}, {Tag: elf.DT_NEEDED, Str: "b"}, {Tag: elf.DT_RUNPATH, Str: "/last"},
			{Tag: elf.DT_FLAGS, Val: uint64(elf.DF_BIND_NOW)}, {Tag: 36, Val: 0x10}, {Tag: 0x6ffffef4, Val: 1},
		},
	}
	info := read(t, im.Bytes())
	if info.Soname != "last" || info.RunPath != "/last" || info.DynFlags != elf.DF_BIND_NOW || info.TextRel || !info.Relr {
		t.Errorf("%+v", info)
	}
	if !slices.Equal(info.Needed, []string{"a", "b"}) {
		t.Errorf("needed %q", info.Needed)
	}
}

func TestReadStack(t *testing.T) {
	for name, c := range map[string]struct {
		im                  elftest.Image
		present, executable bool
	}{
		"plain":      {elftest.Image{}, true, false},
		"executable": {elftest.Image{ExecStack: true}, true, true},
		"absent":     {elftest.Image{NoStack: true}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			present, executable := read(t, c.im.Bytes()).Stack()
			if present != c.present || executable != c.executable {
				t.Errorf("present %v, executable %v", present, executable)
			}
		})
	}
}

func TestReadOtherTypes(t *testing.T) {
	id := []byte("identify")
	for name, im := range map[string]elftest.Image{
		"static":       {Static: true, BuildID: id},
		"static exec":  {Static: true, Type: elf.ET_EXEC, BuildID: id},
		"object":       {Type: elf.ET_REL},
		"core":         {Type: elf.ET_CORE},
		"32 bits":      {Static: true, Machine: elf.EM_ARM, BuildID: id},
		"no sections":  {Static: true, NoSections: true, BuildID: id},
		"64 KiB pages": {Static: true, PageAlign: 1 << 16, BuildID: id},
	} {
		t.Run(name, func(t *testing.T) {
			info := read(t, im.Bytes())
			if info.Dynamic || info.Needed != nil || !bytes.Equal(info.BuildID, im.BuildID) {
				t.Errorf("%+v", info)
			}
			if im.Type != 0 && info.Type != im.Type {
				t.Errorf("type %v", info.Type)
			}
			if im.PageAlign != 0 && info.MaxAlign() != im.PageAlign {
				t.Errorf("alignment %#x", info.MaxAlign())
			}
		})
	}
}

func TestReadNotELF(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "short": "\x7fELF", "text": "#!/bin/sh\nexec true\n",
		"linker script": "/* GNU ld script */ GROUP ( /lib/libc.so.6 )",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := elfpatch.Read(strings.NewReader(content), int64(len(content)))
			if !errors.Is(err, elfpatch.ErrNotELF) {
				t.Errorf("%v, want ErrNotELF", err)
			}
		})
	}
}

// A failure to read is no defect of the file and is told as what it is.
func TestReadFailure(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	var path *os.PathError
	if _, err := elfpatch.Read(dir, 4096); !errors.As(err, &path) {
		t.Errorf("a directory: %v", err)
	}
	b := library().Bytes()
	errDisk := errors.New("bad sector")
	for from := range int64(len(b)) {
		src := &failing{b, from, errDisk}
		if _, err := elfpatch.Read(src, int64(len(b))); err != nil && !errors.Is(err, errDisk) {
			t.Fatalf("bad from %d: %v", from, err)
		}
		if _, err := elfpatch.ReadSymbols(src, int64(len(b))); err != nil && !errors.Is(err, errDisk) {
			t.Fatalf("symbols, bad from %d: %v", from, err)
		}
	}
}

// failing cannot be read from one offset on.
type failing struct {
	b    []byte
	from int64
	err  error
}

func (r *failing) ReadAt(b []byte, off int64) (int, error) {
	n := copy(b, r.b[min(off, r.from):r.from])
	if n < len(b) {
		return n, r.err
	}
	return n, nil
}

// A file may shrink between stat and read, or have been given a wrong size.
func TestReadShrunk(t *testing.T) {
	b := library().Bytes()
	var damaged *elfpatch.FormatError
	if _, err := elfpatch.Read(bytes.NewReader(b[:700]), int64(len(b))); !errors.As(err, &damaged) {
		t.Errorf("%v, want a FormatError", err)
	}
}

// TestTableAcrossSegments: patchelf puts a segment right before the first one of a program with fixed addresses, and
// a table may begin in the one and end in the other.
func TestTableAcrossSegments(t *testing.T) {
	im := library()
	im.BuildID = nil
	whole := im.Bytes()
	for _, tag := range []elf.DynTag{elf.DT_STRTAB, elf.DT_SYMTAB} {
		b := bytes.Clone(whole)
		k := breaker{t, b}
		cut := le.Uint64(k.entry(tag)[8:]) + 7
		size := k.get(elf.PT_LOAD, 0, pFilesz)
		second := k.header(elf.PT_GNU_STACK, 0)
		copy(second, k.header(elf.PT_LOAD, 0)[:56])
		k.set(elf.PT_LOAD, 0, pFilesz, cut)
		k.set(elf.PT_LOAD, 0, pMemsz, cut)
		for field, v := range map[int]uint64{pOffset: cut, pVaddr: cut, pFilesz: size - cut, pMemsz: size - cut} {
			le.PutUint64(second[field:], v)
		}
		want, got := read(t, whole), read(t, b)
		want.Segments, got.Segments = nil, nil
		require.Equal(t, want, got)
		symbols, err := elfpatch.ReadSymbols(bytes.NewReader(whole), int64(len(whole)))
		require.NoError(t, err)
		again, err := elfpatch.ReadSymbols(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err)
		require.Equal(t, symbols, again)

		le.PutUint64(second[pOffset:], cut+1) // side by side in memory alone
		_, err = elfpatch.ReadSymbols(bytes.NewReader(b), int64(len(b)))
		require.Error(t, err)
	}
}
