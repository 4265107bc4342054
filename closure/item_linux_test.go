package closure_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestReadItemSpecial: a fifo is refused by name and never opened, and so is a name that io/fs has not.
func TestReadItemSpecial(t *testing.T) {
	dir := elftest.WriteTree(t, itemStore())
	root, err := closure.OpenRoot(dir)
	require.NoError(t, err)
	fifo := filepath.Join(dir, zlib, "lib", "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o644))
	_, err = closure.ReadItem(root, zlib, closure.Options{})
	assert.EqualError(t, err, zlib+"/lib/fifo: is a named pipe, which no bundle can hold")
	require.NoError(t, os.Remove(fifo))
	require.NoError(t, os.WriteFile(filepath.Join(dir, zlib, "lib", "a\xff"), nil, 0o644))
	_, err = closure.ReadItem(root, zlib, closure.Options{})
	var refused *closure.ItemError
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Why, "UTF-8")
}
