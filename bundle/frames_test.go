package bundle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// frames packs data in writes of n bytes with a cut at every offset in cuts.
func frames(t *testing.T, data []byte, n, workers int, cuts ...int) []byte {
	t.Helper()
	var out bytes.Buffer
	s, err := newFrameStream(&out, LevelFastest, workers)
	require.NoError(t, err)
	defer s.abort()
	at := 0
	for at < len(data) {
		end := min(at+n, len(data))
		if len(cuts) > 0 && cuts[0] <= end {
			end, cuts = cuts[0], cuts[1:]
			require.NoError(t, putBytes(s, data[at:end]))
			require.NoError(t, s.cut())
		} else {
			require.NoError(t, putBytes(s, data[at:end]))
		}
		at = end
	}
	require.NoError(t, s.close())
	in, written := s.written()
	require.EqualValues(t, len(data), in)
	require.EqualValues(t, out.Len(), written)
	return out.Bytes()
}

// sample is n bytes of which most repeat what went before.
func sample(n int) []byte {
	r := rand.New(rand.NewPCG(7, 7))
	b := make([]byte, n)
	for i := range b[:min(n, 1<<16)] {
		b[i] = byte(r.Uint32())
	}
	for at := 1 << 16; at < n; at += 1 << 16 {
		copy(b[at:], b[:1<<16])
		b[at] = byte(r.Uint32())
	}
	return b
}

func TestFramesWriteSizes(t *testing.T) {
	data := sample(2*frameSize + 12345)
	want := sha256.Sum256(frames(t, data, len(data), 1))
	for workers, n := range []int{chunkSize, 7777, chunkSize + 1, frameSize} {
		require.Equal(t, want, sha256.Sum256(frames(t, data, n, workers)), "writes of %d, %d workers", n, workers)
	}
}

func TestFramesRoundTrip(t *testing.T) {
	dec, err := zstd.NewReader(nil)
	require.NoError(t, err)
	for _, n := range []int{0, 1, 255, 256, 1 << 16, 1<<16 + 255, frameSize, frameSize + 1} {
		data := sample(n)
		packed := frames(t, data, chunkSize, 2)
		got, err := dec.DecodeAll(packed, nil)
		require.NoError(t, err, n)
		require.True(t, bytes.Equal(data, got), n)
	}
}

// TestFramesSeek: each frame of the table stands alone, with its size and a checksum.
func TestFramesSeek(t *testing.T) {
	data := sample(frameSize + 5000)
	packed := frames(t, data, chunkSize, 2, 1000, frameSize/2, frameSize+4000)
	table, err := readSeekTable(bytes.NewReader(packed), int64(len(packed)))
	require.NoError(t, err)
	dec, err := zstd.NewReader(nil)
	require.NoError(t, err)
	var sizes []int
	off, at := 0, 0
	for _, e := range table {
		var h zstd.Header
		frame := packed[off : off+int(e.packed)]
		require.NoError(t, h.Decode(frame))
		require.True(t, h.HasCheckSum && h.HasFCS)
		require.EqualValues(t, e.raw, h.FrameContentSize)
		require.LessOrEqual(t, h.WindowSize, uint64(windowSize))
		got, err := dec.DecodeAll(frame, nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data[at:at+int(e.raw)], got))
		off, at, sizes = off+int(e.packed), at+int(e.raw), append(sizes, int(e.raw))
	}
	require.Equal(t, []int{1000, frameSize/2 - 1000, frameSize/2 + 4000, 1000}, sizes)
}

func TestFramesAbort(t *testing.T) {
	for range 20 {
		s, err := newFrameStream(io.Discard, LevelFastest, 2)
		require.NoError(t, err)
		for range rand.N(4) {
			require.NoError(t, putBytes(s, sample(1<<20)))
			require.NoError(t, s.cut())
		}
		s.abort()
		s.abort()
	}
}

func TestSeekTableHostile(t *testing.T) {
	good := appendSeekTable([]byte("0123456789"), []extent{{4, 100}, {6, 200}})
	read := func(b []byte) ([]extent, error) { return readSeekTable(bytes.NewReader(b), int64(len(b))) }
	frames, err := read(good)
	require.NoError(t, err)
	require.Equal(t, []extent{{4, 100}, {6, 200}}, frames)
	for n := range good {
		_, err := read(good[:n])
		require.Error(t, err, n)
	}
	for i := 10; i < len(good); i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 0xff
		frames, err := read(bad)
		if err == nil { // the sizes before compression are only claims
			require.Len(t, frames, 2, fmt.Sprint(i))
		}
	}
	// Checksums are passed over.
	sums := appendSeekTable(nil, nil)
	sums = append(append(sums[:8:8], 4, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3, 4), sums[8:]...)
	sums[4], sums[20], sums[24] = 21, 1, seekChecksums
	frames, err = read(append([]byte("abcd"), sums...))
	require.NoError(t, err)
	require.Equal(t, []extent{{4, 9}}, frames)
}
