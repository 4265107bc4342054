package closure_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// A host that opens plugins in every way that a file tells of: by a name, by $ORIGIN, by the name in
// a note, through a library that calls dlopen for it, and one that is not there. The store path of
// another is in its text too, which is a [closure.Mention].
const (
	hostC = `#include <dlfcn.h>
#include <stdio.h>
int g_module_open(const char *);
struct note { unsigned namesz, descsz, type; char name[4]; char desc[64]; };
__attribute__((used, section(".note.dlopen"), aligned(4))) static const struct note note =
	{ 4, 64, 0x407c0c0a, "FDO", "[{\"soname\":[\"libnoted.so.2\",\"libnoted.so.1\"]}]" };
static void open_one(const char *name) { printf("%s %s\n", name, dlopen(name, RTLD_NOW) ? "yes" : "no"); }
int main(void) {
	char noted[] = { 'l','i','b','n','o','t','e','d','.','s','o','.','1', 0 };
	open_one("bare.so");
	open_one("$ORIGIN/../plugins/origin.so");
	open_one(noted);
	open_one("ABSOLUTE");
	open_one("libabsent.so.3");
	printf("through.so %s\n", g_module_open("through.so") ? "yes" : "no");
	return 0;
}
`
	moduleC = `#include <dlfcn.h>
int g_module_open(const char *name) { return dlopen(name, RTLD_NOW) != 0; }
`
)

// TestWishesReal builds that host, asks what it may open, walks with that, and compares what the loader
// opens when it runs.
func TestWishesReal(t *testing.T) {
	needOracle(t, "gcc")
	if _, err := os.Stat(x86Interp); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no glibc for x86-64 here")
	}
	dir := elftest.WriteTree(t, elftest.Tree{
		"module.c": elftest.Data(moduleC), "plugin.c": elftest.Data("int plugin(void) { return 1; }\n"), "dep.c": elftest.Data("int dep(void) { return 1; }\n"),
		"bin": elftest.Dir{}, "lib": elftest.Dir{}, "plugins": elftest.Dir{}, "own": elftest.Dir{},
	})
	absolute := dir + "/plugins/absolute.so"
	require.NoError(t, os.WriteFile(dir+"/host.c", []byte(strings.Replace(hostC, "ABSOLUTE", absolute, 1)), 0o644))
	cc := func(args ...string) {
		t.Helper()
		cmd := exec.Command("gcc", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	shared := func(out, src, soname string, args ...string) {
		cc(append([]string{"-shared", "-fPIC", "-Wl,-soname," + soname, "-o", out, src}, args...)...)
	}
	shared("own/libdep.so", "dep.c", "libdep.so")
	shared("plugins/bare.so", "plugin.c", "bare.so", "-Wl,--no-as-needed,-rpath,$ORIGIN/../own", "own/libdep.so")
	for _, name := range []string{"plugins/origin.so", "plugins/absolute.so", "plugins/libnoted.so.1", "own/through.so"} {
		shared(name, "plugin.c", filepath.Base(name))
	}
	shared("lib/libgmodule-2.0.so.0", "module.c", "libgmodule-2.0.so.0", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../own")
	cc("-o", "bin/host", "host.c", "lib/libgmodule-2.0.so.0", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib:$ORIGIN/../plugins")

	root := os.DirFS("/")
	c, err := closure.Gather(root, []string{dir + "/bin/host"}, closure.Options{}, closure.Follow{})
	require.NoError(t, err)
	m := c.LinkMaps[0]
	var got []string
	for i := range m.Wishes {
		got = append(got, strings.ReplaceAll(wishText(&m.Wishes[i]), dir+"/", ""))
	}
	assert.Equal(t, []string{
		"note libnoted.so.2|libnoted.so.1 by bin/host: bin/../plugins/libnoted.so.1 recommended",
		"text bare.so by bin/host: bin/../plugins/bare.so",
		"text $ORIGIN/../plugins/origin.so by bin/host: bin/../plugins/origin.so",
		"text libabsent.so.3 by bin/host: nothing",
		"text through.so by bin/host: bin/../lib/../own/through.so",
	}, got)

	mentioned := new(closure.Seeker).Mentioned(m, []closure.Mention{
		{Holder: m.Program().Object.Path, Path: absolute, Kind: closure.MentionLibrary},
		{Holder: m.Program().Object.Path, Path: dir + "/plugins", Kind: closure.MentionFolder},
		{Holder: "/elsewhere", Path: absolute, Kind: closure.MentionLibrary},
	})
	require.Len(t, mentioned, 1)
	require.Equal(t, absolute, mentioned[0].Name)
	assert.Equal(t, realOpens(t, dir), append(walkOpens(c), absolute))
}

// walkOpens are the files that the opens of a walk bring, sorted but for links.
func walkOpens(c *closure.Closure) []string {
	var files []string
	for _, o := range c.LinkMaps[0].Opened {
		for _, l := range o.Scope {
			if l.Opened == o {
				files = append(files, l.Object.Path)
			}
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

var linkMapLine = regexp.MustCompile(`file=(\S+) \[0\];  generating link map`)

// realOpens is what the loader opens after the start, sorted, absolute.so last.
func realOpens(t *testing.T, dir string) []string {
	var stderr bytes.Buffer
	cmd := exec.Command(dir + "/bin/host")
	cmd.Env = []string{"LD_DEBUG=files"}
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, 5, strings.Count(string(out), " yes\n"), string(out))
	require.Contains(t, string(out), "libabsent.so.3 no\n")
	_, after, _ := strings.Cut(stderr.String(), "transferring control: ")
	var files []string
	for _, m := range linkMapLine.FindAllStringSubmatch(after, -1) {
		name := filepath.Base(m[1])
		if name == "absolute.so" {
			continue
		}
		found, err := filepath.Glob(dir + "/*/" + name)
		require.NoError(t, err)
		require.Len(t, found, 1)
		files = append(files, found[0])
	}
	slices.Sort(files)
	return append(files, dir+"/plugins/absolute.so")
}
