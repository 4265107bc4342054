package wrapper

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// probeSource prints its arguments, its environment and its folder, a NUL behind each.
const probeSource = `package main

import (
	"fmt"
	"os"
)

func main() {
	dir, _ := os.Readlink("/proc/self/cwd")
	fmt.Print(len(os.Args), "\x00")
	for _, s := range append(append(os.Args, dir), os.Environ()...) {
		fmt.Print(s, "\x00")
	}
}
`

func buildProbe(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(probeSource), 0o644))
	path := filepath.Join(dir, "probe")
	cmd := exec.Command("go", "build", "-o", path, "main.go")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// seen is what a program sees.
type seen struct {
	argv []string
	dir  string
	env  map[string]string
}

// start runs a file with arguments and an environment that has nothing else.
func start(t *testing.T, file string, args []string, env map[string]string, dir string) seen {
	t.Helper()
	cmd := exec.Command(file, args...)
	cmd.Args[0] = "given"
	if filepath.Base(file) == "busybox" {
		cmd.Args[0] = "busybox"
	}
	cmd.Dir = dir
	cmd.Env = []string{}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	require.NoError(t, err, "%s %q: %s", file, args, errors.String())
	words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	var n int
	_, err = fmt.Sscan(words[0], &n)
	require.NoError(t, err)
	s := seen{argv: words[1 : n+1], dir: words[n+1], env: map[string]string{}}
	for _, e := range words[n+2:] {
		name, value, _ := strings.Cut(e, "=")
		s.env[name] = value
	}
	for _, name := range []string{"_", "SHLVL", "PWD", "OLDPWD", "nixbundle_root"} { // the shells' own
		delete(s.env, name)
	}
	return s
}

// shells are those of this machine that a launcher may meet.
func shells() (list [][]string) {
	for _, words := range [][]string{{"sh"}, {"dash"}, {"bash"}, {"bash", "--posix"}, {"busybox", "sh"}, {"ksh"}, {"mksh"}} {
		if path, err := exec.LookPath(words[0]); err == nil {
			list = append(list, append([]string{path}, words[1:]...))
		}
	}
	return list
}

// same runs a wrapper, and what it was understood as by every shell, and compares what the program sees.
func same(t *testing.T, path string, w *Wrapper, envs []map[string]string) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"one", "t w o", "", "*", "$x"}
	launcher := filepath.Join(dir, "launcher")
	text := "nixbundle_root=/r/\n" + w.Setup() + "exec '" + w.Target + "' " + w.Arguments() + "\n"
	require.NoError(t, os.WriteFile(launcher, []byte(text), 0o644))
	for _, env := range envs {
		want := start(t, path, args, env, dir)
		argv0 := want.argv[0]
		switch {
		case w.Argv0.Inherit && w.Kind == Binary:
			assert.Equal(t, "given", argv0)
		case w.Argv0.Inherit:
			assert.Equal(t, path, argv0)
		case w.Argv0.Text != "":
			assert.Equal(t, w.Argv0.Text, argv0)
		default:
			assert.Equal(t, w.Target, argv0)
		}
		applied := maps.Clone(env)
		for _, c := range w.Env {
			value, set := applied[c.Name]
			if applied[c.Name], set = c.apply(value, set); !set {
				delete(applied, c.Name)
			}
		}
		require.Equal(t, want.env, applied, "apply %q", env)
		for _, shell := range shells() {
			got := start(t, shell[0], append(append(shell[1:len(shell):len(shell)], launcher), args...), env, dir)
			got.argv[0] = argv0 // a shell gives its program the name it likes
			require.Equal(t, want, got, "%q %q\n%s", shell, env, text)
		}
	}
}

