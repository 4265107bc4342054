package elfpatch_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

// cacheSections counts the section headers of the note.
func cacheSections(t testing.TB, b []byte) int {
	t.Helper()
	list, err := elfpatch.ReadSections(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	n := 0
	for _, s := range list {
		if s.Name == ".note.nixos.ldcache" {
			n++
		}
	}
	return n
}

// A cache is there until what it was made for changes, wherever it found room.
func TestApplyCache(t *testing.T) {
	cache := "libc.so.6\x00=/nix/store/x/lib/libc.so.6\x00\x00"
	for name, flavour := range flavours() {
		for _, desc := range []string{cache, strings.Repeat(cache, 300)} {
			in := ofKind(library(), flavour)
			b := apply(t, in.Bytes(), elfpatch.Edit{Cache: desc})
			require.Equal(t, desc, read(t, b).Cache(), name)
			require.Equal(t, 1, cacheSections(t, b))
			b = apply(t, b, elfpatch.Edit{Soname: "libother.so.9"})
			require.Equal(t, desc, read(t, b).Cache())
			b = apply(t, b, elfpatch.Edit{Cache: desc + desc})
			require.Equal(t, desc+desc, read(t, b).Cache())
			require.Equal(t, 1, cacheSections(t, b))
			size := len(b)
			for _, e := range []elfpatch.Edit{{RunPath: longPath}, {AddNeeded: []string{"libnew.so"}}, {RemoveRunPath: true}} {
				dropped := apply(t, b, e)
				require.Empty(t, read(t, dropped).Cache())
				require.Zero(t, cacheSections(t, dropped))
				require.NotContains(t, string(dropped), "/nix/store/x")
				again := apply(t, dropped, elfpatch.Edit{Cache: desc})
				require.Equal(t, desc, read(t, again).Cache())
				require.LessOrEqual(t, len(again), size+8*len(longPath))
			}
			kept := apply(t, b, elfpatch.Edit{RemoveNeeded: []string{"libabsent.so"}})
			require.Equal(t, desc+desc, read(t, kept).Cache())
		}
	}
}

// TestGrowthWithHeaders: an edit that needs a program header and a longer string table moves that once, and its
// section header with it; the edits of one file need not be refused where each of them is possible.
func TestGrowthWithHeaders(t *testing.T) {
	edits := map[string]elfpatch.Edit{
		"cache": {Cache: "libc.so.6\x00/lib/libc.so.6\x00\x00"}, "stack": {ExecStack: new(bool)}, "needed": {AddNeeded: manyNames(14)},
		"all": {Cache: "libc.so.6\x00/lib/libc.so.6\x00\x00", ExecStack: new(bool), AddNeeded: manyNames(14)},
	}
	moved := 0
	for name, in := range fixtures() {
		info, err := elfpatch.Read(bytes.NewReader(in), int64(len(in)))
		if err != nil || !info.Dynamic {
			continue
		}
		for what, e := range edits {
			for _, n := range []int{1, 2, 8, 12, 48} {
				e.RunPath = strings.TrimPrefix(strings.Repeat(":/nix/store/00000000000000000000000000000000-package-1.2.3/lib", n), ":")
				var img *elfpatch.Image
				if img, err = elfpatch.Apply(bytes.NewReader(in), int64(len(in)), e); errors.Is(err, elfpatch.ErrUnsupported) {
					require.NotContains(t, err.Error(), "patched file", "%s, %s, %d", name, what, n)
					continue
				}
				require.NoError(t, err, "%s, %s, %d", name, what, n)
				var out bytes.Buffer
				_, err = img.WriteTo(&out)
				require.NoError(t, err)
				checkDefects(t, name, in, out.Bytes())
				off, size, err := elfpatch.DynamicStrings(bytes.NewReader(out.Bytes()), int64(out.Len()))
				require.NoError(t, err)
				sections, err := elfpatch.ReadSections(bytes.NewReader(out.Bytes()), int64(out.Len()))
				require.NoError(t, err)
				for _, s := range sections {
					if s.Name == ".dynstr" {
						require.Equal(t, [2]int64{off, size}, [2]int64{int64(s.Off), int64(s.Size)}, "%s, %s, %d", name, what, n)
						moved++
					}
				}
			}
		}
	}
	require.Greater(t, moved, 100)
}

// manyNames are names of libraries.
func manyNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("libneeded-number-%d.so.1", i))
	}
	return names
}
