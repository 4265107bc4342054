package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSessions runs the sessions of README.md and of the help topics, every block marked console, and compares
// what they print, so that the documents are true. The Pi in them is a root without Nix.
func TestSessions(t *testing.T) {
	pi := newPi(t)
	t.Chdir("..")
	topics, err := filepath.Glob("cmd/topics/*.md")
	require.NoError(t, err)
	sessions := 0
	for _, name := range append(topics, "README.md") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			t.Cleanup(func() { os.Remove("sensor.tar.zst"); os.Remove("report.html") })
			sessions += runSessions(t, pi, string(text))
		})
	}
	require.Greater(t, sessions, 10)
}

// The picture in README.md is what graph draws.
func TestReadmePicture(t *testing.T) {
	want, err := os.ReadFile("../testdata/conflict.svg")
	require.NoError(t, err)
	got, stderr, status := run("graph", "--root", "../testdata/demo", "/sensor-conflict/bin/sensor")
	require.Zero(t, status, stderr)
	require.True(t, got == string(want), "make it again: nixbundle graph --root testdata/demo /sensor-conflict/bin/sensor -o testdata/conflict.svg")
}

// session is a command of a document, and what it prints.
type session struct{ line, want string }

// sessionsOf are the commands in the blocks of a text that are marked console.
func sessionsOf(text string) (list []session) {
	for _, block := range strings.Split(text, "```console\n")[1:] {
		block, _, _ := strings.Cut(block, "```")
		for _, s := range strings.Split("\n"+block, "\n$ ")[1:] {
			line, want, _ := strings.Cut(s, "\n")
			list = append(list, session{line, strings.TrimSuffix(want, "\n")})
		}
	}
	return list
}

// runSessions runs the sessions of a text and returns how many commands of nixbundle they had.
func runSessions(t *testing.T, pi *pi, text string) (commands int) {
	for _, s := range sessionsOf(text) {
		args := strings.Fields(s.line)
		if args[0] != "nixbundle" {
			pi.run(t, s.line, s.want)
			continue
		}
		stdout, stderr, _ := run(args[1:]...)
		require.Equal(t, s.want, strings.TrimSuffix(stdout+stderr, "\n"), s.line)
		commands++
	}
	return commands
}

// pi stands for a machine called pi in the sessions of the documents: scp and ssh lead to a folder in a
// root without Nix.
type pi struct{ path string } // PATH with those two

func newPi(t *testing.T) *pi {
	t.Helper()
	stores, err := filepath.Abs("../.store")
	require.NoError(t, err)
	if dir := os.Getenv("NIXBUNDLE_STORE"); dir != "" {
		stores = dir
	}
	root := filepath.Join(stores, "root/bookworm-arm64")
	if _, err := os.Stat(root); err != nil && os.Getenv("CI") == "" {
		return nil // and what is done on the Pi is not tested
	}
	needForeign(t, stores)
	home, err := os.MkdirTemp(filepath.Join(root, "opt"), "nixbundle-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(home) })
	tool, err := filepath.Abs("../testdata/store/run-in-root.sh")
	require.NoError(t, err)
	bin := t.TempDir()
	for name, text := range map[string]string{
		"scp": `cp "$1" "` + home + `"`,
		"ssh": `exec "` + tool + `" "` + root + `" /bin/sh -c "cd '` + strings.TrimPrefix(home, root) + `' && $2"`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	}
	return &pi{bin + ":" + os.Getenv("PATH")}
}

// run runs a line of a session and compares what it prints.
func (p *pi) run(t *testing.T, line, want string) {
	t.Helper()
	if p == nil {
		return
	}
	c := exec.Command("sh", "-c", line)
	c.Env = append(os.Environ(), "PATH="+p.path)
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, want, strings.TrimSuffix(string(out), "\n"), line)
}
