package closure_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestProgramInterposes builds a program that has a name of its library: each thing that is advised takes the
// finding away, and to leave out -rdynamic, which is not, does not.
func TestProgramInterposes(t *testing.T) {
	needOracle(t, "gcc")
	dir := elftest.WriteTree(t, elftest.Tree{
		"lib.c":  elftest.Data("int size(void) { static int n; return 3 * ++n; }\nint use(void) { return size(); }\n"),
		"prog.c": elftest.Data("int use(void);\nSTATIC int NAME(void) { return 1; }\nint main(void) { return use() + NAME(); }\n"),
		"hide":   elftest.Data("{ local: *; };\n"),
	})
	gcc := func(args ...string) {
		t.Helper()
		cmd := exec.Command("gcc", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	gcc("-shared", "-fPIC", "-o", "liba.so", "lib.c")
	for flags, interposes := range map[string]bool{
		"-DNAME=size -DSTATIC= -rdynamic":                 true,
		"-DNAME=size -DSTATIC=":                           true,
		"-DNAME=own_size -DSTATIC=":                       false,
		"-DNAME=size -DSTATIC=static":                     false,
		"-DNAME=size -DSTATIC= -fvisibility=hidden":       false,
		"-DNAME=size -DSTATIC= -Wl,--version-script=hide": false,
	} {
		gcc(append(strings.Fields(flags), "-o", "prog", "prog.c", "liba.so", "-Wl,-rpath,"+dir)...)
		c, err := closure.Walk(os.DirFS("/"), []string{dir + "/prog"}, closure.Options{})
		require.NoError(t, err)
		findings, err := closure.Judge(c)
		require.NoError(t, err)
		i := slices.IndexFunc(findings, func(f closure.Finding) bool { return f.Kind == closure.KindInterposed })
		require.Equal(t, interposes, i >= 0, flags)
		if interposes {
			require.Contains(t, findings[i].Advice, "rename these names in the program, make them static, or hide them (-fvisibility=hidden, a version script)")
		}
	}
}
