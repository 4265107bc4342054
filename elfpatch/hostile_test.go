package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// maxAlloc is what one call may allocate for a small file, however hostile.
const maxAlloc = 64 << 20

// readBoth calls Read and ReadSymbols; what they say does not matter here, only that they return,
// and with what memory.
func readBoth(t testing.TB, what string, b []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	readQuietly(b)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > maxAlloc {
		t.Errorf("%s: %d bytes allocated", what, n)
	}
}

func readQuietly(b []byte) {
	elfpatch.Read(bytes.NewReader(b), int64(len(b)))
	elfpatch.ReadSymbols(bytes.NewReader(b), int64(len(b)))
}

// Every prefix of every file gives an answer or an error.
func TestPrefixes(t *testing.T) {
	for name, b := range fixtures() {
		for n := range b {
			readQuietly(b[:n])
		}
		readBoth(t, name, b[:len(b)/2])
	}
}

// The seeds are fixed: a failure names the mutation that makes it again.
func TestMutations(t *testing.T) {
	count := 10_000
	if testing.Short() {
		count = 1_000
	}
	for name, b := range fixtures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(uint64(crc32.ChecksumIEEE([]byte(name))), 1))
			for i := range count {
				mutation := mutate(rng, b)
				if i%100 == 0 { // to measure is slower than to read
					readBoth(t, fmt.Sprintf("mutation %d", i), mutation)
				} else {
					readQuietly(mutation)
				}
			}
		})
	}
}

// mutate changes one to eight numbers to values that are likely to hurt.
func mutate(rng *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	values := []uint64{
		0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x1000, 0x7fff, 0xffff,
		1 << 31, 1<<31 - 1, 1<<32 - 1, 1 << 32, 1 << 63, 1<<63 - 1, 1<<64 - 1,
	}
	for range 1 + rng.IntN(8) {
		v := values[rng.IntN(len(values))]
		switch rng.IntN(4) {
		case 0:
			v = rng.Uint64N(uint64(2 * len(b)))
		case 1:
			v = rng.Uint64()
		}
		var number [8]byte
		order := []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}[rng.IntN(2)]
		width := 1 << rng.IntN(4)
		order.PutUint64(number[:], v)
		from := number[:width]
		if order == binary.BigEndian {
			from = number[8-width:]
		}
		at := rng.IntN(len(b))
		if rng.IntN(2) == 0 { // the headers steer all the rest
			at = rng.IntN(min(len(b), 700))
		}
		copy(b[at&^(width-1):], from)
	}
	return b
}

// Many entries that name one long string must not become many long strings.
func TestLongStringNamedOften(t *testing.T) {
	im := elftest.Image{Needed: []string{strings.Repeat("a", 1<<20-2)}} // at offset 1 of the table
	for range 10_000 {
		im.Dyn = append(im.Dyn, elftest.Dyn{Tag: elf.DT_NEEDED, Val: 1})
	}
	b := im.Bytes()
	_, err := elfpatch.Read(bytes.NewReader(b), int64(len(b)))
	wantDamage(t, err)
	readBoth(t, "one string, many names", b)
}

func TestNamesOverlap(t *testing.T) {
	im := elftest.Image{Symbols: []elftest.Symbol{{Name: strings.Repeat("a", 1<<20)}}}
	for i := range 2000 {
		im.Symbols = append(im.Symbols, elftest.Symbol{Name: fmt.Sprint(i)})
	}
	b := im.Bytes()
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	table := f.Section(".dynsym")
	names, _ := f.Section(".dynstr").Data()
	long := bytes.Index(names, []byte("aaa"))
	for at := table.Offset; at < table.Offset+table.Size; at += table.Entsize {
		binary.LittleEndian.PutUint32(b[at:], uint32(long))
	}
	_, err = elfpatch.ReadSymbols(bytes.NewReader(b), int64(len(b)))
	wantDamage(t, err)
	readBoth(t, "overlapping names", b)
}

// A chain of records that bites its tail ends.
func TestVersionLoops(t *testing.T) {
	im := library()
	im.NoSections = true
	b := im.Bytes()
	for at := 0; at+4 <= len(b); at += 4 {
		for _, next := range []uint32{1, 1 << 31, ^uint32(0) - 15, ^uint32(0) - 27} {
			changed := slices.Clone(b)
			binary.LittleEndian.PutUint32(changed[at:], next)
			readQuietly(changed)
		}
	}
}

func wantDamage(t *testing.T, err error) {
	t.Helper()
	if _, ok := err.(*elfpatch.FormatError); !ok {
		t.Errorf("%v, want a FormatError", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, b := range fixtures() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := elfpatch.Read(bytes.NewReader(b), int64(len(b)))
		if (info == nil) == (err == nil) {
			t.Errorf("%v, %v", info, err)
		}
		if err == nil && !info.Dynamic && (info.Soname != "" || info.Needed != nil) {
			t.Errorf("names without a dynamic section: %+v", info)
		}
	})
}

func FuzzReadSymbols(f *testing.F) {
	for _, b := range fixtures() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		symbols, err := elfpatch.ReadSymbols(bytes.NewReader(b), int64(len(b)))
		if err == nil && len(symbols) > len(b)/16 {
			t.Errorf("%d symbols in %d bytes", len(symbols), len(b))
		}
	})
}
