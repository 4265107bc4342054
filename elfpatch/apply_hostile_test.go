package elfpatch_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// hostileEdits reach every pass.
func hostileEdits() []elfpatch.Edit {
	return []elfpatch.Edit{
		{RunPath: "$ORIGIN"},
		{RunPath: longPath, Interp: "/" + strings.Repeat("long", 30), AddNeeded: []string{"libadded.so"}},
		{RunPath: longPath, Loader: "../" + strings.Repeat("far/", 20) + "ld.so"},
		{RemoveRunPath: true, RemoveNeeded: []string{"libc.so.6"}},
		{ReplaceNeeded: map[string]string{"libc.so.6": "libsomething-else.so.6"}, Soname: "lib" + strings.Repeat("n", 99), RPath: true},
	}
}

// applyQuietly edits b; a result must say what was wished, else there must be an error.
func applyQuietly(t testing.TB, what string, b []byte, e elfpatch.Edit) {
	img, err := applyBytes(b, e)
	if err != nil {
		return
	}
	var out bytes.Buffer
	if _, err := img.WriteTo(&out); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	info, err := elfpatch.Read(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatalf("%s: result: %v", what, err)
	}
	got := info.RunPath
	if e.RPath {
		got = info.RPath
	}
	if e.RunPath != "" && got != e.RunPath || e.Interp != "" && info.Interp != e.Interp || e.Soname != "" && info.Soname != e.Soname {
		t.Fatalf("%s: the result does not say %+v", what, e)
	}
	checkDefects(t, what, b, out.Bytes())
	again, err := applyBytes(out.Bytes(), e)
	if err != nil || again.Changed() {
		t.Fatalf("%s: the same edit again: %v", what, err)
	}
}

// Damaged files give an error or a sound result, never a panic, and cost little memory.
func TestApplyMutations(t *testing.T) {
	count := 3000
	if testing.Short() {
		count = 100
	}
	for name, b := range fixtures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(uint64(crc32.ChecksumIEEE([]byte(name))), 2))
			for i := range count {
				mutation, edits := mutate(rng, b), hostileEdits()
				what := fmt.Sprintf("mutation %d", i)
				applyQuietly(t, what, mutation, edits[i%len(edits)])
			}
		})
	}
}

// The memory is that of the tables, which are no larger than the file.
func TestApplyMemory(t *testing.T) {
	for name, b := range fixtures() {
		rng := rand.New(rand.NewPCG(uint64(crc32.ChecksumIEEE([]byte(name))), 3))
		for i := range 40 {
			mutation, edits := mutate(rng, b), hostileEdits()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			applyQuietly(t, name, mutation, edits[i%len(edits)])
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > maxAlloc {
				t.Errorf("%s, mutation %d: %d bytes allocated", name, i, n)
			}
		}
	}
}

// Every prefix of every file gives a sound result or an error.
func TestApplyPrefixes(t *testing.T) {
	for name, b := range fixtures() {
		for n := 0; n < len(b); n += 7 {
			for _, e := range hostileEdits() {
				applyQuietly(t, fmt.Sprintf("%s, %d bytes", name, n), b[:n], e)
			}
		}
	}
}

func FuzzApply(f *testing.F) {
	for _, b := range fixtures() {
		f.Add(b, byte(0), "$ORIGIN/../lib")
		f.Add(b, byte(3), longPath)
	}
	f.Fuzz(func(t *testing.T, b []byte, kind byte, text string) {
		e := hostileEdits()[int(kind)%len(hostileEdits())]
		if kind&4 != 0 {
			e.RunPath, e.RemoveRunPath, e.Interp = text, false, ""
		}
		applyQuietly(t, "fuzz", b, e)
	})
}
