package elfpatch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

// patchFile edits a file by its name.
func patchFile(t testing.TB, name string, e elfpatch.Edit, o elfpatch.WriteOptions) error {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	img, err := elfpatch.Apply(f, info.Size(), e)
	require.NoError(t, err)
	return elfpatch.WriteFile(f, img, o)
}

// newFile writes the library to a folder of its own.
func newFile(t testing.TB, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "lib.so")
	require.NoError(t, os.WriteFile(name, library().Bytes(), 0o600))
	require.NoError(t, os.Chmod(name, mode))
	return name
}

func lstat(t testing.TB, name string) (os.FileInfo, *syscall.Stat_t) {
	t.Helper()
	info, err := os.Lstat(name)
	require.NoError(t, err)
	st, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	return info, st
}

// checkSoname checks what a file is now, and that nothing is left beside it.
func checkSoname(t testing.TB, name, soname string) {
	t.Helper()
	require.Equal(t, soname, read(t, readFile(t, name)).Soname)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(name), ".nixbundle-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

var otherSoname = elfpatch.Edit{Soname: "libother.so.9"}

func TestWriteFileKeeps(t *testing.T) {
	for _, mode := range []os.FileMode{0o444, 0o640, 0o755, 0o755 | os.ModeSetuid} {
		name := newFile(t, mode)
		value := []byte("value\x00")
		require.NoError(t, syscall.Setxattr(name, "user.nixbundle", value, 0), "a file system with attributes is needed")
		if os.Getuid() == 0 {
			require.NoError(t, os.Chown(name, 1234, 5678))
			require.NoError(t, os.Chmod(name, mode))
			require.NoError(t, syscall.Setxattr(name, "security.capability", []byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
		}
		before, st := lstat(t, name)
		require.NoError(t, patchFile(t, name, otherSoname, elfpatch.WriteOptions{}))
		checkSoname(t, name, "libother.so.9")
		after, now := lstat(t, name)
		require.Equal(t, before.Mode(), after.Mode())
		require.Equal(t, []uint32{st.Uid, st.Gid}, []uint32{now.Uid, now.Gid})
		for attribute, want := range map[string]int{"user.nixbundle": len(value), "security.capability": 20} {
			if os.Getuid() != 0 && attribute == "security.capability" {
				continue
			}
			n, err := syscall.Getxattr(name, attribute, make([]byte, 99))
			require.NoError(t, err, attribute)
			require.Equal(t, want, n)
		}
	}
}

// An edit that changes nothing touches nothing.
func TestWriteFileUnchanged(t *testing.T) {
	name := newFile(t, 0o644)
	long := time.Unix(1, 0)
	require.NoError(t, os.Chtimes(name, long, long))
	_, before := lstat(t, name)
	require.NoError(t, patchFile(t, name, elfpatch.Edit{Soname: library().Soname}, elfpatch.WriteOptions{}))
	_, after := lstat(t, name)
	require.Equal(t, []any{before.Ino, before.Mtim, before.Ctim}, []any{after.Ino, after.Mtim, after.Ctim})
}

// A link stays a link, and its target is edited.
func TestWriteFileLink(t *testing.T) {
	name := newFile(t, 0o644)
	link := filepath.Join(t.TempDir(), "link.so")
	require.NoError(t, os.Symlink(name, link))
	require.NoError(t, patchFile(t, link, otherSoname, elfpatch.WriteOptions{}))
	checkSoname(t, name, "libother.so.9")
	info, _ := lstat(t, link)
	require.Equal(t, os.ModeSymlink, info.Mode().Type())
}

// A file of two names stays one file, and InPlace keeps the inode of any; what grew is cut back.
func TestWriteFileInPlace(t *testing.T) {
	for _, o := range []elfpatch.WriteOptions{{}, {InPlace: true}} {
		name := newFile(t, 0o644)
		other := name
		if !o.InPlace {
			other += ".2"
			require.NoError(t, os.Link(name, other))
		}
		_, before := lstat(t, name)
		require.NoError(t, patchFile(t, name, elfpatch.Edit{Soname: strings.Repeat("long", 2000)}, o))
		checkSoname(t, other, strings.Repeat("long", 2000))
		require.NoError(t, patchFile(t, other, otherSoname, o))
		checkSoname(t, name, "libother.so.9")
		_, after := lstat(t, name)
		require.Equal(t, before.Ino, after.Ino)
		require.Equal(t, before.Nlink, after.Nlink)
	}
}

// A program that runs is replaced.
func TestWriteFileBusy(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sleep")
	require.NoError(t, os.WriteFile(name, readFile(t, needTool(t, "sleep")), 0o755))
	cmd := exec.Command(name, "60")
	require.NoError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	edit := elfpatch.Edit{RunPath: "/nowhere"}
	require.ErrorIs(t, patchFile(t, name, edit, elfpatch.WriteOptions{InPlace: true}), syscall.ETXTBSY)
	require.NoError(t, patchFile(t, name, edit, elfpatch.WriteOptions{}))
	require.Equal(t, "/nowhere", read(t, readFile(t, name)).RunPath)
	require.NoError(t, exec.Command(name, "0").Run())
}

func TestWriteFileOutput(t *testing.T) {
	name := newFile(t, 0o640)
	original := readFile(t, name)
	folder := t.TempDir()
	at := func(base string) elfpatch.WriteOptions {
		return elfpatch.WriteOptions{Output: filepath.Join(folder, base)}
	}

	require.NoError(t, patchFile(t, name, otherSoname, at("new")))
	checkSoname(t, at("new").Output, "libother.so.9")
	info, _ := lstat(t, at("new").Output)
	require.Equal(t, os.FileMode(0o640), info.Mode())

	require.NoError(t, os.WriteFile(at("there").Output, []byte("there"), 0o600))
	require.NoError(t, patchFile(t, name, elfpatch.Edit{}, at("there")), "an unchanged file is written too")
	require.Equal(t, original, readFile(t, at("there").Output))
	info, _ = lstat(t, at("there").Output)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	require.NoError(t, os.Symlink("not-yet", at("link").Output))
	require.NoError(t, patchFile(t, name, otherSoname, at("link")))
	checkSoname(t, at("not-yet").Output, "libother.so.9")

	require.NoError(t, patchFile(t, name, otherSoname, elfpatch.WriteOptions{Output: "/dev/null"}))
	info, _ = lstat(t, "/dev/null")
	require.NotZero(t, info.Mode()&os.ModeCharDevice)
	require.Error(t, patchFile(t, name, otherSoname, at("no/folder")))
	require.Equal(t, original, readFile(t, name), "the input is not touched")

	require.NoError(t, patchFile(t, name, otherSoname, elfpatch.WriteOptions{Output: name}))
	checkSoname(t, name, "libother.so.9")
}

// Holes stay holes: a file of 4 GiB with a few pages in it costs a few pages.
func TestWriteFileSparse(t *testing.T) {
	name := newFile(t, 0o644)
	const size = 4<<30 + 12345
	require.NoError(t, os.Truncate(name, size))
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("payload"), 3<<30)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, patchFile(t, name, elfpatch.Edit{RemoveRunPath: true}, elfpatch.WriteOptions{}))
	info, st := lstat(t, name)
	require.Equal(t, int64(size), info.Size())
	require.Less(t, st.Blocks*512, int64(1<<20))
	f, err = os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	got, err := elfpatch.Read(f, size)
	require.NoError(t, err)
	require.False(t, got.HasRunPath)
	payload := make([]byte, 9)
	_, err = f.ReadAt(payload, 3<<30-1)
	require.NoError(t, err)
	require.Equal(t, "\x00payload\x00", string(payload))
}

// What fails leaves the file as it was, and nothing beside it.
func TestWriteFileFails(t *testing.T) {
	name := newFile(t, 0o644)
	original := readFile(t, name)
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	img, err := elfpatch.Apply(f, int64(len(original)), otherSoname)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(name, 100))
	require.Error(t, elfpatch.WriteFile(f, img, elfpatch.WriteOptions{}))
	require.Equal(t, original[:100], readFile(t, name))
	left, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	require.Len(t, left, 1)
}
