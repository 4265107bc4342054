package closure_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// argvC prints its arguments and its environment, a NUL behind each.
	argvC = `#include <stdio.h>
extern char **environ;
int main(int argc, char **argv) {
	for (char **p = argv; *p; p++) printf("%s", *p), putchar(0);
	for (char **p = environ; *p; p++) printf("=%s", *p), putchar(0);
}`
	// binaryC starts P by the name that it was given, A=1 in the environment, -b in front.
	binaryC = `#include <stdlib.h>
#include <unistd.h>
const char note[] = "generated using the following command:\n\n\nmakeCWrapper 'P' \\\n    --inherit-argv0 \\\n    --set 'A' '1' \\\n    --add-flags '-b'\n";
int main(int argc, char **argv) {
	char **all = calloc(argc + 2, sizeof *all);
	all[0] = argv[0], all[1] = "-b";
	for (int i = 1; i <= argc; i++) all[i + 1] = argv[i];
	putenv("A=1");
	execv("P", all);
	return 1;
}`
)

// TestFlattenRuns has the kernel start chains of wrappers, and a shell the one that they make together.
func TestFlattenRuns(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	at := func(name string) string { return filepath.Join(dir, name) }
	compile := func(name, source string) {
		require.NoError(t, os.WriteFile(at(name+".c"), []byte(source), 0o644))
		out, err := exec.Command(cc, "-w", "-o", at(name), at(name+".c")).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	compile("prog", argvC)
	compile("binary", strings.ReplaceAll(binaryC, "P", at("prog")))
	shell := "#! " + bash + " -e\n"
	for name, text := range map[string]string{
		"one":    shell + "export A=0\nexport P='/a'${P:+':'$P}\nexec -a \"$0\" \"" + at("binary") + "\" -o \"$@\" -z",
		"two":    shell + "export P='/b'${P:+':'}$P\nexec -a \"$0\" \"" + at("one") + "\"  \"$@\" -y",
		"script": "#!" + at("binary") + " -s two\nprint",
		"three":  shell + "unset P\nexec -a name \"" + at("script") + "\" ${Q:+-q \"$Q\"} \"$@\"",
		"four":   shell + "exec \"" + at("two") + "\" -f",
		"five":   "#!" + at("three") + "\n",
		"env":    "#!/usr/bin/env -S E=1 " + at("one") + " -e 'x y'\n",
	} {
		require.NoError(t, os.WriteFile(at(name), []byte(text+"\n"), 0o755))
	}
	for _, name := range []string{"prog", "binary", "one", "two", "script", "three", "four", "five", "env"} {
		l, err := closure.ReadLaunch(os.DirFS("/"), at(name), closure.Options{})
		require.NoError(t, err, name)
		assert.Equal(t, at("prog"), l.Program)
		w, err := closure.Flatten(l.Steps)
		require.NoError(t, err, name)
		want := programSees(t, at(name), "u v", "*")
		argv0 := "given"
		switch {
		case w.Argv0.Inherit && w.Kind == wrapper.Shell:
			argv0 = at(name)
		case !w.Argv0.Inherit && w.Kind != "":
			argv0 = w.Argv0.Text
			if argv0 == "" {
				argv0 = w.Target
			}
		}
		assert.Equal(t, argv0, want[0], name)
		launcher := "root=/r/\n" + w.Setup() + "exec '" + l.Program + "' " + w.Arguments() + "\n"
		got := programSees(t, "/bin/sh", "-c", launcher, "x", "u v", "*")
		assert.Equal(t, want[1:], got[1:], "%s\n%s", name, launcher)
	}
}

// programSees is the arguments and the sorted environment that the program at the end prints.
func programSees(t *testing.T, file string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(file, args...)
	cmd.Args[0] = "given"
	cmd.Env = []string{"P=/p", "Q=q q"}
	out, err := cmd.Output()
	require.NoError(t, err, file)
	words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	own := func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		return slices.Contains([]string{"_", "SHLVL", "PWD", "OLDPWD"}, name)
	}
	words = slices.DeleteFunc(words, func(s string) bool { return strings.HasPrefix(s, "=") && own(s[1:]) })
	n := slices.IndexFunc(words, func(s string) bool { return strings.HasPrefix(s, "=") })
	slices.Sort(words[n:])
	return words
}
