package cmd_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// onTerminal is one run with a terminal at some of its streams.
type onTerminal struct {
	program string   // what is run; "" is this test's own
	env     []string // beside TERM=xterm
	stdout  io.Writer
	stderr  io.Writer // the terminal where nil, as stdout
	when    string    // a text, at which something is to happen
	do      func(screen *os.File)
}

// run runs one command line and gives all that was written to the terminal, and the exit status.
func (o onTerminal) run(t *testing.T, args ...string) (raw string, status int) {
	t.Helper()
	c := exec.Command(o.program, args...)
	if o.program == "" {
		self, err := os.Executable()
		require.NoError(t, err)
		c.Path, c.Args[0], c.Err = self, calledOnce, nil
	}
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TERM=xterm", "TMPDIR=" + t.TempDir()}, o.env...)
	screen, tty, err := pty.Open()
	require.NoError(t, err)
	defer screen.Close()
	require.NoError(t, pty.Setsize(screen, &pty.Winsize{Rows: 24, Cols: 100}))
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	if o.stdout != nil {
		c.Stdout = o.stdout
	}
	if o.stderr != nil {
		c.Stderr = o.stderr
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, c.Start())
	require.NoError(t, tty.Close())
	var out bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := screen.Read(buf) // EIO when nobody has the terminal any more
		out.Write(buf[:n])
		if o.do != nil && strings.Contains(out.String(), o.when) {
			o.do(screen)
			o.do = nil
		}
		if err != nil {
			break
		}
	}
	var exit *exec.ExitError
	if err := c.Wait(); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return out.String(), c.ProcessState.ExitCode()
}

var (
	sgr     = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	control = regexp.MustCompile(`^\x1b\[([0-9]*)([AJ])`)
)

// shown is what stands on a screen after all that was written to it: characters, CR, LF, the cursor up (CUU)
// and the rest erased (ED), which is all that nixbundle knows.
func shown(t *testing.T, raw string) string {
	t.Helper()
	raw = sgr.ReplaceAllString(raw, "")
	lines := [][]rune{nil}
	row, col := 0, 0
	for raw != "" {
		if m := control.FindStringSubmatch(raw); m != nil {
			if raw = raw[len(m[0]):]; m[2] == "A" {
				row--
			} else {
				lines = append(lines[:row], lines[row][:min(col, len(lines[row]))])
			}
			require.GreaterOrEqual(t, row, 0, "above the screen")
			continue
		}
		r := []rune(raw)[0]
		raw = raw[len(string(r)):]
		switch r {
		case '\r':
			col = 0
		case '\n':
			if row++; row == len(lines) {
				lines = append(lines, nil)
			}
		default:
			require.True(t, r >= ' ' || r == '\t', "a control character: %q", r)
			for len(lines[row]) <= col {
				lines[row] = append(lines[row], ' ')
			}
			lines[row][col] = r
			col++
		}
	}
	var text []string
	for _, l := range lines {
		text = append(text, string(l))
	}
	return strings.Join(text, "\n")
}

func demoArgs(verb string, args ...string) []string {
	return append([]string{verb, "--root", "../testdata/demo"}, args...)
}

