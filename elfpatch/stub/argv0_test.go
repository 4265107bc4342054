package stub_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

const chosen = stub.Argv0Variable + "="

// odd is an environment that any change of which would show: names that no shell would keep, names
// that are nearly the variable's, and duplicates.
var odd = []string{"PROBE=1", "A-B=1", "EMPTY=", "D=1", "D=2", "D=1", "=nameless", "novalue", "BASH_FUNC_f%%=() { :; }",
	"NEWLINE=a\nb", stub.Argv0Variable, stub.Argv0Variable + "1=x", "X" + chosen + "x", strings.ToLower(chosen) + "x", "NIXBUNDLE_ARGV=x", "Z=last"}

// TestArgv0: a program that gets argv[0] by the variable is given exactly what it is given by who
// starts it with that argv[0] and without the variable. The judge is the kernel, or qemu-user.
func TestArgv0(t *testing.T) {
	for _, m := range machines {
		t.Run(m.name, func(t *testing.T) {
			needTools(t, m)
			for _, k := range kinds() {
				t.Run(k.libc+k.link, func(t *testing.T) {
					p := buildProbe(t, m, k)
					program := write(t, p.dir+"/bin/probe", p.stubbed)
					for _, c := range argv0Cases() {
						t.Run(c.name, func(t *testing.T) { p.compareArgv0(t, program, c) })
					}
					t.Run("again", func(t *testing.T) { p.asksKernel(t, program) })
					t.Run("loader", func(t *testing.T) { p.leavesArgv0(t, program) })
				})
			}
		})
	}
}

type argv0Case struct {
	name string
	env  []string
	want string
}

func argv0Cases() []argv0Case {
	at := func(i int, entries ...string) []string { return slices.Insert(slices.Clone(odd), i, entries...) }
	large := slices.Clone(odd)
	for i := range 15 {
		large = append(large, "LARGE"+string(rune('A'+i))+"="+strings.Repeat("x", 100_000))
	}
	return []argv0Case{
		{"first", at(0, chosen+"sensor"), "sensor"},
		{"middle", at(5, chosen+"bin/sensor"), "bin/sensor"},
		{"last", at(len(odd), chosen+"-sensor"), "-sensor"},
		{"alone", []string{chosen + "sensor"}, "sensor"},
		{"twice", at(3, chosen+"ü =b", chosen+"second"), "ü =b"},
		{"apart", at(len(odd), chosen+"first", "LAST=1", chosen+"second"), "first"},
		{"empty", at(2, chosen), ""},
		{"large", slices.Insert(large, 3, chosen+"sensor"), "sensor"},
	}
}

// without is the environment as the program is to see it.
func without(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, chosen) })
}

func (p *probe) compareArgv0(t *testing.T, program string, c argv0Case) {
	if !p.native() && c.name == "twice" || c.name == "apart" && !p.native() {
		t.Skip("qemu-user hands on one entry of a name")
	}
	want := p.given(t, program, c.want, without(c.env))
	require.Contains(t, want, "argv \""+c.want+"\"\n")
	require.Contains(t, want, "called \""+c.want+"\"")
	require.Equal(t, want, p.given(t, program, program, c.env))
}

// given starts a program, by the emulator where it must be, with an environment as it is, and returns
// what it says. On this machine it says what the kernel says of it as well.
func (p *probe) given(t *testing.T, program, argv0 string, env []string) string {
	t.Helper()
	if p.native() {
		return started(t, program, []string{argv0, "given", "kernel", "", "a b"}, env)
	}
	emulator, err := exec.LookPath("qemu-" + p.name + "-static")
	require.NoError(t, err)
	return started(t, emulator, []string{emulator, "-0", argv0, program, "given", "", "a b"}, env)
}

// asksKernel: the kernel is asked to start the program again. An emulator that is not registered with it
// cannot show more than that.
func (p *probe) asksKernel(t *testing.T, program string) {
	if p.native() {
		t.Skip("the other cases show it")
	}
	emulator, err := exec.LookPath("qemu-" + p.name + "-static")
	require.NoError(t, err)
	out := started(t, emulator, []string{emulator, "-strace", program, "given"}, []string{"A=1", chosen + "sensor", "B=2"})
	require.Contains(t, out, `execve("`+program+`",{"sensor","given",NULL})`)
}

// leavesArgv0: a loader that runs the program has read the environment already.
func (p *probe) leavesArgv0(t *testing.T, program string) {
	loader := p.dir + "/lib/" + p.loaderName()
	argv := []string{loader, "--argv0", "sensor", program, "given"}
	path := loader
	if !p.native() {
		emulator, err := exec.LookPath("qemu-" + p.name + "-static")
		require.NoError(t, err)
		argv, path = append([]string{emulator}, argv...), emulator
	}
	out := started(t, path, argv, []string{"A=1", chosen + "other", "B=2"})
	for _, want := range []string{"argv \"sensor\"", "env \"A=1\"", "env \"" + chosen + "other\"", "env \"B=2\""} {
		require.Contains(t, out, want+"\n")
	}
}

// started runs a program with this argv and environment, duplicates and all, which os/exec would
// mend. The probe ends with 7.
func started(t *testing.T, path string, argv, env []string) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer out.Close()
	process, err := os.StartProcess(path, argv, &os.ProcAttr{Env: env, Files: []*os.File{nil, out, out}})
	require.NoError(t, err)
	state, err := process.Wait()
	require.NoError(t, err)
	b, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	require.Equal(t, 7, state.ExitCode(), string(b))
	return string(b)
}

// TestArgv0InPlace: where the kernel does not start the program again, the text is written over
// argv[0], the environment is as exact, and a longer text is left.
func TestArgv0InPlace(t *testing.T) {
	p := nativeProbe(t)
	program := write(t, p.dir+"/bin/probe", p.stubbed)
	fexec := p.dir + "/fexec"
	tool(t, p.triplet+"-gcc", "-o", fexec, "testdata/fexec.c")
	run := func(argv0 string, env []string) string {
		return started(t, fexec, []string{fexec, program, argv0, "given", "a b"}, env)
	}
	for _, c := range argv0Cases() {
		require.Equal(t, run(c.want, without(c.env)), run("/libexec/sensor", c.env), c.name)
	}
	same := strings.Repeat("s", 15)
	require.Equal(t, run(same, odd), run("/libexec/sensor", append([]string{chosen + same}, odd...)))
	require.Equal(t, run("/libexec/sensor", odd), run("/libexec/sensor", append([]string{chosen + same + "s"}, odd...)))
}
