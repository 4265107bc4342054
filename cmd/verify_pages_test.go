package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// crossBuild compiles C for arm64.
func crossBuild(t *testing.T, out, source string, flags ...string) {
	t.Helper()
	const gcc = "aarch64-linux-gnu-gcc"
	if _, err := exec.LookPath(gcc); err != nil && os.Getenv("CI") == "" {
		t.Skip("needs " + gcc + ": run make deps")
	}
	c := exec.Command(gcc, append([]string{"-x", "c", "-", "-x", "none", "-o", out}, flags...)...)
	c.Stdin = strings.NewReader(source)
	text, err := c.CombinedOutput()
	require.NoError(t, err, string(text))
}

// TestVerifyPagesAsQemu: what verify says of a page size is what happens with it: a program and a
// library, each linked for pages of 4 and of 64 KiB, in qemu with pages of 4, 16 and 64 KiB.
func TestVerifyPagesAsQemu(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	root := filepath.Join(dir, "root/bookworm-arm64")
	at, err := os.MkdirTemp(filepath.Join(root, "opt"), "nixbundle-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(at) })
	require.NoError(t, os.Chmod(at, 0o755))
	both := map[bool]int{}
	for _, linked := range [][2]int{{65536, 65536}, {65536, 4096}, {4096, 65536}} {
		align := func(i int) string { return fmt.Sprintf("-Wl,-z,max-page-size=%d", linked[i]) }
		crossBuild(t, at+"/libx.so", "int x = 7; int get(void) { return x; }", "-shared", "-fPIC", "-Wl,-soname,libx.so", align(1))
		crossBuild(t, at+"/prog", "int get(void); int data = 1; int main(void) { return get() - 6 - data; }", at+"/libx.so",
			"-Wl,-rpath,$ORIGIN", align(0))
		file := filepath.Join(t.TempDir(), "x.tar")
		// ld.so is the program that the kernel maps: qemu takes smaller pages where that one asks for them.
		_, stderr, status := run("--root", root, strings.TrimPrefix(at, root)+"/prog", "--interp", "wrapper", "-o", file)
		require.Zero(t, status, stderr)
		text, err := exec.Command("tar", "-C", at, "-xf", file).CombinedOutput()
		require.NoError(t, err, string(text))
		for _, page := range []int{4096, 16384, 65536} {
			name := fmt.Sprintf("program for %d, library for %d, pages of %d", linked[0], linked[1], page)
			t.Setenv("QEMU_PAGESIZE", strconv.Itoa(page))
			out, ran := runIn(t, root, strings.TrimPrefix(at, root)+"/prog/bin/prog")
			stdout, _, status := run("verify", file, "--page-size", strconv.Itoa(page))
			require.Equal(t, ran == 0, status == 0, "%s: %s\n%s", name, out, stdout)
			both[ran == 0]++
			if ran != 0 {
				require.Contains(t, out, "error while loading shared libraries", name)
				require.Contains(t, stdout, fmt.Sprintf("%d KiB", page>>10), name)
				continue
			}
			stdout, stderr, status = run("verify", file, "--run", "--target-root", root, "--page-size", strconv.Itoa(page))
			require.Zero(t, status, stdout+stderr)
		}
		require.NoError(t, os.RemoveAll(at+"/prog"))
	}
	require.Equal(t, map[bool]int{true: 5, false: 4}, both)
}
