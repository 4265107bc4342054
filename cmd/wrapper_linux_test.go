package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wrapperCase is one wrapper, and what it is expected to be in the bundle.
type wrapperCase struct {
	name string
	make func(s *smallStore) string // makes the wrapper and gives its path
	kept bool                       // it is a script, of which the bundle has a copy beside the launcher
}

// The store paths that wrappers name, and where they are in a bundle.
const (
	helpers  = toolsPath + "/bin"
	greeting = dataPath + "/share/greetings/greeting.txt"
	conf     = dataPath + "/etc/probe.conf"
	hidden   = probePath + "/bin/.probe-wrapped"
)

// bundled replaces the paths of the store by their places in a bundle.
func (w *wrapperCase) bundled(asked string) *strings.Replacer {
	own := "@/store/5wwwwwww-wrapped-1.0"
	program := "@/bin/probe"
	if w.kept {
		program = own + "/bin/probe"
	}
	return strings.NewReplacer(
		asked, program,
		strings.TrimSuffix(asked, "/bin/probe"), own,
		hidden, "@/libexec/probe",
		toolsPath, "@/store/2ccccccc-tools-1.0",
		dataPath+"/share/", "@/share/",
		dataPath, "@/store/3ddddddd-data-1.0",
	)
}

// shellText is a wrapper as the text of a shell.
func shellText(first string, lines ...string) func(s *smallStore) string {
	return func(s *smallStore) string { return s.add(first + "\n" + strings.Join(lines, "\n") + "\n") }
}

// Flags as makeWrapper has written them over the years.
const (
	today = "#! " + bashPath + "/bin/bash -e" // since 2018
	user  = `exec -a "$0" "` + hidden + `"  "$@" `
	plain = `exec "` + hidden + `"  "$@" `
)

// list2022 is --prefix since 2022, and --suffix.
func list2022(op, name, value string) string {
	v := "'" + value + "'"
	lines := []string{"X=${X:+':'$X':'}", "X=${X/':'" + v + "':'/':'}", "X=" + v + "$X", "X=${X#':'}", "X=${X%':'}", "export X"}
	if op == "suffix" {
		lines[1], lines[2] = "if [[ $X != *':'"+v+"':'* ]]; then", "    X=$X"+v+"\nfi"
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), "X", name)
}

