package elfpatch_test

import (
	"bytes"
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
