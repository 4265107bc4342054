package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

func readLookup(b []byte) (*elfpatch.Symbols, error) {
	info, err := elfpatch.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return info.ReadLookup(bytes.NewReader(b), int64(len(b)))
}

// relocsOf holds types of relocations by machine: jump slot, address, thread-local, and one without
// a lookup.
var relocsOf = map[elf.Machine][4]uint32{
	elf.EM_X86_64:  {7, 6, 16, 8},
	elf.EM_386:     {7, 6, 35, 8},
	elf.EM_AARCH64: {1026, 1025, 1028, 1027},
	elf.EM_ARM:     {22, 21, 17, 23},
	elf.EM_RISCV:   {5, 2, 7, 3},
	elf.EM_PPC64:   {21, 20, 68, 22},
	elf.EM_S390:    {11, 10, 54, 12},
}

func TestReferences(t *testing.T) {
	for machine, types := range relocsOf {
		for _, hash := range []elftest.Hash{elftest.HashBoth, elftest.HashGNU, elftest.HashSysV} {
			im := elftest.Image{Machine: machine, Hash: hash, NoSections: true, Symbols: []elftest.Symbol{
				{Name: "defined", Relocs: []uint32{types[1]}},
				{Name: "called", Undefined: true, Relocs: []uint32{types[0], types[1]}},
				{Name: "tls", Undefined: true, Relocs: []uint32{types[2]}},
				{Name: "relative", Undefined: true, Relocs: []uint32{types[3]}},
			}}
			s, err := readLookup(im.Bytes())
			if err != nil {
				t.Fatalf("%v: %v", machine, err)
			}
			var got []string
			for _, ref := range s.References() {
				got = append(got, fmt.Sprintf("%s %v", s.Name(int(ref.Symbol)), ref.Class))
				if want := ref.Name == "defined" && hash != elftest.HashSysV; s.Finds(&ref) != want {
					t.Errorf("%v, hash %v, %s: whether it is found must be %v", machine, hash, ref.Name, want)
				}
			}
			slices.Sort(got)
			if want := []string{"called call", "called data", "defined data", "tls tls"}; !slices.Equal(got, want) {
				t.Errorf("%v: got %q, want %q", machine, got, want)
			}
			found := 0
			for hashOf, symbol := range s.Hashes() {
				h := s.Hashed(hashOf, symbol)
				if found++; hash != elftest.HashSysV && !s.HasName(&h, "defined") || s.HasName(&h, "define") {
					t.Errorf("%v: a lookup finds %q", machine, s.Name(int(symbol)))
				}
			}
			if hash != elftest.HashSysV && found != 1 {
				t.Errorf("%v: %d symbols found", machine, found)
			}
		}
	}
}

func TestReferencesUnknownMachine(t *testing.T) {
	im := elftest.Image{Machine: elf.EM_MIPS, Symbols: []elftest.Symbol{{Name: "a", Undefined: true, Relocs: []uint32{3}}}}
	if _, err := readLookup(im.Bytes()); !errors.Is(err, elfpatch.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// lookupSeeds are files with every table that ReadLookup reads.
func lookupSeeds() [][]byte {
	im := elftest.Image{Soname: "liba.so", Needed: []string{"libc.so.6"}, Symbols: []elftest.Symbol{
		{Name: "defined", Version: "A_1", Relocs: []uint32{6}},
		{Name: "older", Version: "A_0", Hidden: true},
		{Name: "called", Undefined: true, Version: "C_1", Relocs: []uint32{6, 7}},
	}}
	sysv, small := im, im
	sysv.Hash, sysv.NoSections = elftest.HashSysV, true
	small.Machine, small.Hash = elf.EM_ARM, elftest.HashGNU
	return [][]byte{im.Bytes(), sysv.Bytes(), small.Bytes()}
}

// useLookup reads a file and asks all there is to ask.
func useLookup(b []byte) {
	s, err := readLookup(b)
	if err != nil {
		return
	}
	for _, ref := range s.References() {
		s.Symbol(int(ref.Symbol))
		s.Wanted(int(ref.Symbol))
	}
	for hash, symbol := range s.Hashes() {
		s.Symbol(int(symbol))
		h := s.Hashed(hash, symbol)
		s.HasName(&h, "x")
		s.VersionOf(&h)
	}
}

// TestLookupHostile: whatever stands in a file, there is an error or an answer, and soon.
func TestLookupHostile(t *testing.T) {
	for i, seed := range lookupSeeds() {
		for n := range seed {
			useLookup(seed[:n])
		}
		random := rand.New(rand.NewPCG(uint64(i), 4))
		for range 20000 {
			b := bytes.Clone(seed)
			for range 1 + random.IntN(6) {
				b[random.IntN(len(b))] = byte(random.Uint32())
			}
			useLookup(b)
		}
	}
}

func FuzzReadLookup(f *testing.F) {
	for _, seed := range lookupSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, b []byte) { useLookup(b) })
}
