package closure_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
)

// A fifo is no root, and nobody waits for it.
func TestOpenRootFifo(t *testing.T) {
	fifo := t.TempDir() + "/root"
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	_, err := closure.OpenRoot(fifo)
	require.ErrorIs(t, err, syscall.ENOTDIR)
}
