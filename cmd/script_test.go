package cmd_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/cmd"
)

func TestMain(m *testing.M) {
	main := func() {
		os.Exit(cmd.Run(context.Background(), cmd.World{Args: os.Args, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}))
	}
	testscript.Main(m, map[string]func(){"nixbundle": main, "patchelf": main})
}

// The scripts in testdata/script: each reads as documentation of one behaviour. They use the small
// real closure in testdata/demo, and need neither Nix nor a network.
func TestScripts(t *testing.T) {
	demo, err := filepath.Abs("../testdata/demo")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:                 "../testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DEMO", demo)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits STATUS COMMAND...: the command ends with that exit status.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, not %d", got, want)
	}
}

// run runs one command line in this process.
func run(args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	status = cmd.Run(context.Background(), cmd.World{
		Args: append([]string{"nixbundle"}, args...), Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" },
	})
	return out.String(), errs.String(), status
}

// TestReadme runs the sessions of README.md, every block marked console, and compares what they
// print, so that the README is true. The Pi in them is a root without Nix.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	pi := newPi(t)
	t.Chdir("..")
	t.Cleanup(func() { os.Remove("sensor.tar.zst") })
	sessions := 0
	for _, block := range strings.Split(string(text), "```console\n")[1:] {
		block, _, _ := strings.Cut(block, "```")
		for _, session := range strings.Split("\n"+block, "\n$ ")[1:] {
			line, want, _ := strings.Cut(session, "\n")
			args := strings.Fields(line)
			if args[0] != "nixbundle" {
				pi.run(t, line, want)
				continue
			}
			stdout, stderr, _ := run(args[1:]...)
			require.Equal(t, strings.TrimSuffix(want, "\n"), strings.TrimSuffix(stdout+stderr, "\n"), line)
			sessions++
		}
	}
	require.NotZero(t, sessions)
}

// pi stands for a machine called pi in the sessions of README.md: scp and ssh lead to a folder in a
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
	require.Equal(t, strings.TrimSuffix(want, "\n"), strings.TrimSuffix(string(out), "\n"), line)
}
