package elfpatch_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

var payload = bytes.Repeat([]byte("payload"), 1000)

// An edit in place leaves a payload behind the file alone, whatever it says of it.
func TestTrailerStays(t *testing.T) {
	im := library()
	im.Trailer = payload
	for _, trailer := range []elfpatch.Trailer{elfpatch.TrailerRefuse, elfpatch.TrailerAtEnd, elfpatch.TrailerBefore} {
		b := apply(t, im.Bytes(), elfpatch.Edit{RunPath: "$ORIGIN", Trailer: trailer})
		require.True(t, bytes.HasSuffix(b, payload))
		require.Len(t, b, len(im.Bytes()))
	}
}

// far is an edit that makes the file grow.
func far(n int, trailer elfpatch.Trailer) elfpatch.Edit {
	return elfpatch.Edit{RunPath: strings.Repeat("/far", 1000+n), Trailer: trailer}
}

func TestTrailerRefused(t *testing.T) {
	im := library()
	im.Trailer = payload
	_, err := applyBytes(im.Bytes(), far(0, elfpatch.TrailerRefuse))
	require.ErrorIs(t, err, elfpatch.ErrUnsupported)
	require.ErrorContains(t, err, "7000 bytes that are no part of the ELF image")
}

// Growth before the payload, and growth behind it, time and again.
func TestTrailerGrowth(t *testing.T) {
	for name, flavour := range flavours() {
		im := ofKind(library(), flavour)
		im.Trailer = payload
		in := im.Bytes()
		t.Run(name+" at end", func(t *testing.T) {
			b := in
			for _, n := range []int{0, 300, 10, 500} {
				b = apply(t, b, far(n, elfpatch.TrailerAtEnd))
				require.True(t, bytes.HasSuffix(b, payload))
				require.Equal(t, 1, bytes.Count(b, payload))
			}
			require.LessOrEqual(t, len(b), len(in)+2*4*1500)
		})
		t.Run(name+" before", func(t *testing.T) {
			b := in
			for _, n := range []int{0, 300, 10, 500} {
				b = apply(t, b, far(n, elfpatch.TrailerBefore))
				require.Equal(t, payload, b[len(in)-len(payload):len(in)])
			}
		})
	}
}

// A payload that moves is written over itself without harm.
func TestTrailerWritten(t *testing.T) {
	im := library()
	im.Trailer = nil
	for i := range 1 << 17 {
		im.Trailer = fmt.Appendf(im.Trailer, "%07d\n", i)
	}
	for _, o := range []elfpatch.WriteOptions{{}, {InPlace: true}} {
		name := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(name, im.Bytes(), 0o755))
		src, err := os.Open(name)
		require.NoError(t, err)
		defer src.Close()
		img, err := elfpatch.Apply(src, int64(len(im.Bytes())), far(0, elfpatch.TrailerAtEnd))
		require.NoError(t, err)
		want := imageBytes(t, img)
		require.NoError(t, elfpatch.WriteFile(src, img, o))
		require.True(t, bytes.Equal(want, readFile(t, name)))
		require.True(t, bytes.HasSuffix(want, im.Trailer))
	}
}
