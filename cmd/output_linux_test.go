package cmd_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOutputIsWhatItWas: a picture and a file of acceptances take the place of a file and of nothing else. A link stays one,
// a device or a pipe gets the bytes, and who may read a file does not change.
func TestOutputIsWhatItWas(t *testing.T) {
	dir := t.TempDir()
	defer syscall.Umask(syscall.Umask(0o007))
	for _, args := range [][]string{
		demoArgs("graph", "/sensor-conflict/bin/sensor", "--format", "dot", "-o"),
		demoArgs("conflicts", "/sensor-conflict/bin/sensor", "--reason", "seen", "--accept"),
	} {
		write := func(name string) {
			t.Helper()
			_, stderr, status := run(append(args, filepath.Join(dir, name))...)
			require.Zero(t, status, stderr)
		}
		mode := func(name string) os.FileMode {
			t.Helper()
			info, err := os.Lstat(filepath.Join(dir, name))
			require.NoError(t, err)
			return info.Mode()
		}
		write("new")
		require.Equal(t, os.FileMode(0o660), mode("new"))
		want, err := os.ReadFile(dir + "/new")
		require.NoError(t, err)
		require.NotEmpty(t, want)

		require.NoError(t, os.Remove(dir+"/new"))
		require.NoError(t, os.Mkdir(dir+"/sub", 0o755))
		require.NoError(t, os.WriteFile(dir+"/sub/old", []byte(`{"schema": "nixbundle.accept/v1", "accepted": []}`), 0o600))
		require.NoError(t, os.Symlink("sub/old", dir+"/link"))
		write("link")
		require.Equal(t, os.ModeSymlink, mode("link").Type())
		require.Equal(t, os.FileMode(0o600), mode("sub/old"))
		got, err := os.ReadFile(dir + "/sub/old")
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))

		if args[0] == "graph" { // the other is read too
			require.NoError(t, syscall.Mkfifo(dir+"/pipe", 0o600))
			pipe, err := os.OpenFile(dir+"/pipe", os.O_RDWR, 0)
			require.NoError(t, err)
			write("pipe")
			got := make([]byte, len(want))
			require.NoError(t, pipe.SetReadDeadline(time.Now().Add(10*time.Second)))
			_, err = io.ReadFull(pipe, got)
			require.NoError(t, errors.Join(err, pipe.Close()))
			require.Equal(t, string(want), string(got))
			require.Equal(t, os.ModeNamedPipe, mode("pipe").Type())
		}
		left, err := filepath.Glob(dir + "/.nixbundle-*")
		require.NoError(t, err)
		require.Empty(t, left)
		require.NoError(t, os.RemoveAll(dir+"/sub"))
		require.NoError(t, os.Remove(dir+"/link"))
	}
}

// TestAcceptedIsSaidWhenItIs: what could not be written down is not said to be accepted.
func TestAcceptedIsSaidWhenItIs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "no/such.json")
	_, stderr, status := run(demoArgs("conflicts", "/sensor-conflict/bin/sensor", "--reason", "seen", "--accept", name)...)
	require.Equal(t, 1, status)
	require.Equal(t, "nixbundle: "+name+": no such file or directory\n", stderr)
}
