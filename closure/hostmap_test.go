//go:build linux && (amd64 || arm64 || riscv64)

package closure

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const mapTestSize = 3*mapWindow + 5000

// mapTest is a file in a root of this machine.
func mapTest(t *testing.T) (root *hostRoot, name string, bytes []byte) {
	t.Helper()
	dir := t.TempDir()
	bytes = make([]byte, mapTestSize)
	for i := range bytes {
		bytes[i] = byte(i>>12 + i)
	}
	name = filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(name, bytes, 0o644))
	fsys, err := OpenRoot(dir)
	require.NoError(t, err)
	root, ok := fsys.(*hostRoot)
	if !ok {
		t.Skip("the kernel has no openat2")
	}
	return root, name, bytes
}

// open opens the file as a packer does.
func (r *hostRoot) openTest(t *testing.T) *hostFile {
	t.Helper()
	f, err := r.Open("file")
	require.NoError(t, err)
	_, err = f.Stat()
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f.(*hostFile)
}

// writerFunc is a Writer.
type writerFunc func(p []byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// TestMapped: a file that was looked through is read from memory afterwards, and has the same bytes.
func TestMapped(t *testing.T) {
	root, name, want := mapTest(t)
	f := root.openTest(t)
	require.Nil(t, f.mapped)
	var got bytes.Buffer
	require.NoError(t, eachPiece(f, mapTestSize, &got))
	require.True(t, bytes.Equal(want, got.Bytes()))

	f = root.openTest(t)
	require.NotNil(t, f.mapped)
	b := make([]byte, 100_000)
	for _, off := range []int64{0, 4095, mapWindow - 50_000, 2*mapWindow - 1, mapTestSize - 100_000} {
		n, err := f.ReadAt(b, off)
		require.NoError(t, err)
		require.True(t, n == len(b) && bytes.Equal(want[off:off+int64(n)], b), off)
	}
	n, err := f.ReadAt(b, mapTestSize-10)
	assert.Equal(t, 10, n)
	assert.ErrorIs(t, err, io.EOF)
	_, err = f.ReadAt(b, -1)
	assert.Error(t, err)

	require.NoError(t, os.WriteFile(name, want[1:], 0o644))
	f = root.openTest(t)
	assert.Nil(t, f.mapped, "the file is another")
	n, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(want[1:1+n], b))
}

// TestMappedCut: a file that is cut under a reader is an error and not the end of the process.
func TestMappedCut(t *testing.T) {
	for _, left := range []int64{0, 100, mapWindow + 1, mapTestSize - 1} {
		root, name, _ := mapTest(t)
		seen := 0
		err := eachPiece(root.openTest(t), mapTestSize, writerFunc(func(p []byte) (int, error) {
			if seen == 0 {
				require.NoError(t, os.Truncate(name, left))
			}
			seen += len(p)
			_, err := NewScanner("").Write(p)
			return len(p), err
		}))
		assert.ErrorIs(t, err, ErrChanged, "looked through, cut to %d", left)

		root, name, _ = mapTest(t)
		require.NoError(t, eachPiece(root.openTest(t), mapTestSize, io.Discard))
		f := root.openTest(t)
		require.NotNil(t, f.mapped)
		require.NoError(t, os.Truncate(name, left))
		b := make([]byte, mapTestSize)
		_, err = f.ReadAt(b, 0)
		assert.ErrorIs(t, err, ErrChanged, "read, cut to %d", left)
	}
}

// TestMappedPanics: a fault of the reader's own is not taken for one of the file.
func TestMappedPanics(t *testing.T) {
	root, _, _ := mapTest(t)
	f := root.openTest(t)
	assert.PanicsWithValue(t, "mine", func() {
		_ = eachPiece(f, mapTestSize, writerFunc(func([]byte) (int, error) { panic("mine") }))
	})
	assert.Panics(t, func() {
		_ = eachPiece(f, mapTestSize, writerFunc(func([]byte) (int, error) { var p *int; return *p, nil }))
	})
}