// hostile are values that a shell or a C compiler might take for something else.
var hostile = []string{"plain", "/nix/store/x/bin", "t w o", "it's", `q"q`, "$HOME", "`id`", `b\s`, "new\nline", "end\n", "a\tb", "*", "[a]?", "~/x",
	"é*", "\x81\x88", "\xff", "a&b", "#x", "%x", "{a,b}", "-n", `\`, "'", "a=b", "\x01", "", "/"}

// startings are the values of a variable that a change of a list with that element may meet.
func startings(value, sep string) []string {
	return []string{"", "a", value, value + sep + "a", "a" + sep + value, "a" + sep + value + sep + "b", value + sep + "b" + sep + value,
		sep, "a" + sep, sep + "a", "a" + sep + sep + "b", "x" + value + sep + "a", "a" + sep + value + "x", value + value, "a" + sep + value + "x" + sep + value}
}

// environments are starting environments in which each variable has each of its startings, and none.
func environments(values []string, sep string) []map[string]string {
	list := []map[string]string{{}}
	for i := range startings("", sep) {
		env := map[string]string{}
		for k, value := range values {
			env[fmt.Sprint("V", k)] = startings(value, sep)[i]
		}
		list = append(list, env)
	}
	return list
}

// quoted is a value as bash quotes it.
func quoted(s string) string {
	if strings.ContainsAny(s, "\n\t\x01") || !utf8.ValidString(s) {
		r := strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\t", `\t`, "\x01", `\001`, "\x81", `\201`, "\x88", `\x88`)
		return "$'" + r.Replace(s) + "'"
	}
	return printer{}.quote(s)
}

// forms are the ways in which makeWrapper has written a change, by year.
var forms = map[string]func(name, sep, value string) string{
	"set":         func(n, _, v string) string { return "export " + n + "=" + quoted(v) },
	"set-default": func(n, _, v string) string { return "export " + n + "=${" + n + "-" + quoted(v) + "}" },
	"unset":       func(n, _, _ string) string { return "unset " + n },
	"prefix 2022": func(n, s, v string) string {
		s, v = quoted(s), quoted(v)
		return strings.NewReplacer("X", n, "S", s, "V", v).Replace("X=${X:+S$XS}\nX=${X/SVS/S}\nX=V$X\nX=${X#S}\nX=${X%S}\nexport X")
	},
	"suffix 2022": func(n, s, v string) string {
		s, v = quoted(s), quoted(v)
		return strings.NewReplacer("X", n, "S", s, "V", v).Replace("X=${X:+S$XS}\nif [[ $X != *SVS* ]]; then\n    X=$XV\nfi\nX=${X#S}\nX=${X%S}\nexport X")
	},
	"prefix 2019": func(n, s, v string) string {
		return "export " + n + "=" + quoted(v) + "${" + n + ":+" + quoted(s) + "}$" + n
	},
	"suffix 2019": func(n, s, v string) string {
		return "export " + n + "=$" + n + "${" + n + ":+" + quoted(s) + "}" + quoted(v)
	},
	"prefix 2020": func(n, s, v string) string {
		return "export " + n + "=" + quoted(v) + "${" + n + ":+" + quoted(s) + "$" + n + "}"
	},
	"suffix 2020": func(n, s, v string) string { return "export " + n + "+=${" + n + ":+" + quoted(s) + "}" + quoted(v) },
	"always":      func(n, s, v string) string { return n + "=" + quoted(v) + quoted(s) + "$" + n + "; export " + n },
	"both":        func(n, s, v string) string { return "export " + n + "=" + quoted(v) + "$" + n + quoted(s) },
	"where set": func(n, s, v string) string {
		return "export " + n + "=" + quoted(v) + "${" + n + "+" + quoted(s) + "$" + n + "}"
	},
	"fill":       func(n, _, v string) string { return ": ${" + n + ":=" + quoted(v) + "}\nexport " + n },
	"local":      func(n, s, v string) string { return n + "=" + quoted(v) },
	"local list": func(n, s, v string) string { return n + "=$" + n + "${" + n + ":+" + quoted(s) + "}" + quoted(v) },
	"local fill": func(n, _, v string) string { return ": ${" + n + ":=" + quoted(v) + "}" },
	"set again": func(n, s, v string) string {
		return "export " + n + "=a\nexport " + n + "=$" + n + quoted(s) + quoted(v)
	},
	"unset again": func(n, s, v string) string {
		return "unset " + n + "\n" + n + "=" + quoted(v) + "${" + n + "+" + quoted(s) + "}"
	},
}

// TestShellRuns runs every form with every hostile value from every starting environment.
func TestShellRuns(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	probe := buildProbe(t)
	run := func(t *testing.T, body string, envs []map[string]string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "wrapper")
		text := []byte("#! " + bash + " -e\n" + body + "\n")
		require.NoError(t, os.WriteFile(path, text, 0o755))
		w, err := Parse(text)
		require.NoError(t, err)
		require.Nil(t, w.Why)
		same(t, path, w, envs)
	}
	users := "exec -a \"$0\" \"" + probe + "\"  \"$@\" "
	for name, form := range forms {
		for _, sep := range []string{":", ", ", "", "'", "*", `\`} {
			if sep != ":" && (testing.Short() || !strings.Contains(name, "20")) {
				continue // they are one to the other forms
			}
			t.Run(name+" "+sep, func(t *testing.T) {
				var lines []string
				for k, value := range hostile {
					lines = append(lines, form(fmt.Sprint("V", k), sep, value))
				}
				run(t, strings.Join(append(lines, users), "\n"), environments(hostile, sep))
			})
		}
	}
	some := []map[string]string{{}, {"A": "", "B": ""}, {"A": "p  q *", "B": "r  s"}, {"A": "1"}, {"HOME": "/h o", "B": "b"}}
	for _, line := range []string{
		`exec "P" "${@}"`, `exec P "$@"`, `exec -a n P --daemon`, `exec -a '$0' P "$@"`, `exec P ${1+"$@"} z`,
		`exec P ${A:+${B:+--x=a --y}} "$@"`, `exec P "${A:-d e}" "$@" ${B-"f  g"}`, `exec P a$A'b c'"$B"\ d "$@"`,
		`exec P /et[c]/pass*d *.nothing "$@"`, `exec P ${A#p} "$@"`, `exec P $'a\nb\x41\303\251\'' "" '' "$@"`,
		`exec P ${A:+a;b&c|d<e>f(g)h#i} {} a{b --c={d} "$@"`, `exec P "a${A:+ $B }b" "$@"`, "cd /\nexec P \"$@\" \\\n x",
		"d=/et\nexec P \"$d\"c $d/* \"$@\"",
	} {
		t.Run(line, func(t *testing.T) { run(t, strings.Replace(line, "P", probe, 1), some) })
	}
}