// TestTerminalSaysTheSame: without its colours a terminal shows what a pipe gets, whatever the verb.
func TestTerminalSaysTheSame(t *testing.T) {
	bundle := filepath.Join(t.TempDir(), "s.tar")
	_, _, status := run("--root", "../testdata/demo", "/sensor-fixed/bin/sensor", "-q", "-o", bundle)
	require.Zero(t, status)
	for _, args := range [][]string{
		demoArgs("conflicts", "/sensor-conflict/bin/sensor", "--all"),
		demoArgs("ldd", "/sensor-conflict/bin/sensor", "--open", "nothere.so"),
		demoArgs("tree", "/sensor-conflict/bin/sensor", "--open", "nothere.so"),
		demoArgs("why", "/sensor-conflict/bin/sensor", "libc.so.6"),
		demoArgs("size", "/sensor-fixed/bin/sensor", "--by", "dominator"),
		demoArgs("inspect", "/sensor-fixed/bin/sensor"),
		demoArgs("bundle", "/sensor-fixed/bin/sensor", "--dry-run"),
		{"targets"},
		{"inspect", bundle},
		{"verify", bundle},
		{"ldd", "nothere"},
		{"--frob"},
	} {
		stdout, stderr, status := run(args...)
		raw, ended := onTerminal{env: []string{"LC_ALL=C"}}.run(t, args...)
		require.Equal(t, status, ended, args)
		require.Regexp(t, sgr, raw, args)
		require.ElementsMatch(t, strings.Split(stdout+stderr, "\n"), strings.Split(shown(t, raw), "\n"), args)
	}
}

// TestTerminalColours: what decides whether there are colours, and lines in trees.
func TestTerminalColours(t *testing.T) {
	pipe, _, _ := run(demoArgs("tree", "/sensor-fixed/bin/sensor")...)
	for _, c := range []struct {
		env            []string
		flags          []string
		colours, lines bool
	}{
		{nil, nil, true, false},
		{[]string{"LANG=C.UTF-8"}, nil, true, true},
		{[]string{"LANG=C", "LC_CTYPE=en_US.utf8"}, nil, true, true},
		{[]string{"LANG=C.UTF-8", "LC_CTYPE=C"}, nil, true, false},
		{[]string{"LANG=C", "LC_CTYPE=C", "LC_ALL=de_DE.UTF-8"}, nil, true, true},
		{[]string{"LANG=C.UTF-8", "LC_ALL=POSIX"}, nil, true, false},
		{[]string{"NO_COLOR=1"}, nil, false, false},
		{[]string{"NO_COLOR="}, nil, true, false},
		{[]string{"NO_COLOR=1", "CLICOLOR_FORCE=1"}, nil, false, false},
		{[]string{"TERM=dumb", "LANG=C.UTF-8"}, nil, false, true},
		{[]string{"TERM="}, nil, false, false},
		{[]string{"TERM=dumb"}, []string{"--color", "always"}, true, false},
		{[]string{"NO_COLOR=1"}, []string{"--color=always"}, true, false},
		{nil, []string{"--color=never"}, false, false},
	} {
		raw, _ := onTerminal{env: c.env}.run(t, append(demoArgs("tree", "/sensor-fixed/bin/sensor"), c.flags...)...)
		require.Equal(t, c.colours, strings.Contains(raw, "\x1b[1m"), c)
		require.Equal(t, c.colours, strings.Contains(raw, "\x1b"), c)
		require.Equal(t, c.lines, strings.Contains(raw, "└── "), c)
		if !c.lines {
			require.Equal(t, pipe, shown(t, raw), c)
		}
	}
}

// quick is nixbundle as users have it: what takes it a second takes a program with the race detector in it a minute.
func quick(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "nixbundle")
	out, err := exec.Command("go", "build", "-race=false", "-o", program, "./nixbundle").CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

// output is what a command line prints where no terminal is.
func output(t *testing.T, program string, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = &out, &errs
	require.NoError(t, c.Run(), errs.String())
	return out.String(), errs.String()
}

// large is a demo root with a file that takes long, and options that take it along.
func large(t *testing.T, bytes int64) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	root := filepath.Join(t.TempDir(), "root")
	require.NoError(t, os.CopyFS(root, os.DirFS("../testdata/demo")))
	folders, err := filepath.Glob(root + "/nix/store/*-tflite-*")
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	file := folders[0] + "/large"
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	require.NoError(t, os.Truncate(file, bytes))
	return []string{"--root", root, "/sensor-fixed/bin/sensor", "--include", strings.TrimPrefix(file, root)}
}

