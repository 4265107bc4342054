package cmd_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNewcomer does what README.md tells who has just cloned it, in a copy of what is in the repository: make demo,
// make install, and then its sessions with the program that was installed.
func TestNewcomer(t *testing.T) {
	clone, dest := checkout(t), t.TempDir()
	sh := func(path, line string) (string, int) {
		t.Helper()
		c := exec.Command("sh", "-c", line)
		c.Dir, c.Env = clone, append(os.Environ(), "PATH="+path)
		out, err := c.CombinedOutput()
		if c.ProcessState == nil {
			t.Fatalf("%s: %v", line, err)
		}
		return strings.TrimSuffix(string(out), "\n"), c.ProcessState.ExitCode()
	}
	text, err := os.ReadFile(filepath.Join(clone, "README.md"))
	require.NoError(t, err)
	for _, line := range []string{"make demo", "make install"} {
		require.Regexp(t, "(?m)^    "+line+" ", string(text))
		out, status := sh(os.Getenv("PATH"), line+" DESTDIR="+dest+" PREFIX=/usr")
		require.Zero(t, status, out)
	}
	path, pi := os.Getenv("PATH"), newPi(t)
	if pi != nil {
		path = pi.path
	}
	path = filepath.Join(dest, "usr/bin") + ":" + path
	verbs := map[string]bool{}
	for _, s := range sessionsOf(string(text)) {
		words := strings.Fields(s.line)
		if words[0] != "nixbundle" && pi == nil {
			continue
		}
		verbs[words[1]] = true
		out, status := sh(path, s.line)
		require.Equal(t, s.want, out, s.line)
		require.Equal(t, words[1] == "conflicts", status == 3, "%s: status %d", s.line, status)
	}
	for _, verb := range []string{"conflicts", "graph", "verify", "--root"} {
		require.True(t, verbs[verb], "README.md has no session of %s", verb)
	}
	out, status := sh(os.Getenv("PATH"), "make uninstall DESTDIR="+dest+" PREFIX=/usr")
	require.Zero(t, status, out)
	require.NoError(t, filepath.WalkDir(dest, func(name string, d fs.DirEntry, err error) error {
		require.True(t, err != nil || d.IsDir(), "make uninstall leaves %s", name)
		return err
	}))
}

// checkout is a copy of the files that the repository has, as they are now.
func checkout(t *testing.T) string {
	t.Helper()
	list, err := exec.Command("git", "-C", "..", "ls-files", "-z").Output()
	if err != nil {
		t.Skipf("needs a checkout of the repository: git ls-files: %v", err)
	}
	to := t.TempDir()
	for _, name := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		at := filepath.Join(to, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o777))
		require.NoError(t, exec.Command("cp", "-P", "--preserve=mode", filepath.Join("..", name), at).Run(), name)
	}
	return to
}
