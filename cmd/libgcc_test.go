package cmd_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

// endsThreads does what glibc opens libgcc_s.so.1 for, which the program does not need.
const endsThreads = `#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <execinfo.h>
static void *waits(void *p) { for (;;) pause(); }
static void *ends(void *p) { pthread_exit((void *)1); }
int main(void) {
	pthread_t a, b; void *x, *y, *stack[8];
	pthread_create(&a, 0, waits, 0); pthread_create(&b, 0, ends, 0);
	pthread_cancel(a); pthread_join(a, &x); pthread_join(b, &y);
	printf("cancelled %d, ended %d, told %d\n", x == PTHREAD_CANCELED, y == (void *)1, backtrace(stack, 8) > 0);
	return 0;
}
`

// TestLibgcc: glibc opens libgcc_s.so.1 itself when threads end. A bundle with its own glibc brings it
// along where the store has it, and says so where not; both in a root with nothing else.
func TestLibgcc(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	glibc, libgcc := storeDirOf(t, dir, "libc.so.6"), storeDirOf(t, dir, closure.LibgccName)
	work := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(work, "ends.c"), []byte(endsThreads), 0o644))
	for _, test := range []struct{ name, runPath, want string }{
		{"found", glibc + ":" + libgcc, "cancelled 1, ended 1, told 1"},
		{"missing", glibc, "libgcc_s.so.1 must be installed for pthread_"},
	} {
		t.Run(test.name, func(t *testing.T) {
			program := filepath.Join(work, test.name)
			out, err := exec.Command("aarch64-linux-gnu-gcc", "-pthread", "-o", program, filepath.Join(work, "ends.c"),
				"-Wl,--enable-new-dtags,-rpath,"+test.runPath, "-Wl,--dynamic-linker="+glibc+"/ld-linux-aarch64.so.1").CombinedOutput()
			require.NoError(t, err, string(out))
			_, stderr, status := run(program, "--dry-run")
			require.Zero(t, status, stderr)
			told, _, status := run("conflicts", program)
			require.Zero(t, status)
			require.Contains(t, told, "libgcc_s.so.1") // it has a DT_RUNPATH, which is not searched
			root := t.TempDir()
			for _, folder := range []string{"opt", "proc", "dev"} {
				require.NoError(t, os.Mkdir(filepath.Join(root, folder), 0o755))
			}
			at := unpack(t, root, "--interp", "stub", program)
			got, status := runIn(t, root, at+"/"+test.name+"/bin/"+test.name)
			require.Contains(t, got, test.want)
			require.Equal(t, test.name == "found", status == 0, got)
			folder := filepath.Join(root, at, test.name)
			said, stderr, status := run("verify", folder)
			require.Zero(t, status, said+stderr) // where it is missing the manifest says so
			if test.name == "found" {
				dropEntry(t, folder, closure.LibgccName)
				said, _, status = run("verify", folder, "--json")
				require.Equal(t, 3, status)
				require.Contains(t, said, string(closure.KindUnwinder))
			}
			plan, _, _ := run("--interp", "stub", program, "--dry-run")
			require.Equal(t, test.name == "missing", strings.Contains(plan, "warning: libgcc_s.so.1"), plan)
		})
	}
}

// dropEntry takes a file out of an unpacked bundle, and out of its manifest.
func dropEntry(t *testing.T, folder, name string) {
	t.Helper()
	file := filepath.Join(folder, "share/nixbundle/manifest.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	m, err := bundle.DecodeManifest(bytes.NewReader(text))
	require.NoError(t, err)
	m.Entries = slices.DeleteFunc(m.Entries, func(e bundle.ManifestEntry) bool { return filepath.Base(e.Path) == name })
	text, err = json.Marshal(m)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o644))
	require.NoError(t, os.Remove(filepath.Join(folder, "lib", name)))
}

// storeDirOf is the store directory in which a program of the store finds a library.
func storeDirOf(t *testing.T, dir, soname string) string {
	t.Helper()
	root := os.DirFS("/")
	c, err := closure.Walk(root, []string{filepath.Join(dir, "results/sensor-plain/bin/sensor")}, closure.Options{})
	require.NoError(t, err)
	for _, o := range c.Objects {
		if o.Info.Soname == soname {
			return filepath.Dir(o.Path)
		}
	}
	t.Fatalf("no %s", soname)
	return ""
}
