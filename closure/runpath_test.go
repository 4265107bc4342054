package closure_test

import (
	"debug/elf"
	"os"
	"path/filepath"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
	"github.com/stretchr/testify/require"
)

// runPathRoot has liba.so in /a and /b, libb.so in /b, one for another machine in /arm, variants in /caps
// and a linker script in /script.
func runPathRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, im := range map[string]elftest.Image{
		"a/liba.so": {}, "b/liba.so": {}, "b/libb.so": {}, "arm/libb.so": {Machine: elf.EM_ARM}, "caps/libb.so": {},
		"caps/glibc-hwcaps/x86-64-v3/libb.so": {},
	} {
		at := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, im.Bytes(), 0o644))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(root, "script"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "empty"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "script/libb.so"), []byte("INPUT(libb.so.1)"), 0o644))
	return root
}

func runPathInfo(list string) *elfpatch.Info {
	return &elfpatch.Info{
		Machine: elf.EM_X86_64, Class: elf.ELFCLASS64, Data: elf.ELFDATA2LSB,
		Needed: []string{"libb.so", "liba.so", "/path/libc.so"}, RunPath: list, HasRunPath: true,
	}
}

func TestShrinkRunPath(t *testing.T) {
	root, err := closure.OpenRoot(runPathRoot(t))
	require.NoError(t, err)
	for list, want := range map[string]string{
		"/a:/b":                         "/a:/b",
		"/b:/a":                         "/b",
		"/none:/a":                      "/a",
		"/arm:/script:/b":               "/b",
		"$ORIGIN/x:relative:/a::/b/":    "$ORIGIN/x:relative:/a:/b/",
		"/a/liba.so:/b/${LIB}:/b":       "/b/${LIB}:/b",
		"":                              "",
		"/path":                         "",
		"/script/libb.so/beneath:/none": "",
	} {
		got, err := closure.ShrinkRunPath(root, runPathInfo(list), nil)
		require.NoError(t, err, list)
		require.Equal(t, want, got, list)
	}
	got, err := closure.ShrinkRunPath(root, runPathInfo("/a:/b:$ORIGIN"), []string{"/b", "/c"})
	require.NoError(t, err)
	require.Equal(t, "/b:$ORIGIN", got)
}

func TestResolutionCache(t *testing.T) {
	root, err := closure.OpenRoot(runPathRoot(t))
	require.NoError(t, err)
	for list, want := range map[string]string{
		"/a:/b":           "liba.so\x00=/a/liba.so:=/b/liba.so\x00libb.so\x00=/b/libb.so\x00\x00",
		":/b":             "liba.so\x00?:=/b/liba.so\x00libb.so\x00?:=/b/libb.so\x00\x00",
		"$ORIGIN:rel":     "liba.so\x00?$ORIGIN:?rel\x00libb.so\x00?$ORIGIN:?rel\x00\x00",
		"/caps:/arm":      "liba.so\x00?/caps\x00libb.so\x00?/caps\x00\x00",
		"/none":           "liba.so\x00?/none\x00libb.so\x00?/none\x00\x00",
		"/empty:/script/": "",
	} {
		got, err := closure.ResolutionCache(root, runPathInfo(list))
		require.NoError(t, err, list)
		require.Equal(t, want, got, list)
	}
	none, err := closure.ResolutionCache(root, &elfpatch.Info{Needed: []string{"liba.so"}})
	require.NoError(t, err)
	require.Empty(t, none)
}
