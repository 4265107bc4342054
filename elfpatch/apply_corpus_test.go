package elfpatch_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

// TestApplyCorpus edits this machine's own programs and shared objects and has its own loader load
// the results. NIXBUNDLE_FULL=1 takes all of them, else a sample is taken.
func TestApplyCorpus(t *testing.T) {
	loader := hostLoader(t)
	var edited, grew, refused int
	var growth int64
	for _, name := range corpus(t, 60) {
		in := readFile(t, name)
		info, err := elfpatch.Read(bytes.NewReader(in), int64(len(in)))
		if err != nil || !info.Dynamic || len(info.Needed) == 0 {
			continue
		}
		edit := elfpatch.Edit{RunPath: "$ORIGIN/../../lib:$ORIGIN/foo-1.2:" + strings.Repeat("/x", 32) + ":" + info.RunPath, AddNeeded: []string{"libm.so.6"}}
		if info.Interp != "" && !strings.Contains(name, "libc.so") {
			edit.Interp = loader
		}
		img, err := elfpatch.Apply(bytes.NewReader(in), int64(len(in)), edit)
		if err != nil {
			require.ErrorIs(t, err, elfpatch.ErrUnsupported, name)
			t.Logf("%s: %v", name, err)
			refused++
			continue
		}
		edited++
		if more := img.Size() - int64(len(in)); more != 0 {
			t.Logf("%s: %d bytes more", name, more)
			grew, growth = grew+1, growth+more
		}
		patched := writeImage(t, img)
		checkNames(t, in, readFile(t, patched))
		judgeLoad(t, loader, name, in, patched)
	}
	require.NotZero(t, edited)
	t.Logf("%d edited, %d refused, %d grew, mean growth %d bytes", edited, refused, grew, growth/int64(edited))
	require.LessOrEqual(t, refused*10, edited, "more than one in fifty refused")
}

// judgeLoad has the loader list the link map before and after; both must do, or neither.
func judgeLoad(t *testing.T, loader, name string, in []byte, patched string) {
	t.Helper()
	original := filepath.Join(t.TempDir(), filepath.Base(name))
	require.NoError(t, os.WriteFile(original, in, 0o755))
	if _, err := list(loader, original); err != nil {
		return // not even the original loads alone
	}
	out, err := list(loader, patched)
	require.NoError(t, err, "%s: %s", name, out)
	require.NotContains(t, out, "not found", name)
}

func list(loader, name string) (string, error) {
	cmd := exec.Command(loader, "--list", name)
	cmd.Env = append(os.Environ(), "LD_BIND_NOW=1", "LD_WARN=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// corpus lists this machine's own programs and shared objects: all, or about n of them.
func corpus(t *testing.T, n int) []string {
	if os.Getenv("NIXBUNDLE_FULL") != "" {
		n = 1 << 20
	}
	return slices.DeleteFunc(realFiles(t, n), func(name string) bool {
		return !strings.HasPrefix(name, "/usr/bin") && !strings.HasPrefix(name, "/usr/lib/x86_64-linux-gnu")
	})
}

// hostLoader is the loader of this machine's programs.
func hostLoader(t *testing.T) string {
	t.Helper()
	sh := readFile(t, "/bin/sh")
	info, err := elfpatch.Read(bytes.NewReader(sh), int64(len(sh)))
	if errors.Is(err, elfpatch.ErrNotELF) || err == nil && info.Interp == "" {
		t.Skip("needs a dynamically linked /bin/sh")
	}
	require.NoError(t, err)
	loader, err := filepath.EvalSymlinks(info.Interp)
	require.NoError(t, err)
	return loader
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return b
}

// writeImage writes an image to a new file that may be run.
func writeImage(t *testing.T, img *elfpatch.Image) string {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "patched"), os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	n, err := img.WriteTo(f)
	require.NoError(t, err)
	require.Equal(t, img.Size(), n)
	require.NoError(t, f.Close())
	return f.Name()
}