var wrapperCases = []wrapperCase{
	{name: "set", make: shellText(today, "export SET='a  b'", "export SET2='"+greeting+"'", user)},
	{name: "set-default", make: shellText(today, "export DEFAULT=${DEFAULT-'"+conf+"'}", "export LIST=${LIST-'x y'}", user)},
	{name: "unset", make: shellText(today, "unset GONE", "unset LIST", user)},
	{name: "prefix", make: shellText(today, list2022("prefix", "LIST", helpers), list2022("prefix", "PATH", helpers), user)},
	{name: "suffix", make: shellText(today, list2022("suffix", "LIST", helpers), list2022("suffix", "XDG_DATA_DIRS", dataPath+"/share"), user)},
	{name: "prefix 2020", make: shellText(today, "export LIST='"+helpers+"'${LIST:+':'$LIST}", user)},
	{name: "suffix 2020", make: shellText(today, "export LIST=$LIST${LIST:+':'}'"+helpers+"'", user)},
	{name: "prefix 2019", make: shellText(today, "export LIST='"+helpers+"'${LIST:+':'}$LIST", user)},
	{name: "suffix each 2019", make: shellText(today, "export LIST=$LIST${LIST:+':'}'a'", "export LIST=$LIST${LIST:+':'}'"+helpers+"'", user)},
	{name: "before 2018", make: shellText("#! "+bashPath+"/bin/bash", "export LIST='"+helpers+"'${LIST:+:}$LIST", `exec -a "$0" "`+hidden+`"  "${extraFlagsArray[@]}" "$@" `)},
	{name: "chdir", make: shellText(today, "cd '"+dataPath+"/share'", user)},
	{name: "chdir away", make: shellText(today, "cd '/'", user)},
	{name: "add-flags", make: shellText(today, `exec -a "$0" "`+hidden+`"  --config `+conf+` --two 'w o r d s' "$@" `)},
	{name: "append-flags", make: shellText(today, `exec -a "$0" "`+hidden+`"  "$@" --last=`+conf)},
	{name: "both flags", make: shellText(today, `exec -a "$0" "`+hidden+`"  ${LIST:+--list "$LIST"} "$@" -z`)},
	{name: "argv0", make: shellText(today, "export SET=1", `exec -a 'other name' "`+hidden+`"  "$@" `)},
	{name: "argv0 alone", make: shellText(today, `exec -a 'other name' "`+hidden+`"  "$@" `)},
	{name: "no argv0", make: shellText(today, "export SET=1", plain)},
	{name: "nothing", make: shellText(today, user)},
	{name: "plain exec", make: shellText("#!"+bashPath+"/bin/sh", "export SET="+greeting, `exec `+hidden+` "$@"`)},
	{name: "dropped arguments", make: shellText(today, `exec `+hidden+` --daemon`)},
	{name: "wrapped twice", make: func(s *smallStore) string {
		inner := s.add(today + "\n" + list2022("prefix", "LIST", helpers) + "\nexport SET=inner\n" + `exec -a "$0" "` + hidden + `"  --inner "$@" ` + "\n")
		require.NoError(s.t, os.Rename(s.root+inner, s.root+filepath.Dir(inner)+"/.probe-wrapped"))
		s.write(inner, 0o755, today+"\n"+list2022("suffix", "LIST", dataPath+"/share")+"\nexport SET=outer\n"+
			`exec -a "$0" "`+filepath.Dir(inner)+`/.probe-wrapped"  --outer "$@" `+"\n")
		return inner
	}},
	{name: "wrapped script", make: func(s *smallStore) string {
		inner := s.add("#! " + hidden + " -x  y \nscript\n")
		require.NoError(s.t, os.Rename(s.root+inner, s.root+filepath.Dir(inner)+"/.probe-wrapped"))
		s.write(inner, 0o755, today+"\n"+list2022("prefix", "PATH", helpers)+"\n"+`exec -a "$0" "`+filepath.Dir(inner)+`/.probe-wrapped"  --outer "$@" `+"\n")
		return inner
	}},
	{name: "script", kept: true, make: shellText("#!"+hidden, "print "+conf)},
	{name: "script with argument", kept: true, make: shellText("#!"+hidden+" -x y", "print")},
	{name: "binary in shell", make: func(s *smallStore) string {
		inner := s.binary("--inherit-argv0", "--set", "SET", "binary", "--prefix", "LIST", ":", helpers)
		outer := s.add(today + "\nexport SET=shell\nexport LIST=" + conf + "\n" + `exec -a "$0" "` + inner + `"  "$@" -o` + "\n")
		return outer
	}},
	{name: "binary set", make: binaryFlags("--inherit-argv0", "--set", "SET", "a 'b' $c", "--set", "SET2", greeting)},
	{name: "binary set-default", make: binaryFlags("--inherit-argv0", "--set-default", "DEFAULT", conf, "--set-default", "LIST", "x y")},
	{name: "binary unset", make: binaryFlags("--inherit-argv0", "--unset", "GONE", "--unset", "LIST")},
	{name: "binary prefix", make: binaryFlags("--inherit-argv0", "--prefix", "LIST", ":", helpers, "--prefix", "PATH", ":", helpers)},
	{name: "binary suffix", make: binaryFlags("--inherit-argv0", "--suffix", "LIST", ":", helpers, "--suffix", "XDG_DATA_DIRS", ":", dataPath+"/share")},
	{name: "binary chdir", make: binaryFlags("--inherit-argv0", "--chdir", dataPath+"/share")},
	{name: "binary flags", make: binaryFlags("--inherit-argv0", "--add-flags", "--config "+conf, "--append-flags", "-z "+greeting)},
	{name: "binary flag", make: binaryFlags("--inherit-argv0", "--add-flag", "two words", "--append-flag", "and more")},
	{name: "binary argv0", make: binaryFlags("--argv0", "other name", "--set", "SET", "1")},
	{name: "binary no argv0", make: binaryFlags("--set", "SET", "1")},
	{name: "binary nothing", make: binaryFlags("--inherit-argv0")},
}

func binaryFlags(flags ...string) func(s *smallStore) string {
	return func(s *smallStore) string { return s.binary(flags...) }
}

