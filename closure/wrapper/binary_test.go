package wrapper

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	oncePrefix = "asprintf(&val, \"%s%s%.*s%s\", prefix, sep, n)\x00"
	onceSuffix = "asprintf(&val, \"%.*s%s%s%s\", n, value, sep)\x00"
)

// documented is the string that makeBinaryWrapper leaves in a program.
func documented(command string) string {
	return "\x00\n\n\n# ---\n# The C-code for this binary wrapper has been " + docstring + command + "\n\n\n# (Use x)\n# ---\n\n\n\x00"
}

func TestParseBinary(t *testing.T) {
	join := func(words ...string) string { return strings.Join(words, " \\\n    ") }
	for _, test := range []struct {
		name, text string
		want       Wrapper
	}{
		{"bare", documented("'/opt/x'"), Wrapper{Target: "/opt/x"}},
		{"of 2022", documented(join("/opt/it's x", "--inherit-argv0")), Wrapper{Target: "/opt/it's x", Argv0: Argv0{Inherit: true}}},
		{"quotes", documented(join(`$'/opt/\303\251'`, `--set 'A' 'it'\''s'`, `--set 'B' $'a\nb'`, "--set 'C' 'a\nb'", "--set 'D' ''", "--set 'E' 'a \\\n    --unset'")),
			Wrapper{Target: "/opt/é", Env: []Change{{Op: Set, Name: "A", Value: "it's"}, {Op: Set, Name: "B", Value: "a\nb"}, {Op: Set, Name: "C", Value: "a\nb"},
				{Op: Set, Name: "D"}, {Op: Set, Name: "E", Value: "a \\\n    --unset"}}}},
		{"all", documented(join("'/x'", "--set-default 'A' 'b'", "--unset 'C'", "--prefix 'P' ':' '/a:/b'", "--suffix 'P' ':' '/c'", "--chdir '/d'",
			"--add-flag 'a b'", "--add-flags ' c  d$e '", "--append-flag ''", "--append-flags '*'", "--argv0 'n'")),
			Wrapper{Target: "/x", Argv0: Argv0{Text: "n"}, Chdir: "/d", Args: []Arg{{Text: "a b"}, {Text: "c"}, {Text: "d$e"}}, After: []Arg{{}, {Text: "*"}},
				Env: []Change{{Op: SetDefault, Name: "A", Value: "b"}, {Op: Unset, Name: "C"}, {Op: Prefix, Name: "P", Value: "/a:/b", Sep: ":", Join: JoinSet},
					{Op: Suffix, Name: "P", Value: "/c", Sep: ":", Join: JoinSet}}}},
		{"once", oncePrefix + documented(join("'/x'", "--prefix 'P' ':' '/a'", "--suffix 'P' ':' '/c'")), Wrapper{Target: "/x",
			Env: []Change{{Op: Prefix, Name: "P", Value: "/a", Sep: ":", Join: JoinSet, Once: true}, {Op: Suffix, Name: "P", Value: "/c", Sep: ":", Join: JoinSet}}}},
		{"the last argv0", documented(join("'/x'", "--inherit-argv0", "--argv0 'n'", "--argv0 ''")), Wrapper{Target: "/x"}},
		{"resolved", "\x00strtok\x00execv\x00" + documented(join("'/x'", "--inherit-argv0")), Wrapper{Target: "/x", Argv0: Argv0{Inherit: true, Resolve: true}}},
		{"resolved, static", "\x00%s/%s\x00" + documented(join("'/x'", "--inherit-argv0")), Wrapper{Target: "/x", Argv0: Argv0{Inherit: true, Resolve: true}}},
		{"flags of one line", documented(join("'/x'", "--add-flags $'one\\nthree'")), Wrapper{Target: "/x", Args: []Arg{{Text: "one"}}}},
		{"flags of two", "\x00three\x00" + documented(join("'/x'", "--add-flags $'one\\nthree'")), Wrapper{Target: "/x", Args: []Arg{{Text: "one"}, {Text: "three"}}}},
	} {
		w, ok, err := ParseBinary([]byte("\x7fELF" + test.text))
		require.NoError(t, err, test.name)
		require.True(t, ok, test.name)
		test.want.Kind = Binary
		assert.Equal(t, &test.want, w, test.name)
	}
}

