package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A small store of this machine's own programs, in a root of its own: what a wrapper does there is seen by
// going into that root, and what its bundle does by running it outside.

// Store paths of the small store. Every program in it has the loader and the run path of a store.
const (
	glibcPath = "/nix/store/0gggggggggggggggggggggggggggggg0-glibc-2.40"
	bashPath  = "/nix/store/1bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb1-bash-5.2"
	toolsPath = "/nix/store/2cccccccccccccccccccccccccccccc2-tools-1.0"
	dataPath  = "/nix/store/3dddddddddddddddddddddddddddddd3-data-1.0"
	probePath = "/nix/store/4ffffffffffffffffffffffffffffff4-probe-1.0"
)

// probeC prints its arguments, where it is, and its environment, a NUL behind each.
const probeC = `#include <stdio.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv) {
	char dir[4096];
	printf("%d", argc), putchar(0);
	for (char **p = argv; *p; p++) printf("%s", *p), putchar(0);
	printf("%s", getcwd(dir, sizeof dir)), putchar(0);
	for (char **p = environ; *p; p++) printf("%s", *p), putchar(0);
	return 0;
}
`

// smallStore is the root that holds such a store.
type smallStore struct {
	t    *testing.T
	root string
	next int // of the store paths that [smallStore.add] makes
}

func newSmallStore(t *testing.T) *smallStore {
	t.Helper()
	for _, tool := range []string{"gcc", "bash", "ldd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool)
		}
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("no start stub for programs of this machine")
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	s := &smallStore{t: t, root: root}
	s.compile(probePath+"/bin/.probe-wrapped", probeC)
	bash, err := exec.LookPath("bash")
	require.NoError(t, err)
	s.copy(bash, bashPath+"/bin/bash")
	s.adopt(bashPath + "/bin/bash")
	require.NoError(t, os.Symlink("bash", s.root+bashPath+"/bin/sh"))
	s.copy(s.root+probePath+"/bin/.probe-wrapped", toolsPath+"/bin/helper")
	s.write(toolsPath+"/bin/script", 0o755, "#! "+bashPath+"/bin/bash\necho script\n")
	s.write(dataPath+"/share/greetings/greeting.txt", 0o644, "hello\n")
	s.write(dataPath+"/etc/probe.conf", 0o644, "a=1\n")
	if c := s.command("/bin/true"); c.Run() != nil {
		if c := s.command(probePath + "/bin/.probe-wrapped"); c.Run() != nil {
			t.Skip("needs root, or user namespaces, to go into another root")
		}
	}
	return s
}

// write puts a file into the root.
func (s *smallStore) write(path string, mode os.FileMode, text string) {
	s.t.Helper()
	require.NoError(s.t, os.MkdirAll(filepath.Dir(s.root+path), 0o755))
	require.NoError(s.t, os.WriteFile(s.root+path, []byte(text), mode))
}

func (s *smallStore) copy(from, to string) {
	s.t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(s.t, err)
	s.write(to, 0o755, string(data))
}

// compile puts a program into the root, linked as in a store.
func (s *smallStore) compile(path, source string) {
	s.t.Helper()
	c := filepath.Join(s.t.TempDir(), "main.c")
	require.NoError(s.t, os.WriteFile(c, []byte(source), 0o644))
	require.NoError(s.t, os.MkdirAll(filepath.Dir(s.root+path), 0o755))
	out, err := exec.Command("gcc", "-w", "-o", s.root+path, c).CombinedOutput()
	require.NoError(s.t, err, string(out))
	s.adopt(path)
}

// adopt makes a program of this machine one of the store: its libraries come along.
func (s *smallStore) adopt(path string) {
	s.t.Helper()
	out, err := exec.Command("ldd", s.root+path).CombinedOutput()
	require.NoError(s.t, err, string(out))
	loader := ""
	for _, word := range strings.Fields(string(out)) {
		if !strings.HasPrefix(word, "/") {
			continue
		}
		if strings.HasPrefix(filepath.Base(word), "ld-") {
			loader = filepath.Base(word)
		}
		s.copy(word, glibcPath+"/lib/"+filepath.Base(word))
	}
	_, stderr, status := run("patchelf", "--set-interpreter", glibcPath+"/lib/"+loader, "--set-rpath", glibcPath+"/lib", s.root+path)
	require.Zero(s.t, status, stderr)
}

// add makes a store path with a file bin/probe of that text, and gives its path.
func (s *smallStore) add(text string) string {
	s.t.Helper()
	path := s.newPath() + "/bin/probe"
	s.write(path, 0o755, text)
	return path
}

func (s *smallStore) newPath() string {
	s.next++
	return fmt.Sprintf("/nix/store/5wwwwwwwwwwwwwwwwwwwwwwwwwwwww%02d-wrapped-1.0", s.next)
}

// command is one that is run in the root, with no environment.
func (s *smallStore) command(path string, args ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", args...)
	c.Path, c.Args[0] = path, path
	c.Env, c.Dir = []string{}, "/"
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: s.root}
	if uid := os.Getuid(); uid != 0 {
		c.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
	}
	return c
}

// seen is what the probe saw.
type seen struct {
	argv []string
	dir  string
	env  []string // sorted
}

// start runs a command that ends in the probe.
func start(t *testing.T, c *exec.Cmd, env []string) seen {
	t.Helper()
	c.Env = append([]string{}, env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	require.NoError(t, err, "%s: %s", c.Path, stderr.String())
	words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	var n int
	_, err = fmt.Sscan(words[0], &n)
	require.NoError(t, err, "%q", words)
	s := seen{argv: words[1 : n+1], dir: words[n+1], env: slices.DeleteFunc(words[n+2:], isShells)}
	slices.Sort(s.env)
	return s
}

// isShells reports whether a variable is one that shells set for themselves, whoever they start: bash's four,
// of which dash has PWD.
func isShells(entry string) bool {
	name, _, _ := strings.Cut(entry, "=")
	return slices.Contains([]string{"_", "SHLVL", "PWD", "OLDPWD"}, name)
}

// as is the same with other texts in it.
func (s seen) as(r *strings.Replacer) seen {
	to := seen{argv: []string{}, env: []string{}}
	for _, a := range s.argv {
		to.argv = append(to.argv, r.Replace(a))
	}
	for _, e := range s.env {
		to.env = append(to.env, r.Replace(e))
	}
	to.dir = r.Replace(s.dir)
	return to
}
