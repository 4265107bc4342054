package cmd_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// nix is flake.nix, with a stand-in for nixpkgs whose nixbundle is the one that is tested, and a flake
// of a user: the one in the topic nix. Everything is built in the machine's store.
type nix struct {
	dir string // nixbundle/, nixpkgs/ and fleet/, a flake each
	env []string
}

func newNix(t *testing.T) *nix {
	t.Helper()
	stores := store(t)
	needNix(t)
	n := &nix{dir: t.TempDir()}
	n.env = append(os.Environ(), "NIX_CONF_DIR="+stores+"/etc/nix", "NIX_REMOTE=local", "HOME="+t.TempDir(), "XDG_CACHE_HOME="+t.TempDir(),
		"NIX_CONFIG=experimental-features = nix-command flakes")
	for to, from := range map[string]string{"nixbundle/flake.nix": "../flake.nix", "nixbundle/go.mod": "../go.mod", "nixbundle/go.sum": "../go.sum",
		"nixpkgs/flake.nix": "../testdata/nix/nixpkgs/flake.nix"} {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		n.write(t, to, string(text))
	}
	for _, folder := range []string{"bundle", "closure", "cmd", "elfpatch"} {
		n.write(t, "nixbundle/"+folder+"/doc.go", "")
	}
	build := exec.Command("go", "build", "-trimpath", "-o", n.dir+"/nixpkgs/nixbundle", "./nixbundle")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	n.write(t, "fleet/flake.nix", blocksOf(t, "topics/nix.md", "nix")[0])
	n.write(t, "fleet/clashes.json", `{"schema": "nixbundle.accept/v1", "accepted": []}`)
	// The bundler of nix bundle takes no --override-input, and reads the lock.
	n.ok(t, "flake", "lock", n.at("nixbundle"), "--override-input", "nixpkgs", n.at("nixpkgs"))
	return n
}

// needNix skips without Nix, and fails without it in CI.
func needNix(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("nix"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("there is no nix: run make deps: %v", err)
		}
		t.Skip("needs nix: run make deps (as root)")
	}
}

func (n *nix) at(flake string) string { return "path:" + filepath.Join(n.dir, flake) }

func (n *nix) write(t *testing.T, name, text string) {
	t.Helper()
	name = filepath.Join(n.dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
}

// sensor makes the fleet's sensor.nix stand for a store path that is built.
func (n *nix) sensor(t *testing.T, storePath string) {
	t.Helper()
	n.write(t, "fleet/sensor.nix", fmt.Sprintf(`{ }: {
  type = "derivation";
  name = "sensor";
  outPath = builtins.appendContext %[1]q { %[1]q.path = true; };
  meta.mainProgram = "sensor";
}`, storePath))
}

// run runs nix; it returns its standard output, and with errors what it said, and whether it succeeded.
func (n *nix) run(args ...string) (stdout, all string, ok bool) {
	var out, both strings.Builder
	c := exec.Command("nix", args...)
	c.Dir, c.Env = n.dir, n.env
	c.Stdout, c.Stderr = &out, &both
	err := c.Run()
	return out.String(), out.String() + both.String(), err == nil
}

func (n *nix) ok(t *testing.T, args ...string) string {
	t.Helper()
	stdout, all, ok := n.run(args...)
	require.True(t, ok, "nix %s\n%s", strings.Join(args, " "), all)
	return stdout
}

// fleet are the arguments for a command on an attribute of the fleet's flake.
func (n *nix) fleet(verb, attribute string, more ...string) []string {
	args := []string{verb, n.at("fleet") + "#" + attribute, "--no-write-lock-file", "--override-input", "nixpkgs", n.at("nixpkgs"),
		"--override-input", "nixbundle", n.at("nixbundle"), "--override-input", "nixbundle/nixpkgs", n.at("nixpkgs")}
	return append(args, more...)
}

// eval evaluates a function of an output of nixbundle's flake.
func (n *nix) eval(t *testing.T, output, function string, into any) {
	t.Helper()
	text := n.ok(t, "eval", "--json", n.at("nixbundle")+"#"+output, "--apply", function)
	require.NoError(t, json.Unmarshal([]byte(text), into))
}

// program makes the fleet's sensor one of the store, and returns its store path.
func (n *nix) program(t *testing.T, result string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(filepath.Join(store(t), "results", result))
	require.NoError(t, err)
	n.sensor(t, path)
	return path
}

func sameFile(t *testing.T, a, b string) {
	t.Helper()
	x, err := os.ReadFile(a)
	require.NoError(t, err)
	y, err := os.ReadFile(b)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(x)), fmt.Sprintf("%x", sha256.Sum256(y)), "%s and %s", a, b)
}