func TestBinaryRefused(t *testing.T) {
	for _, test := range []struct{ text, why string }{
		{"'/x' \\\n    --set 'a.b' 'c'", `--set a.b c: changes the variable "a.b", which no shell can`},
		{"'/x' \\\n    --set 'UID' '1'", "--set UID 1: changes UID, which shells have for themselves"},
		{"'/x' \\\n    --set 'A'", "--set A: is not understood"},
		{"'/x' \\\n    --frob 'A'", "--frob A: is not understood"},
		{"'/x' \\\n    --set A $B", "has something to expand in it"},
		{"'/x' \\\n    --set A 'b", "has a quote or a brace that is not closed"},
		{"'/x' \\\n    --chdir '%ROOT%/a'", "--chdir %ROOT%/a: has %ROOT% in it, which stands for the bundle's folder"},
		{"'/x' \\\n    --add-flags 'a\nyz'", "--add-flags a\nyz: has flags over several lines, of which the program may have taken the first alone"},
		{"'bin/x'", "starts bin/x, which is no absolute path"},
	} {
		_, ok, err := ParseBinary([]byte("xyz\x00" + documented(test.text)))
		var u *UnsupportedError
		require.ErrorAs(t, err, &u, test.text)
		assert.True(t, ok)
		assert.Equal(t, test.why, err.Error())
		assert.Equal(t, strings.HasPrefix(test.text, "'/x"), u.Target == "/x")
	}
	for _, text := range []string{"", "makeCWrapper '/x'", "binary wrapper"} {
		_, ok, err := ParseBinary([]byte(text))
		assert.False(t, ok)
		assert.NoError(t, err)
	}
}

// listC adds a value to a list: without looking, or with a look at the first place where it is found.
const listC = `#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char buf[1 << 16];
static int begins(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }
static void list(int front, int look, const char *name, const char *sep, const char *add) {
	const char *old = getenv(name), *at;
	size_t n = strlen(add), k = strlen(sep);
	if (!old) { setenv(name, add, 1); return; }
	at = look ? strstr(old, add) : 0;
	if (at && (at == old || (size_t)(at - old) >= k && begins(at - k, sep)) && (!at[n] || begins(at + n, sep))) {
		if (at == old && front || !at[n] && !front) return;
		if (front) sprintf(buf, "%s%s%.*s%s", add, sep, (int)(at - old - k), old, at + n);
		else sprintf(buf, "%.*s%s%s%s", (int)(at - old), old, at + n + k, sep, add);
	} else if (front) sprintf(buf, "%s%s%s", add, sep, old);
	else sprintf(buf, "%s%s%s", old, sep, add);
	setenv(name, buf, 1);
}
`

// literalC is a string of C.
func literalC(s string) string {
	var out strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&out, "\\%03o", s[i])
	}
	return `"` + out.String() + `"`
}

// compile makes a program of that main, which has the command and the messages in it.
func compile(t *testing.T, cc, body, command string, look bool) string {
	t.Helper()
	note := documented(command)
	if look {
		note = oncePrefix + onceSuffix + note
	}
	path := filepath.Join(t.TempDir(), "wrapper")
	source := listC + "const char note[] = " + literalC(note) + ";\nint main(int argc, char **argv) {\n" + body + "\treturn 1;\n}\n"
	require.NoError(t, os.WriteFile(path+".c", []byte(source), 0o644))
	out, err := exec.Command(cc, "-w", "-o", path, path+".c").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// TestBinaryRuns holds what is understood of a command against programs that do it.
func TestBinaryRuns(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	probe := buildProbe(t)
	for _, look := range []bool{false, true} {
		for _, sep := range []string{":", ", ", "", "'"} {
			for _, op := range []string{"--prefix", "--suffix", "--set", "--set-default", "--unset"} {
				list := op == "--prefix" || op == "--suffix"
				if sep != ":" && (testing.Short() || !list) || look && !list {
					continue
				}
				t.Run(fmt.Sprint(op, sep, look), func(t *testing.T) {
					var body strings.Builder
					command := quoted(probe)
					for k, value := range hostile {
						name := fmt.Sprint("V", k)
						command += " \\\n    " + op + " '" + name + "'"
						switch op {
						case "--unset":
							fmt.Fprintf(&body, "unsetenv(%q);", name)
							continue
						case "--set", "--set-default":
							fmt.Fprintf(&body, "setenv(%q, %s, %t);", name, literalC(value), op == "--set")
						default:
							command += " " + quoted(sep)
							fmt.Fprintf(&body, "list(%t, %t, %q, %s, %s);", op == "--prefix", look, name, literalC(sep), literalC(value))
						}
						command += " " + quoted(value)
					}
					run := strings.NewReplacer("true", "1", "false", "0").Replace(body.String()) + "argv[0] = " + literalC(probe) + "; execv(argv[0], argv);\n"
					path := compile(t, cc, run, command, look)
					data, err := os.ReadFile(path)
					require.NoError(t, err)
					w, ok, err := ParseBinary(data)
					require.NoError(t, err)
					require.True(t, ok)
					same(t, path, w, environments(hostile, sep))
				})
			}
		}
	}
	path := compile(t, cc, "chdir(\"/usr/..\"); argv[argc] = \"z\"; argv[argc + 1] = 0; execv("+literalC(probe)+", argv);\n",
		quoted(probe)+" \\\n    --chdir '/usr' \\\n    --inherit-argv0 \\\n    --append-flags 'z' \\\n    --chdir '..'", false)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	w, _, err := ParseBinary(data)
	require.NoError(t, err)
	same(t, path, w, environments(nil, ":")[:1])
}
