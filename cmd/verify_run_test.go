package cmd_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// needNamespaces: the test makes user namespaces.
func needNamespaces(t *testing.T) {
	t.Helper()
	out, err := exec.Command("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "true").CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("this machine does not let the tests make namespaces: %s", out)
	default:
		t.Skip("needs user namespaces")
	}
}

// hostBundle bundles a program of this machine.
func hostBundle(t *testing.T, program string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.tar")
	_, stderr, status := run(program, "--interp", "wrapper", "-o", file)
	require.Zero(t, status, stderr)
	return file
}

// TestVerifyRunHere: a program of this machine, in a root that cannot be written to.
func TestVerifyRunHere(t *testing.T) {
	needNamespaces(t)
	stdout, stderr, status := run("verify", hostBundle(t, "/bin/echo"), "--run", "--target-root", "/", "--", "-e", `a b\tc`)
	require.Zero(t, status, stderr)
	require.True(t, strings.HasPrefix(stdout, "a b\tc\n"), stdout)
	require.Contains(t, stdout, "echo/bin/echo ended with exit status 0")

	stdout, stderr, status = run("verify", hostBundle(t, "/bin/touch"), "--json", "--run", "--target-root", "/", "/nixbundle-was-here")
	require.Equal(t, 3, status, stderr)
	require.Contains(t, stderr, "Read-only file system")
	require.Contains(t, stdout, `"kind": "run"`)
	require.Contains(t, stdout, "ended with exit status 1")
	require.NoFileExists(t, "/nixbundle-was-here")

	stdout, _, status = run("verify", hostBundle(t, "/bin/sleep"), "--run", "--target-root", "/", "--time-limit", "300ms", "1000")
	require.Equal(t, 3, status)
	require.Contains(t, stdout, "was still running at the time limit")
}

// TestVerifyRunRefuses: what cannot be run is said before anything is.
func TestVerifyRunRefuses(t *testing.T) {
	needNamespaces(t)
	echo := hostBundle(t, "/bin/echo")
	_, stderr, status := run("verify", echo, "--run")
	require.Equal(t, 1, status)
	require.Contains(t, stderr, "echo/bin/echo is started by a launcher in sh, and an empty root has no /bin/sh\nhint: name a root")
	_, stderr, status = run("verify", echo, "--run", "--program", "echo/bin/other")
	require.Equal(t, 1, status)
	require.Contains(t, stderr, "echo/bin/other is no program of the bundle\nhint: name one of echo/bin/echo")
	root := t.TempDir()
	stdout, _, status := run("verify", echo, "--run", "--target-root", root)
	require.Equal(t, 3, status)
	require.Contains(t, stdout, "/bin/sh")
	sh, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(root+"/bin", 0o755))
	require.NoError(t, os.WriteFile(root+"/bin/sh", sh, 0o755))
	_, stderr, status = run("verify", echo, "--run", "--target-root", root)
	require.Equal(t, 1, status)
	require.Contains(t, stderr, "has no folder tmp")
	_, _, status = run("verify", echo, "argument")
	require.Equal(t, 2, status)

	t.Setenv("PATH", t.TempDir())
	demo := filepath.Join(t.TempDir(), "x.tar")
	_, stderr, status = run("--root", "../testdata/demo", "/sensor-fixed/bin/sensor", "-o", demo)
	require.Zero(t, status, stderr)
	_, stderr, status = run("verify", demo, "--run")
	require.Equal(t, 1, status)
	require.Contains(t, stderr, "cannot run EM_AARCH64 without qemu-user (qemu-aarch64-static)")

	data, err := os.ReadFile(echo)
	require.NoError(t, err)
	at := bytes.Index(data, []byte("/bin/sh"))
	data[at+1] = 'x'
	require.NoError(t, os.WriteFile(echo, data, 0o600))
	stdout, stderr, status = run("verify", echo, "--run", "--target-root", "/", "must not be printed")
	require.Equal(t, 3, status)
	require.NotContains(t, stdout+stderr, "must not be printed")
}

