package cmd_test

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSameBytesForAnyUser: who packs, with how many cores, where and in which order a folder lists
// its files does not show in the archive.
func TestSameBytesForAnyUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to be another user")
	}
	dir, err := os.MkdirTemp("", "nixbundle-user-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	program := filepath.Join(dir, "nixbundle")
	out, err := exec.Command("go", "build", "-o", program, "./nixbundle").CombinedOutput()
	require.NoError(t, err, string(out))
	pack := func(root string, uid uint32, env ...string) [sha256.Size]byte {
		c := exec.Command(program, "--root", root, "/sensor-fixed/bin/sensor", "-o", "-")
		c.Dir, c.Env = "/", append(os.Environ(), env...)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		archive, err := c.Output()
		require.NoError(t, err)
		return sha256.Sum256(archive)
	}
	want := pack(copyOf(t, dir, "one", "sort"), 0, "GOMAXPROCS=1", "TZ=UTC", "HOME=/root")
	require.Equal(t, want, pack(copyOf(t, dir, "two", "sort -r"), 65534, "GOMAXPROCS=3", "TZ=Asia/Tokyo", "HOME=/nowhere"))
}

// copyOf copies the demo closure, its files made in the order that the filter gives them, readable
// by anybody; another order of making is another order of listing.
func copyOf(t *testing.T, dir, name, filter string) string {
	t.Helper()
	to := filepath.Join(dir, name)
	script := `mkdir "$1" && cd ../testdata/demo && find . | ` + filter + ` | tar -cf - --no-recursion -T - | tar -C "$1" -xf - && chmod -R a+rX "$1"`
	out, err := exec.Command("sh", "-c", script, "sh", to).CombinedOutput()
	require.NoError(t, err, string(out))
	return to
}
