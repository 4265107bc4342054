package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

const pluginHost = `#include <dlfcn.h>
#include <stdio.h>
struct note { unsigned namesz, descsz, type; char name[4]; char desc[64]; };
__attribute__((used, section(".note.dlopen"), aligned(4))) static const struct note note =
	{ 4, 64, 0x407c0c0a, "FDO", "[{\"soname\":[\"libnoted.so.2\",\"libnoted.so.1\"]}]" };
static void open_one(const char *what, const char *name) { printf("%s %s\n", what, dlopen(name, RTLD_NOW) ? "yes" : "no"); }
int main(void) {
	char noted[] = { 'l','i','b','n','o','t','e','d','.','s','o','.','1', 0 };
	open_one("bare", "bare.so");
	open_one("origin", "$ORIGIN/../plugins/origin.so");
	open_one("noted", noted);
	open_one("absolute", "ABSOLUTE");
	open_one("absent", "libabsent.so.3");
	return 0;
}
`

// TestPluginsComeAlong: of the plugins of a host, by name, by note, from its own folder and by a path of the
// store, all that are there load in the bundle, where there is no store, and the absent one is named; so too in
// a bundle with a prefix.
func TestPluginsComeAlong(t *testing.T) {
	libc, err := filepath.Glob("/lib/x86_64-linux-gnu/libc.so.6")
	require.NoError(t, err)
	if runtime.GOARCH != "amd64" || len(libc) == 0 {
		t.Skip("needs glibc for x86-64, which the host is linked with and runs by")
	}
	root := t.TempDir()
	glibc, host, plugins := elftest.StorePath("glibc-2.36"), elftest.StorePath("host-1.0"), elftest.StorePath("plugins-1.0")
	for _, dir := range []string{glibc + "/lib", host + "/bin", host + "/plugins", plugins + "/lib"} {
		require.NoError(t, os.MkdirAll(root+dir, 0o755))
	}
	tool := func(name string, args ...string) {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	for _, name := range []string{"libc.so.6", "ld-linux-x86-64.so.2"} {
		tool("cp", "-L", "/lib/x86_64-linux-gnu/"+name, root+glibc+"/lib/"+name)
	}
	src := t.TempDir()
	require.NoError(t, os.WriteFile(src+"/plugin.c", []byte("int plugin(void) { return 1; }\n"), 0o644))
	require.NoError(t, os.WriteFile(src+"/host.c", []byte(strings.Replace(pluginHost, "ABSOLUTE", plugins+"/lib/absolute.so", 1)), 0o644))
	for _, file := range []string{plugins + "/lib/bare.so", plugins + "/lib/absolute.so", plugins + "/lib/libnoted.so.1", host + "/plugins/origin.so"} {
		tool("gcc", "-shared", "-fPIC", "-nostdlib", "-Wl,-soname,"+filepath.Base(file), "-o", root+file, src+"/plugin.c")
	}
	program := host + "/bin/host"
	tool("gcc", "-o", root+program, src+"/host.c", "-Wl,--enable-new-dtags,-rpath,"+glibc+"/lib:"+plugins+"/lib",
		"-Wl,--dynamic-linker="+glibc+"/lib/ld-linux-x86-64.so.2")

	const want = "bare yes\norigin yes\nnoted yes\nabsolute yes\nabsent no\n"
	out := t.TempDir()
	_, stderr, status := run("--root", root, program, "-o", out+"/")
	require.Zero(t, status, stderr)
	require.Contains(t, stderr, "host may open libabsent.so.3, which nothing answers")
	got, err := exec.Command(out + "/host/bin/host").CombinedOutput()
	require.NoError(t, err, string(got))
	require.Equal(t, want, string(got))
	stdout, _, status := run("verify", out+"/host")
	require.Zero(t, status, stdout)

	prefix := filepath.Join(t.TempDir(), "p") // short enough, below /tmp
	if len(prefix) > 32 {
		prefix = "/tmp/nixbundle-test"
		t.Cleanup(func() { os.RemoveAll(prefix) })
	}
	_, stderr, status = run("--root", root, program, "--prefix", prefix, "-o", filepath.Dir(prefix)+"/")
	require.Zero(t, status, stderr)
	got, err = exec.Command(prefix + "/bin/host").CombinedOutput()
	require.NoError(t, err, string(got))
	require.Equal(t, want, string(got))
}