// TestProgress: work that lasts says how far it is, and nothing of that is left.
func TestProgress(t *testing.T) {
	program, bundle := quick(t), filepath.Join(t.TempDir(), "s.tar.zst")
	pack := append(large(t, 1000<<20), "-o", bundle)
	typing := func(screen *os.File) { _, _ = screen.WriteString("zz") } // which the terminal echoes
	raw, status := onTerminal{program: program, when: "packing", do: typing}.run(t, pack...)
	require.Zero(t, status)
	require.Contains(t, raw, "zz")
	for at := 0; strings.Contains(raw[at:], "left\r\n"); {
		at += strings.Index(raw[at:], "left\r\n") + len("left\r\n")
		require.Regexp(t, `^packing s\.tar\.zst .* left\n$`, shown(t, raw[:at]), "each time over the last one")
	}
	require.Regexp(t, `packing s\.tar\.zst +[0-9]+ % \[[=>-]+\] +[0-9.]+ MB / 1[0-9.]+ GB +[0-9.]+ [MG]B/s +[0-9]+s left`, raw)
	require.Regexp(t, `^nixbundle: sensor/bin/sensor: interpreter stub.*\nnixbundle: .*s.tar.zst: 16 entries, .*\n$`, shown(t, raw))
	first, err := os.ReadFile(bundle)
	require.NoError(t, err)

	_, stderr := output(t, program, pack...)
	require.NotContains(t, stderr, "packing", "where no terminal is")
	second, err := os.ReadFile(bundle)
	require.NoError(t, err)
	require.True(t, bytes.Equal(first, second), "the bundle depends on who looks")

	var out bytes.Buffer
	raw, status = onTerminal{program: program, stdout: &out}.run(t, "verify", bundle)
	require.Zero(t, status)
	require.Regexp(t, `verifying s\.tar\.zst +[0-9]+ % .* left`, raw)
	require.Empty(t, shown(t, raw))
	require.Regexp(t, `^.*s.tar.zst: nothing wrong in 16 entries`, out.String())

	raw, status = onTerminal{program: program}.run(t, "verify", "--quiet", bundle)
	require.Zero(t, status)
	require.Empty(t, raw)
	for _, env := range []string{"TERM=dumb", "TERM="} {
		raw, status = onTerminal{program: program, env: []string{env}}.run(t, "verify", bundle)
		require.Zero(t, status)
		require.NotContains(t, raw, "verifying", env)
	}
}

// TestProgressBefore: so does what comes before anything is written.
func TestProgressBefore(t *testing.T) {
	program, args := quick(t), append(large(t, 5<<30), "--dry-run")
	raw, status := onTerminal{program: program}.run(t, args...)
	require.Zero(t, status)
	require.Regexp(t, `following sensor  [0-9]+s +\r\n`, raw)
	plan, _ := output(t, program, args...)
	require.Equal(t, plan, shown(t, raw))
}

// TestProgressInterrupted: what ends the work takes the line away first, and nothing is on the disk.
func TestProgressInterrupted(t *testing.T) {
	program, dir := quick(t), t.TempDir()
	args := append(large(t, 3<<30), "-o")
	interrupt := func(screen *os.File) { _, _ = screen.WriteString("\x03") }
	for _, output := range []string{"s.tar.zst", "s.tar", "s/"} {
		raw, status := onTerminal{program: program, when: "packing", do: interrupt}.run(t, append(args, dir+"/"+output)...)
		require.Equal(t, 1, status)
		require.Contains(t, raw, "^C")
		require.Equal(t, "nixbundle: interrupted\n", shown(t, raw))
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	// A reader of standard output that goes away.
	r, w, err := os.Pipe()
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, r) }()
	goAway := func(*os.File) { r.Close() }
	raw, status := onTerminal{program: program, stdout: w, when: "packing", do: goAway}.run(t, append(args, "-")...)
	require.NoError(t, w.Close())
	require.Equal(t, 1, status)
	require.Contains(t, raw, "packing")
	require.Regexp(t, `^nixbundle: .*broken pipe\n$`, shown(t, raw))
}
