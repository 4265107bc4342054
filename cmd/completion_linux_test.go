package cmd_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// completions are command lines up to where TAB is struck, and what they are behind it. DEMO is the demo's
// root. A line that can go on in several ways ends where these part.
var completions = []struct{ typed, becomes string }{
	{"verify sen", "verify sensor.tar.zst"},
	{"--target rasp", "--target raspios-"},
	{"--target raspios-bo", "--target raspios-bookworm"},
	{"conflicts ./result/bin/s", "conflicts ./result/bin/sensor"},
	{"./result/bin/s", "./result/bin/sensor"},
	{"confl", "conflicts"},
	{"conflicts --root DEMO /sensor-fixed/bin/s", "conflicts --root DEMO /sensor-fixed/bin/sensor"},
	{"--root DEMO sensor-fi", "--root DEMO sensor-fixed/"},
	{"ldd --root DEMO /hostile/", "ldd --root DEMO /hostile/plain"},
	{"why --root DEMO /sensor-fixed/bin/sensor libtf", "why --root DEMO /sensor-fixed/bin/sensor libtflite.so.2"},
	{"bindings --root DEMO /sensor-fixed/bin/sensor --to libvi", "bindings --root DEMO /sensor-fixed/bin/sensor --to libvision.so.4"},
	{"graph --format merm", "graph --format mermaid"},
	{"schema conf", "schema conflicts"},
	{"--interp st", "--interp stub"},
	{"--level fas", "--level fastest"},
	{"--plugins gc", "--plugins gconv"},
	{"tree --color al", "tree --color always"},
	{"size --by do", "size --by dominator"},
	{"help mach", "help machines"},
	{"completion fi", "completion fish"},
	{"patchelf --print-need", "patchelf --print-needed"},
	{"--allow-c", "--allow-conflicts"},
}

// completed is a folder in which command lines are completed: nixbundle is there, and says what it is called
// with.
func completed(t *testing.T, shell string) (dir, demo string) {
	t.Helper()
	needTools(t, shell)
	dir, demo = t.TempDir(), filepath.Join(t.TempDir(), "demo")
	require.NoError(t, os.CopyFS(demo, os.DirFS("../testdata/demo")))
	self, err := os.Executable()
	require.NoError(t, err)
	script, _, status := run("completion", shell)
	require.Zero(t, status)
	for name, text := range map[string]string{
		dir + "/bin/nixbundle": "#!/bin/bash\ncase $1 in __complete*) exec -a " + calledOnce + " '" + self + "' \"$@\";; esac\necho \"CALLED: $*.\"\n",
		dir + "/script":        script, dir + "/sensor.tar.zst": "", dir + "/sent.txt": "", dir + "/result/bin/sensor": "",
		demo + "/hostile/plain": "", demo + "/hostile/$(touch own)": "", demo + "/hostile/`touch own`": "", demo + "/hostile/a b;touch own": "",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o755))
	}
	return dir, demo
}

// typed starts a shell on a terminal, types a text, and gives what nixbundle was called with.
func typed(t *testing.T, dir string, text string, shell ...string) []string {
	t.Helper()
	c := exec.Command(shell[0], shell[1:]...)
	c.Dir = dir
	c.Env = []string{"PATH=" + dir + "/bin:" + os.Getenv("PATH"), "HOME=" + dir, "TERM=dumb", "LANG=C.UTF-8"}
	screen, tty, err := pty.Open()
	require.NoError(t, err)
	defer screen.Close()
	require.NoError(t, pty.Setsize(screen, &pty.Winsize{Rows: 50, Cols: 400}))
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, c.Start())
	require.NoError(t, tty.Close())
	go func() {
		for _, line := range strings.SplitAfter(text, "\r") { // a terminal takes 4096 bytes at a time
			_, _ = screen.WriteString(line)
		}
	}()
	var out bytes.Buffer
	_, _ = out.ReadFrom(screen) // up to EIO: nobody has the terminal any more
	_ = c.Wait()
	require.NoFileExists(t, dir+"/own")
	var calls []string
	for _, line := range strings.Split(strings.ReplaceAll(out.String(), "\r", "\n"), "\n") {
		if call, ok := strings.CutPrefix(line, "CALLED: "); ok {
			calls = append(calls, strings.TrimSuffix(call, "."))
		}
	}
	require.Len(t, calls, strings.Count(text, "\t"), "%s", out.String())
	return calls
}

// TestCompletion: real shells complete command lines, struck on a terminal.
func TestCompletion(t *testing.T) {
	for _, shell := range [][]string{
		{"bash", "source /usr/share/bash-completion/bash_completion; source ./script", "bash", "--norc", "--noprofile", "-i"},
		{"zsh", "autoload -U compinit; compinit -u -D; source ./script", "zsh", "-f", "-i"},
	} {
		t.Run(shell[0], func(t *testing.T) {
			dir, demo := completed(t, shell[0])
			text := shell[1] + "\r"
			for _, c := range completions {
				text += "nixbundle " + strings.ReplaceAll(c.typed, "DEMO", demo) + "\t\r"
			}
			calls := typed(t, dir, text+"exit\r", shell[2:]...)
			for i, c := range completions {
				require.Equal(t, c.becomes, strings.TrimSpace(strings.ReplaceAll(calls[i], demo, "DEMO")))
			}
		})
	}
	t.Run("fish", func(t *testing.T) {
		dir, demo := completed(t, "fish")
		for _, c := range completions {
			line := "nixbundle " + strings.ReplaceAll(c.typed, "DEMO", demo)
			fish := exec.Command("fish", "--no-config", "-c", "source ./script; complete -C $argv[1]", line)
			fish.Dir = dir
			fish.Env = []string{"PATH=" + dir + "/bin:" + os.Getenv("PATH"), "HOME=" + dir, "LANG=C.UTF-8"}
			out, err := fish.CombinedOutput()
			require.NoError(t, err, string(out))
			words := strings.Fields(c.becomes)
			want := words[len(words)-1]
			var found []string
			for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
				word, _, _ := strings.Cut(l, "\t")
				require.True(t, strings.HasPrefix(word, want) || strings.HasPrefix(word, "sen"), "%s: %s", line, out)
				found = append(found, word)
			}
			require.Contains(t, strings.Join(found, "\n"), want, line)
			require.NoFileExists(t, dir+"/own")
		}
	})
}
