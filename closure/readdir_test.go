package closure_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
)

// TestReadDir: a folder is listed as a walk sees it, over links that count from the root, and no further.
func TestReadDir(t *testing.T) {
	outside := t.TempDir()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(dir+"/nix/store/x/bin", 0o755))
	require.NoError(t, os.WriteFile(dir+"/nix/store/x/bin/run", []byte("1234"), 0o755))
	for name, target := range map[string]string{
		"result": "/nix/store/x", "nix/store/x/bin/also": "/result/bin/run", "nix/store/x/bin/gone": "/nowhere",
		"nix/store/x/bin/out": outside, "nix/store/x/bin/up": "../../../../../../nix",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	root, err := closure.OpenRoot(dir)
	require.NoError(t, err)
	for _, name := range []string{"/result/bin", "result/bin/", "nix/store/x/bin"} {
		entries, err := closure.ReadDir(root, name)
		require.NoError(t, err)
		require.Len(t, entries, 3, name)
		for i, want := range []struct {
			name string
			dir  bool
		}{{"also", false}, {"run", false}, {"up", true}} {
			require.Equal(t, want.name, entries[i].Name())
			require.Equal(t, want.dir, entries[i].IsDir())
			info, err := entries[i].Info()
			require.NoError(t, err)
			require.Equal(t, want.name, info.Name())
			require.Equal(t, fs.FileMode(0o755), info.Mode().Perm())
		}
	}
	entries, err := closure.ReadDir(root, "")
	require.NoError(t, err)
	require.Len(t, entries, 2)
	_, err = closure.ReadDir(root, "/nothing")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = closure.ReadDir(root, "/result/bin/run")
	require.Error(t, err)
}
