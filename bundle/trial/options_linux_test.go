package trial

import (
	"debug/elf"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// TestZeroOptions: without a way to find qemu a program for another machine is refused, and one for this is not.
func TestZeroOptions(t *testing.T) {
	var refused *Error
	_, err := emulatorFor(&elfpatch.Info{Machine: elf.EM_PPC64}, Options{})
	require.ErrorAs(t, err, &refused)
	require.Empty(t, otherEmulators(&job{Root: "/root"}, Options{}))
	e, err := emulatorFor(&elfpatch.Info{Machine: elf.EM_AARCH64}, Options{Look: func(name string) (string, error) { return "/bin/" + name, nil }, PageSize: 16384})
	require.NoError(t, err)
	require.Equal(t, "/bin/qemu-aarch64-static", e.Path)
}
