package elfpatch_test

import (
	"bytes"
	"cmp"
	"debug/elf"
	"slices"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

func symbolsOf(t testing.TB, b []byte) []elfpatch.Symbol {
	t.Helper()
	symbols, err := elfpatch.ReadSymbols(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return symbols
}

func TestReadSymbolsFlavours(t *testing.T) {
	for name, flavour := range flavours() {
		for _, hash := range []elftest.Hash{elftest.HashBoth, elftest.HashGNU, elftest.HashSysV, elftest.HashNone} {
			t.Run(name, func(t *testing.T) {
				im := ofKind(library(), flavour)
				im.Hash = hash
				checkSymbols(t, symbolsOf(t, im.Bytes()), im.Symbols)
				prog := ofKind(program(), flavour)
				prog.Hash = hash
				checkSymbols(t, symbolsOf(t, prog.Bytes()), prog.Symbols)
				// Without section headers an empty DT_GNU_HASH does not tell how many there are.
				im.NoSections, prog.NoSections = true, true
				checkSymbols(t, symbolsOf(t, im.Bytes()), im.Symbols)
				checkSymbols(t, symbolsOf(t, prog.Bytes()), prog.Symbols)
			})
		}
	}
}

// checkSymbols compares what was read with what was asked for, in whatever order.
func checkSymbols(t *testing.T, got []elfpatch.Symbol, want []elftest.Symbol) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d symbols, want %d", len(got), len(want))
	}
	for _, w := range want {
		i := slices.IndexFunc(got, func(s elfpatch.Symbol) bool { return s.Name == w.Name && s.Version == w.Version })
		if i < 0 {
			t.Errorf("no %s@%s", w.Name, w.Version)
			continue
		}
		checkSymbol(t, &got[i], &w)
	}
}

func checkSymbol(t *testing.T, g *elfpatch.Symbol, w *elftest.Symbol) {
	t.Helper()
	if g.Defined() == w.Undefined || g.Hidden != w.Hidden || g.Size != w.Size || g.Visibility != w.Visibility {
		t.Errorf("%+v, want %+v", g, w)
	}
	if w.Bind != 0 && g.Bind != w.Bind || w.Type != 0 && g.Type != w.Type || w.Local != (g.Bind == elf.STB_LOCAL) {
		t.Errorf("%+v, want %+v", g, w)
	}
	if exported := !w.Undefined && !w.Local && w.Visibility != elf.STV_HIDDEN; g.Exported() != exported {
		t.Errorf("%s: exported %v", g.Name, g.Exported())
	}
	if w.Undefined && w.Version != "" && g.VersionFile != "libc.so.6" {
		t.Errorf("%s: version of %q", g.Name, g.VersionFile)
	}
}

func TestReadSymbolsNone(t *testing.T) {
	for name, im := range map[string]elftest.Image{
		"no symbols": {}, "static": {Static: true}, "object": {Type: elf.ET_REL}, "core": {Type: elf.ET_CORE},
		"no symbols, no hash": {Hash: elftest.HashNone, NoSections: true},
	} {
		t.Run(name, func(t *testing.T) {
			if symbols := symbolsOf(t, im.Bytes()); len(symbols) != 0 {
				t.Errorf("%+v", symbols)
			}
		})
	}
}

// debug/elf reads the same tables by section headers.
func TestReadSymbolsLikeDebugELF(t *testing.T) {
	total := 0
	for _, name := range realFiles(t, 150) {
		file, size := openFile(t, name)
		f, err := elf.NewFile(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, _ := f.DynamicSymbols()
		if s := f.SectionByType(elf.SHT_DYNSYM); s == nil {
			want = nil // debug files
		}
		got, err := elfpatch.ReadSymbols(file, size)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		total += len(got)
		compareSymbols(t, name, got, want)
	}
	t.Logf("%d symbols", total)
}

func compareSymbols(t *testing.T, name string, got []elfpatch.Symbol, want []elf.Symbol) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d symbols, debug/elf has %d", name, len(got), len(want))
		return
	}
	for i, w := range want {
		if g := asDebugELF(&got[i]); g != withoutBase(w) {
			t.Errorf("%s: symbol %d is %+v, debug/elf has %+v", name, i, g, w)
			return
		}
	}
}

func asDebugELF(s *elfpatch.Symbol) elf.Symbol {
	return elf.Symbol{
		Name: s.Name, Info: elf.ST_INFO(s.Bind, s.Type), Other: byte(s.Visibility), Section: s.Section,
		Value: s.Value, Size: s.Size, Version: s.Version, Library: s.VersionFile,
	}
}

// withoutBase drops what elfpatch does not report: the bits of st_other beside the visibility, and
// versions of symbols that have none. debug/elf gives the base version a name.
func withoutBase(s elf.Symbol) elf.Symbol {
	s.Other &= 3
	if s.VersionIndex.Index() < 2 {
		s.Version, s.Library = "", ""
	}
	s.HasVersion, s.VersionIndex = false, 0
	return s
}

func TestReadSymbolsOrder(t *testing.T) {
	im := elftest.Image{Symbols: []elftest.Symbol{{Name: "b"}, {Name: "a", Undefined: true}, {Name: "own", Local: true}}}
	b := im.Bytes()
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := f.DynamicSymbols()
	got := symbolsOf(t, b)
	byName := func(g elfpatch.Symbol, w elf.Symbol) int { return cmp.Compare(g.Name, w.Name) }
	if slices.CompareFunc(got, want, byName) != 0 {
		t.Errorf("%v, want %v", got, want)
	}
}