// TestVerifyRunInterrupted: an interrupt ends the program and all that it has started.
func TestVerifyRunInterrupted(t *testing.T) {
	needNamespaces(t)
	c := exec.Command("/proc/self/exe")
	c.Args = []string{"nixbundle", "verify", hostBundle(t, "/bin/cat"), "--run", "--target-root", "/"}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := c.StdinPipe()
	require.NoError(t, err)
	stdout, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	_, err = io.WriteString(stdin, "hello\n")
	require.NoError(t, err)
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line) // it runs
	require.NoError(t, c.Process.Signal(syscall.SIGKILL))
	_, err = io.ReadAll(out) // ends when the last of them has ended
	require.NoError(t, err)
	var exit *exec.ExitError
	require.True(t, errors.As(c.Wait(), &exit))
}

// TestVerifyRunStore: bundles of the store run in the roots of their targets, and what is static or has
// a stub in an empty one.
func TestVerifyRunStore(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	for _, p := range storePrograms {
		if len(p.args) > 0 && p.args[0] == model || strings.Contains(p.program, "x86_64") {
			continue // its input is not in the root, or it is for another machine than the root
		}
		for _, interp := range p.interps {
			t.Run(p.result+"/"+filepath.Base(p.program)+"/"+interp, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "x.tar.zst")
				_, stderr, status := run("--interp", interp, filepath.Join(dir, "results", p.result, p.program), "-o", file)
				require.Zero(t, status, stderr)
				args := []string{"verify", file, "--run", "--target-root", filepath.Join(dir, "root", p.root), "--"}
				if (interp == "auto" || interp == "stub") && p.want != "/opt" {
					args = []string{"verify", file, "--run", "--"}
				}
				stdout, stderr, status := run(append(args, p.args...)...)
				require.Zero(t, status, stdout+stderr)
				require.Contains(t, stdout, p.want)
			})
		}
	}
}

// TestVerifyRunPrefix: a bundle that has its place runs there, in an empty root and in that of a target, which has
// no such folder; where the target has none around it either, that is said.
func TestVerifyRunPrefix(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	file, program := filepath.Join(t.TempDir(), "x.tar"), filepath.Join(dir, "results/misc-wrapBash/bin/greet")
	_, stderr, status := run("--prefix", "/usr/share/nb", program, "-o", file)
	require.Zero(t, status, stderr)
	target := filepath.Join(dir, "root/bookworm-arm64")
	for _, args := range [][]string{nil, {"--target-root", target}} {
		stdout, stderr, status := run(append([]string{"verify", file, "--run"}, args...)...)
		require.Zero(t, status, stdout+stderr)
		require.Contains(t, stdout, "LD_LIBRARY_PATH=/usr/share/nb/store/")
		require.Contains(t, stdout, "runs at /usr/share/nb and nowhere else\n")
		require.NoDirExists(t, target+"/usr/share/nb")
	}
	_, stderr, status = run("--prefix", "/nowhere/nb", program, "-o", file)
	require.Zero(t, status, stderr)
	_, stderr, status = run("verify", file, "--run", "--target-root", target)
	require.Equal(t, 1, status)
	require.Contains(t, stderr, "the bundle has no place at /nowhere/nb")
	_, stderr, status = run("--prefix", "/opt/nb", "--env", "A=1", program, "-o", file)
	require.Equal(t, 2, status)
	require.Contains(t, stderr, "--env: with --prefix")
}

// TestVerifyStore: every program of the store gives a bundle in which nothing is wrong, with every
// strategy.
func TestVerifyStore(t *testing.T) {
	dir := store(t)
	for _, p := range storePrograms {
		for _, interp := range p.interps {
			t.Run(p.result+"/"+filepath.Base(p.program)+"/"+interp, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "x.tar.zst")
				_, stderr, status := run("--interp", interp, filepath.Join(dir, "results", p.result, p.program), "-o", file)
				require.Zero(t, status, stderr)
				stdout, stderr, status := run("verify", "--json", file)
				require.Zero(t, status, stdout+stderr)
				require.Contains(t, stdout, `"findings": []`)
			})
		}
	}
}