// TestRendering has the shells themselves say that what is written is in their grammar, and puts the
// bundle's folder in.
func TestRendering(t *testing.T) {
	for _, test := range []struct{ arg, want Arg }{
		{Arg{Text: "%ROOT%/a b"}, Arg{Text: `"$nixbundle_root"'a b'`}},
		{Arg{Text: "--x=%ROOT%/a:%ROOT%/b:%ROOT%"}, Arg{Text: `'--x='"$nixbundle_root"'a:'"$nixbundle_root"'b:'"${nixbundle_root%/}"`}},
		{Arg{Text: "it's"}, Arg{Text: `'it'\''s'`}},
		{Arg{Text: ""}, Arg{Text: `''`}},
		{Arg{Text: `${A:+--x=%ROOT%/s '%ROOT%/it'}`, Shell: true}, Arg{Text: `${A:+--x="$nixbundle_root"s "$nixbundle_root"'it'}`}},
		{Arg{Text: `"${A:-%ROOT%/d}"/*`, Shell: true}, Arg{Text: `"${A:-${nixbundle_root}d}"/*`}},
		{Arg{Text: "two words", Shell: true}, Arg{Text: `'two words'`}},
		{Arg{Text: "$(id)", Shell: true}, Arg{Text: `'$(id)'`}},
	} {
		assert.Equal(t, test.want.Text, test.arg.sh(), test.arg.Text)
	}
	c := Change{Op: Prefix, Name: "P", Value: "%ROOT%/bin", Sep: ":"}
	assert.Equal(t, "P=\"$nixbundle_root\"'bin'${P:+':'$P}\nexport P\n", c.sh())
	for _, shell := range shells() {
		for _, root := range []string{"/r/", "/it's a $root/"} {
			script := "nixbundle_root=$1; P=x; A=1\n" + c.sh() + Change{Op: Prefix, Once: true, Name: "P", Value: "%ROOT%/bin", Sep: ":"}.sh() +
				"printf '%s,' \"$P\" " + Arg{Text: `${A:+--x=%ROOT%/s '%ROOT%/i t'}`, Shell: true}.sh() + "\n"
			out, err := exec.Command(shell[0], append(shell[1:len(shell):len(shell)], "-f", "-c", "IFS=; "+script, "x", root)...).Output()
			require.NoError(t, err, "%q", shell)
			assert.Equal(t, root+"bin:x,--x="+root+"s "+root+"i t,", string(out), "%q", shell)
		}
	}
}
