package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInstallByAnother builds as one user in a repository of somebody else's, which git refuses to read, and installs as
// another who has no Go, may not write there, hides files from others by habit, and likes odd names.
func TestInstallByAnother(t *testing.T) {
	needTools(t, "go", "make", "git")
	if os.Getuid() != 0 {
		t.Skip("needs root, to be another user")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "nixbundle-install-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	clone, home, noGo := checkout(t), filepath.Join(dir, "home"), filepath.Join(dir, "nogo")
	require.NoError(t, os.Rename(clone, filepath.Join(dir, "clone")))
	clone = filepath.Join(dir, "clone")
	for _, d := range []string{home, noGo} {
		require.NoError(t, os.Mkdir(d, 0o755))
	}
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chown(home, nobody, nobody))
	require.NoError(t, os.WriteFile(noGo+"/go", []byte("#!/bin/sh\necho no Go here >&2\nexit 1\n"), 0o755))
	run := func(uid uint32, env []string, line string) string {
		t.Helper()
		c := exec.Command("sh", "-c", line)
		c.Dir, c.Env = clone, append(os.Environ(), env...)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s: %s", line, out)
		return string(out)
	}
	run(0, []string{"GIT_CONFIG_GLOBAL=/dev/null"}, "git init -q && git add Makefile && "+
		"git -c user.name=a -c user.email=a@b commit -q -m a && chown -R 1234 . && chmod -R a+rX . && umask 022 && make -s build GOFLAGS=-buildvcs=auto")
	other := []string{"HOME=" + home, "PATH=" + noGo + ":" + os.Getenv("PATH"), "DESTDIR="}
	odd := home + `/o'dd "dir" $x &;(`
	run(nobody, append(other, "DESTDIR="+odd), "umask 077 && make -s install PREFIX=/usr")
	run(nobody, other, "umask 077 && make -s install PREFIX='~/.local'")
	for _, at := range []string{odd + "/usr", home + "/.local"} {
		for file, mode := range map[string]os.FileMode{
			"bin/nixbundle": 0o755, "share/man/man1/nixbundle.1": 0o644, "share/man/man7/nixbundle-nix.7": 0o644, "share/man/man7": os.ModeDir | 0o755,
			"share/bash-completion/completions/nixbundle": 0o644, "share/zsh/site-functions/_nixbundle": 0o644,
			"share/fish/vendor_completions.d/nixbundle.fish": 0o644,
		} {
			info, err := os.Stat(filepath.Join(at, file))
			require.NoError(t, err)
			require.Equal(t, mode, info.Mode(), file)
			require.True(t, info.IsDir() || info.Size() > 0, file)
		}
	}
	run(nobody, append(other, "DESTDIR="+odd), "make -s uninstall PREFIX=/usr")
	require.Empty(t, run(nobody, other, "find \"$HOME\" -type f ! -path '*/.local/*'"))

	// What is changed is built again, and that needs Go.
	require.NoError(t, os.WriteFile(clone+"/cmd/more.go", []byte("package cmd\n"), 0o644))
	said := run(nobody, other, "make -s install PREFIX='~/.local' 2>&1 || true")
	require.True(t, strings.Contains(said, "no Go here"), said)
}
