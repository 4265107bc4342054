package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// placesImage has every kind of place.
func placesImage(m elf.Machine) elftest.Image {
	return elftest.Image{
		Machine: m, Interp: "/the/interp", Needed: []string{"the-needed"}, Soname: "the-soname", RunPath: "/first:/the/run/path",
		Filter: []string{"the-filter"}, Dyn: []elftest.Dyn{{Tag: elf.DynTag(0x6f000001), Str: "the-unknown"}},
		Rodata: []byte("in rodata"), Debug: "in debug", Trailer: []byte("in trailer"),
		Symbols: []elftest.Symbol{
			{Name: "the_object", Type: elf.STT_OBJECT, Size: 64}, {Name: "thread", Type: elf.STT_TLS, Size: 1 << 20},
			{Name: "after", Type: elf.STT_OBJECT, Size: 8},
		},
	}
}

// TestReadPlaces: what each text of a file is in, whatever the class and byte order.
func TestReadPlaces(t *testing.T) {
	for _, m := range []elf.Machine{elf.EM_X86_64, elf.EM_ARM, elf.EM_S390, elf.EM_PPC} {
		b := placesImage(m).Bytes()
		texts := map[string]elfpatch.Place{
			"/the/interp":   {Section: ".interp", Mapped: true, Use: elfpatch.UseInterp},
			"the-needed":    {Section: ".dynstr", Mapped: true, Use: elfpatch.UseNeeded},
			"the-soname":    {Section: ".dynstr", Mapped: true, Use: elfpatch.UseSoname},
			"the-filter":    {Section: ".dynstr", Mapped: true, Use: elfpatch.UseNeeded},
			"/the/run/path": {Section: ".dynstr", Mapped: true, Use: elfpatch.UseRunPath},
			"the-unknown":   {Section: ".dynstr", Mapped: true, Use: elfpatch.UseDead},
			"the_object":    {Section: ".dynstr", Mapped: true, Use: elfpatch.UseDead},
			"in rodata":     {Section: ".rodata", Mapped: true},
			"in debug":      {Section: ".debug_str"},
			"in trailer":    {},
		}
		var offs []int64
		var want []elfpatch.Place
		for at := range b {
			for text, place := range texts {
				if strings.HasPrefix(string(b[at:]), text) {
					offs, want = append(offs, int64(at)), append(want, place)
				}
			}
		}
		require.Len(t, offs, len(texts))
		got, err := elfpatch.ReadPlaces(bytes.NewReader(b), int64(len(b)), offs)
		require.NoError(t, err)
		assert.Equal(t, want, got, m)
	}
}

// TestReadPlacesSymbol: the symbol is the one that covers the place, and of two the smaller.
func TestReadPlacesSymbol(t *testing.T) {
	im := placesImage(elf.EM_X86_64)
	im.Symbols = append(im.Symbols, elftest.Symbol{Name: "inner", Type: elf.STT_OBJECT, Size: 8})
	b := im.Bytes()
	file, err := elf.NewFile(bytes.NewReader(b))
	require.NoError(t, err)
	symbols, err := file.DynamicSymbols()
	require.NoError(t, err)
	at := map[string]elf.Symbol{}
	for _, s := range symbols {
		at[s.Name] = s
	}
	data, table := file.Section(".data"), file.Section(".dynsym")
	off := func(addr uint64) int64 { return int64(addr - data.Addr + data.Offset) }
	for i, s := range symbols { // inner moves into the_object
		if s.Name == "inner" {
			binary.LittleEndian.PutUint64(b[table.Offset+uint64(i+1)*24+8:], at["the_object"].Value+16)
		}
	}
	first := off(at["the_object"].Value)
	got, err := elfpatch.ReadPlaces(bytes.NewReader(b), int64(len(b)), []int64{first, first + 15, first + 16, first + 23, first + 24, first + 63})
	require.NoError(t, err)
	var names []string
	for _, p := range got {
		names = append(names, p.Symbol)
	}
	assert.Equal(t, []string{"the_object", "the_object", "inner", "inner", "the_object", "the_object"}, names)
}

// FuzzReadPlaces: a damaged file is an error, or has places.
func FuzzReadPlaces(f *testing.F) {
	for _, b := range fixtures() {
		f.Add(b)
	}
	f.Add(placesImage(elf.EM_X86_64).Bytes())
	f.Add(placesImage(elf.EM_PPC).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		var offs []int64
		for at := 0; at < len(b); at += 97 {
			offs = append(offs, int64(at))
		}
		got, err := elfpatch.ReadPlaces(bytes.NewReader(b), int64(len(b)), offs)
		require.True(t, err != nil || len(got) == len(offs))
	})
}