// binary makes a program that does what makeCWrapper's does for the same flags, and says so in its text.
func (s *smallStore) binary(flags ...string) string {
	s.t.Helper()
	var body strings.Builder
	var before, after []string
	command := "makeCWrapper '" + hidden + "'"
	argv0 := fmt.Sprintf("%q", hidden)
	for len(flags) > 0 {
		take := map[string]int{"--inherit-argv0": 0, "--set": 2, "--set-default": 2, "--prefix": 3, "--suffix": 3}
		n, ok := take[flags[0]]
		if !ok {
			n = 1
		}
		op, args := flags[0], flags[1:n+1]
		flags = flags[n+1:]
		command += " \\\n    " + op
		for _, a := range args {
			command += " '" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		switch op {
		case "--inherit-argv0":
			argv0 = "argv[0]"
		case "--argv0":
			argv0 = fmt.Sprintf("%q", args[0])
		case "--set", "--set-default":
			fmt.Fprintf(&body, "\tsetenv(%q, %q, %d);\n", args[0], args[1], map[string]int{"--set": 1}[op])
		case "--unset":
			fmt.Fprintf(&body, "\tunsetenv(%q);\n", args[0])
		case "--prefix", "--suffix":
			fmt.Fprintf(&body, "\tlist(%q, %q, %q, %d);\n", args[0], args[1], args[2], map[string]int{"--prefix": 1}[op])
		case "--chdir":
			fmt.Fprintf(&body, "\tif (chdir(%q)) return 1;\n", args[0])
		case "--add-flag":
			before = append(before, args[0])
		case "--add-flags":
			before = append(before, strings.Fields(args[0])...)
		case "--append-flag":
			after = append(after, args[0])
		case "--append-flags":
			after = append(after, strings.Fields(args[0])...)
		}
	}
	fmt.Fprintf(&body, "\tchar **to = calloc(argc + 100, sizeof *to), **next = to;\n\t*next++ = %s;\n", argv0)
	for _, a := range before {
		fmt.Fprintf(&body, "\t*next++ = %q;\n", a)
	}
	body.WriteString("\tfor (int i = 1; i < argc; i++) *next++ = argv[i];\n")
	for _, a := range after {
		fmt.Fprintf(&body, "\t*next++ = %q;\n", a)
	}
	note := "\n# The C-code for this binary wrapper has been generated using the following command:\n\n\n" + command + "\n\n\n"
	path := s.newPath() + "/bin/probe"
	s.compile(path, binaryListC+fmt.Sprintf("const char note[] = %q;\nint main(int argc, char **argv) {\n%s\treturn execv(%q, to);\n}\n", note, body.String(), hidden))
	return path
}

// binaryListC adds to a list as makeCWrapper's programs do before 2025.
const binaryListC = `#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void list(const char *name, const char *sep, const char *add, int front) {
	char *old = getenv(name), *to = (char *)add;
	if (old) asprintf(&to, "%s%s%s", front ? add : old, sep, front ? old : add);
	setenv(name, to, 1);
}
`

// environments are those that wrappers are started in. Three things are not among them that no launcher in sh
// can pass on: names that are none to a shell, which dash drops; IFS, which shells set back; and no PATH at all,
// for which they have a value of their own.
var environments = [][]string{
	{"PATH=/usr/bin:/bin"},
	{"PATH=/usr/bin:/bin", "HOME=/home/user", "LANG=C.UTF-8", "TERM=dumb", "LIST=a:b", "SET=before", "GONE=1", "DEFAULT=mine", "XDG_DATA_DIRS=/usr/share"},
	{"PATH=", "LIST=", "SET=", "SET2=", "GONE=", "DEFAULT=", "XDG_DATA_DIRS="},
	{"LIST=x y  z*", "SET=$(id)", "DEFAULT=a'b\"c", "GONE=\n", "PATH=/bin:/a b", "CDPATH=/:/usr", "dir=1", "self=2", "link=3", "root=4"},
	{"LIST=:", "XDG_DATA_DIRS=a::b", "PATH=:/bin:", "LC_ALL=C"},
	{"LIST=/x:" + helpers + ":/y", "PATH=" + helpers, "XDG_DATA_DIRS=" + dataPath + "/share:/y"},
}

// TestWrappersDoTheSame: a program that is started by a wrapper sees the same arguments, environment and
// folder in its bundle as in the store, but for where the files are.
func TestWrappersDoTheSame(t *testing.T) {
	s := newSmallStore(t)
	for _, w := range wrapperCases {
		t.Run(w.name, func(t *testing.T) {
			asked := w.make(s)
			want := make([]seen, len(environments))
			for i, env := range environments {
				want[i] = start(t, s.command(asked, "one", "t w o", "", "*", "$x"), env).as(w.bundled(asked))
			}
			for _, interp := range []string{"stub", "wrapper"} {
				out, err := filepath.EvalSymlinks(t.TempDir())
				require.NoError(t, err)
				_, stderr, status := run("--root", s.root, "--interp", interp, asked, "-o", out+"/")
				require.Zero(t, status, stderr)
				program := out + "/probe/bin/probe"
				back := strings.NewReplacer("@", out+"/probe")
				for i, env := range environments {
					c := exec.Command(program, "one", "t w o", "", "*", "$x")
					c.Dir = "/"
					got := start(t, c, seen{env: env}.as(w.bundled(asked)).as(back).env)
					require.Equal(t, want[i].as(back), got, "%s: %q", interp, env)
					if i == 0 {
						require.Empty(t, slices.DeleteFunc(placesIn(got, out), exists))
					}
				}
			}
		})
	}
}

// placesIn are the paths below a folder that a program sees.
func placesIn(s seen, dir string) []string {
	var paths []string
	for _, text := range slices.Concat(s.argv, []string{s.dir}, s.env) {
		for {
			i := strings.Index(text, dir)
			if i < 0 {
				break
			}
			text = text[i:]
			end := strings.IndexAny(text+":", ": ")
			paths, text = append(paths, text[:end]), text[end:]
		}
	}
	return paths
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
