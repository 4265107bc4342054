package nixdb_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure/nixdb"
)

// TestReadStore holds the closures of the store set against what Nix itself says: nix-store -qR, and the
// records against nix path-info --json.
func TestReadStore(t *testing.T) {
	dir := os.Getenv("NIXBUNDLE_STORE")
	if dir == "" {
		dir = "../../.store"
	}
	results, _ := filepath.Glob(filepath.Join(dir, "results/*"))
	if len(results) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("the store is missing: run make store")
		}
		t.Skip("no store: run `make store`")
	}
	dir, err := filepath.Abs(dir)
	require.NoError(t, err)
	nix := func(args ...string) []byte {
		t.Helper()
		c := exec.Command(args[0], args[1:]...)
		c.Env = append(os.Environ(), "NIX_CONF_DIR="+filepath.Join(dir, "etc/nix"), "NIX_REMOTE=local")
		out, err := c.Output()
		require.NoError(t, err)
		return out
	}
	for _, result := range results {
		path, err := filepath.EvalSymlinks(result)
		require.NoError(t, err)
		got, err := nixdb.Read(os.DirFS("/"), nixdb.File, []string{path})
		require.NoError(t, err)
		var paths []string
		for _, r := range got {
			paths = append(paths, r.Path)
		}
		require.ElementsMatch(t, strings.Fields(string(nix("nix-store", "-qR", path))), paths)
		want, err := nixdb.ParsePathInfo(nix("nix", "--extra-experimental-features", "nix-command", "path-info", "--json", "-r", path))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// BenchmarkReadStore reads all closures of the store set.
func BenchmarkReadStore(b *testing.B) {
	results, _ := filepath.Glob(filepath.Join(os.Getenv("NIXBUNDLE_STORE"), "results/*"))
	var paths []string
	for _, result := range results {
		path, err := filepath.EvalSymlinks(result)
		require.NoError(b, err)
		paths = append(paths, path)
	}
	for b.Loop() {
		_, err := nixdb.Read(os.DirFS("/"), nixdb.File, paths)
		require.NoError(b, err)
	}
}
