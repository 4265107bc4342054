package stub_test

import (
	"bytes"
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStart is the promise of a stub: a program that has one runs as it would with a PT_INTERP that
// the kernel can use, however it is started: same output, same status. The judges are the
// original program and the kernel, or qemu-user.
func TestStart(t *testing.T) {
	full := os.Getenv("NIXBUNDLE_FULL") != ""
	for _, m := range machines {
		t.Run(m.name, func(t *testing.T) {
			needTools(t, m)
			for _, k := range kinds() {
				t.Run(k.libc+k.link, func(t *testing.T) {
					p := buildProbe(t, m, k)
					for _, page := range m.pages {
						for _, s := range starts {
							if s.native && !m.native() {
								continue
							}
							if full || m.native() || s.name == "direct" || page == "4096" && s.quick {
								t.Run(page+"/"+s.name, func(t *testing.T) { p.compare(t, page, s) })
							}
						}
					}
				})
			}
		})
	}
}

// compare runs the original and the stubbed program at one place, one after the other.
func (p *probe) compare(t *testing.T, page string, s start) {
	root := t.TempDir()
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", root).Run() })
	dir := filepath.Join(root, cmp.Or(s.dir, "bundle"))
	long := s.long
	if p.libc == "musl" {
		long = min(long, 480) // musl looks for libraries in paths up to 512 bytes (ldso/dynlink.c: path_open)
	}
	dir = filled(dir, long-len("/bin/probe"))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.CopyFS(dir, os.DirFS(p.dir)))
	program := dir + "/bin/probe"
	if long > 0 {
		require.Len(t, program, long)
	}
	var outputs, stderrs [2]string
	for i, b := range [][]byte{p.original, p.stubbed} {
		require.NoError(t, os.RemoveAll(program))
		require.NoError(t, os.WriteFile(program, b, 0o755))
		var status int
		outputs[i], stderrs[i], status = p.run(t, page, program, s)
		if i == 0 && status != 7 && page != "4096" {
			t.Skipf("qemu-user does not run the original with pages of %s bytes: it takes what is behind a file's end for unmapped", page)
		}
		require.Equal(t, 7, status, "%s%s", outputs[i], stderrs[i])
		require.Empty(t, stderrs[i])
	}
	require.Equal(t, outputs[0], outputs[1])
	require.Contains(t, outputs[1], "\nexe ")
	require.Contains(t, outputs[1], "interp 1 ")
	require.Contains(t, outputs[1], "destructor\n")
	if p.native() {
		require.Contains(t, outputs[1], "\nvdso 1 ")
	}
}

// filled is a folder below dir whose path has length bytes, or dir where it is longer already.
func filled(dir string, length int) string {
	for len(dir)+1 < length {
		n := min(length-len(dir)-1, 200)
		if length-len(dir)-1-n == 1 {
			n-- // the last would be a slash alone
		}
		dir += "/" + strings.Repeat("d", n)
	}
	return dir
}

// start is a way to start a program.
type start struct {
	name   string
	quick  bool   // among those that every machine tries
	native bool   // not with an emulator, which opens the program itself
	dir    string // the folder's name
	long   int    // the length of the program's path, which the folder's name is filled up to
	argv0  string // "" for the path
	// How it is called: a script for the shell above. The folder of bin and lib is the current one.
	script string
}

var starts = []start{
	{name: "direct", quick: true},
	{name: "link", quick: true, script: `ln -sf bin/probe one; ln -sf one two; P=$PWD/two; run "$@"`},
	{name: "folder_link", script: `ln -sfn "$PWD/bin" ../elsewhere; P=$PWD/../elsewhere/probe; run "$@"`},
	{name: "PATH", argv0: "probe", script: `PATH=$PWD/bin:$PATH; byname "$@"`},
	{name: "moved", script: `mv "$PWD" "$PWD.moved"; P=$PWD.moved/bin/probe; run "$@"; s=$?; mv "$PWD.moved" "$PWD"; exit $s`},
	{name: "space_UTF-8", quick: true, dir: "a b/ä ☂ '\"$x", argv0: "ü"},
	{name: "long_path", quick: true, long: 4000},
	{name: "read-only", script: `chmod -R a-w .; run "$@"; s=$?; chmod -R u+w .; exit $s`},
	{name: "relative", script: `cd bin; P=./probe; run "$@"`},
	{name: "no_stdin", quick: true, script: `run "$@" <&-`},
	{name: "no_files", script: `exec 3>&1; run "$@" <&- 2>&-`},
	{name: "large_environment", quick: true, script: `ulimit -s 65536; big=$(printf %0105000d 0)
i=0; while [ $i -lt 57 ]; do export "V$i=$big"; i=$((i+1)); done; run "$@"`}, // Linux takes 6 MB
	{name: "deleted", native: true, script: `exec 9<"$P"; rm "$P"; P=/proc/$$/fd/9; run | sed "s,/proc/$$/,/proc/PID/,g"`},
	{name: "loader", quick: true, script: `"$@" "$L" "$P" "${arguments[@]}" |
sed -E 's/(entry|interp) [01]/\1 1/g'`}, // a loader that is started itself says what stands in the file
	{name: "no_environment", script: `bare "$@"`},
}

// shell has what the scripts of starts use: run, byname and bare start the program at $P. Its
// arguments are the emulator, if there is one.
const shell = `
set -o pipefail
emulator=("$@")
arguments=(one 'two words' '')
run() {
  if [ $# -eq 0 ]; then (exec -a "${A-$P}" "$P" "${arguments[@]}")
  else ("$@" -0 "${A-$P}" "$P" "${arguments[@]}"); fi
}
byname() {
  if [ $# -eq 0 ]; then (probe "${arguments[@]}")
  else A=probe P=$(type -P probe) run "$@"; fi
}
bare() { (exec env -i "$@" "$P" "${arguments[@]}"); }
`

// run runs the program as s says.
func (p *probe) run(t *testing.T, page, program string, s start) (stdout, stderr string, status int) {
	t.Helper()
	c := exec.Command("timeout", "-s", "KILL", "60", "bash", "-c", shell+cmp.Or(s.script, `run "$@"`), "bash")
	if !p.native() {
		c.Args = append(c.Args, "qemu-"+p.name+"-static", "-p", page)
	}
	c.Dir = filepath.Dir(filepath.Dir(program))
	c.Env = []string{"PATH=/usr/bin:/bin", "PROBE=1", "P=" + program, "L=" + c.Dir + "/lib/" + p.loaderName()}
	if s.argv0 != "" {
		c.Env = append(c.Env, "A="+s.argv0)
	}
	return output(t, c)
}

func output(t *testing.T, c *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, diag bytes.Buffer
	c.Stdout, c.Stderr = &out, &diag
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return out.String(), diag.String(), c.ProcessState.ExitCode()
}
