package elfpatch

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTableText: a table that is read page by page says what it would in memory, across pages and chunks too.
func TestTableText(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const off = 77
	want := make([]byte, 2*chunk+300)
	for i := range want {
		want[i] = byte(random.IntN(3)) // many NULs, and few different strings
	}
	file := append(make([]byte, off), want...)
	text := newTableText(bytes.NewReader(file), off, len(want))
	edge := func() int { return random.IntN(len(want)/pageSize+1)*pageSize + random.IntN(13) - 6 } // at one of a page
	for i := range 300 {
		if i%50 == 49 { // the table grows, perhaps over a page
			more := bytes.Repeat([]byte{3, 0}, 900)
			text.write(len(want), more)
			want = append(want, more...)
		}
		at := min(max(edge(), 0), len(want)-1)
		b := bytes.Repeat([]byte{byte(1 + random.IntN(2))}, 1+random.IntN(12))
		if random.IntN(3) == 0 {
			text.write(at, b)
			want = append(want[:at], append(b, want[min(at+len(b), len(want)):]...)...)
		}
		require.Equal(t, len(want), text.end)
		at = min(at, len(want)-1)
		require.Equal(t, want[at], text.byte(at))
		nul := bytes.IndexByte(want[at:], 0)
		if nul < 0 {
			nul = len(want) - at
		}
		require.Equal(t, at+nul, text.nul(at))
		require.Equal(t, bytes.LastIndexByte(want[:at], 0), text.nulBefore(at))
		require.Equal(t, at+nul < len(want), text.holds(at, string(want[at:at+nul])))
		require.False(t, text.holds(at, string(want[at:at+nul])+"x"))
	}
	for _, at := range []int{0, pageSize - 3, chunk - 5, chunk, 2*chunk - 9, len(want) - 12} {
		mark := []byte("abcdefghijk\x00")
		text.write(at, mark)
		copy(want[at:], mark)
		require.Equal(t, at, text.index(mark, 0, text.end))
		require.Equal(t, -1, text.index(mark, at+1, text.end))
		require.Equal(t, -1, text.index(mark, 0, at+len(mark)-1))
		text.write(at, make([]byte, len(mark)))
		copy(want[at:], make([]byte, len(mark)))
	}
	require.Equal(t, want, text.bytes())
	long := bytes.Repeat([]byte{9}, chunk) // longer than half of what is read at a time
	text.write(1000, long)
	require.Equal(t, 1000, text.index(long, 0, text.end))
	require.NoError(t, text.err)
}
