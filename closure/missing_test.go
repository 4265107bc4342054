package closure_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestMissingSentence: one library needs, several need.
func TestMissingSentence(t *testing.T) {
	files := elftest.Tree{
		storeA + "/lib/liba.so": runPath(lib("liba.so", "libgone.so.1"), storeA+"/lib"),
		storeA + "/lib/libb.so": runPath(lib("libb.so", "libgone.so.1"), storeA+"/lib"),
	}
	for want, needs := range map[string][]string{
		"liba.so needs libgone.so.1, and nothing answers: the program does not start":            {"liba.so"},
		"liba.so and libb.so need libgone.so.1, and nothing answers: the program does not start": {"liba.so", "libb.so"},
	} {
		tree := glibc(storeGlibc)
		for at, f := range files {
			tree[at] = f
		}
		tree[storeApp+"/bin/app"] = app(storeGlibc, storeA+"/lib", needs...)
		findings, err := closure.Judge(walk(t, tree, storeApp+"/bin/app"))
		require.NoError(t, err)
		require.Equal(t, closure.KindMissing, findings[0].Kind)
		require.Equal(t, want, findings[0].What)
	}
}
