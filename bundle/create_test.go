package bundle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

// create creates a bundle.
func create(t *testing.T, output string, p *bundle.Plan) {
	t.Helper()
	_, err := bundle.Create(context.Background(), output, p, bundle.PackOptions{})
	require.NoError(t, err)
}

// listing is what is in a folder, hidden files too.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestCreateFormats(t *testing.T) {
	dir := t.TempDir()
	for name, format := range map[string]bundle.Format{"a.tar.zst": bundle.FormatTarZst, "a.tzst": bundle.FormatTarZst, "a.tar": bundle.FormatTar} {
		create(t, filepath.Join(dir, name), tinyPlan())
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, sha(pack(t, tinyPlan(), bundle.PackOptions{Format: format})), sha(data), name)
	}
	require.Equal(t, []string{"a.tar", "a.tar.zst", "a.tzst"}, listing(t, dir))
	for _, name := range []string{"a", "a.zip", ".tar.zst", "a.tar.gz", "a.zst"} {
		_, err := bundle.Create(context.Background(), filepath.Join(dir, name), tinyPlan(), bundle.PackOptions{})
		require.EqualError(t, err, filepath.Join(dir, name)+": unknown format: a name ends in .tar.zst, .tzst or .tar, or in a slash for a folder")
	}
}

// tree describes everything below a folder: modes, times, contents and which files are one.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	list := map[string]string{}
	inodes := map[uint64]string{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := os.Lstat(name)
		require.NoError(t, err)
		rel, _ := filepath.Rel(dir, name)
		text := info.Mode().String()
		switch {
		case rel == ".":
			return nil
		case info.Mode().Type() == fs.ModeSymlink:
			link, err := os.Readlink(name)
			require.NoError(t, err)
			list[rel] = "-> " + link
			return nil
		case info.Mode().IsRegular():
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			text += " " + sha(data)
		}
		inode := info.Sys().(*syscall.Stat_t).Ino
		if first, ok := inodes[inode]; ok {
			text += " = " + first
		} else {
			inodes[inode] = rel
		}
		list[rel] = fmt.Sprintf("%s %d", text, info.ModTime().UnixNano())
		return nil
	}))
	return list
}

// TestCreateFolder: the folder is what tar makes of the archive, under any umask.
func TestCreateFolder(t *testing.T) {
	dir := t.TempDir()
	create(t, filepath.Join(dir, "x.tar.zst"), tinyPlan())
	unpacked := filepath.Join(dir, "unpacked")
	require.NoError(t, os.Mkdir(unpacked, 0o755))
	run(t, "tar", "--zstd", "-C", unpacked, "-xpf", filepath.Join(dir, "x.tar.zst"))
	want := tree(t, unpacked)
	require.Contains(t, want["tool/lib/b/libz.so.1.3"], " = tool/lib/a/libz.so.1.3")
	for _, umask := range []int{0, 0o022, 0o777} {
		out := filepath.Join(dir, fmt.Sprintf("out%o", umask)) + "/"
		if umask == 0o777 {
			require.NoError(t, os.Mkdir(out, 0o755))
		}
		old := syscall.Umask(umask)
		_, err := bundle.Create(context.Background(), out, tinyPlan(), bundle.PackOptions{})
		syscall.Umask(old)
		require.NoError(t, err)
		require.Equal(t, []string{"tool"}, listing(t, out))
		require.Equal(t, want, tree(t, out), "umask %o", umask)
	}
}

func TestCreateFolderExists(t *testing.T) {
	dir := t.TempDir() + "/"
	require.NoError(t, os.Mkdir(dir+"tool", 0o755))
	_, err := bundle.Create(context.Background(), dir, tinyPlan(), bundle.PackOptions{})
	require.EqualError(t, err, dir+"tool: exists already")
	require.Equal(t, []string{"tool"}, listing(t, dir))
	_, err = bundle.Create(context.Background(), dir+"no/such/", tinyPlan(), bundle.PackOptions{})
	require.EqualError(t, err, dir+"no/such: no such file or directory")
	require.NoError(t, os.WriteFile(dir+"file", nil, 0o600))
	_, err = bundle.Create(context.Background(), dir+"file/", tinyPlan(), bundle.PackOptions{})
	require.EqualError(t, err, dir+"file: not a directory")
}

// TestCreateMode: an archive has the mode that any new file has.
func TestCreateMode(t *testing.T) {
	for _, umask := range []int{0o002, 0o077} {
		file := filepath.Join(t.TempDir(), "x.tar")
		old := syscall.Umask(umask)
		_, err := bundle.Create(context.Background(), file, tinyPlan(), bundle.PackOptions{})
		syscall.Umask(old)
		require.NoError(t, err)
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o666&^umask), info.Mode())
	}
}

// TestCreateOver: a file is replaced, through a link too; what is no file is not.
func TestCreateOver(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "x.tar"), filepath.Join(dir, "link.tar")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
	require.NoError(t, os.Symlink("x.tar", link))
	create(t, link, tinyPlan())
	require.Equal(t, "tool", opened(t, file).Manifest.Name)
	target, err := os.Readlink(link)
	require.NoError(t, err)
	require.Equal(t, "x.tar", target)

	require.NoError(t, os.Mkdir(filepath.Join(dir, "d.tar"), 0o755))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "p.tar"), 0o600))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "n.tar")))
	for name, want := range map[string]string{
		"d.tar": "is a folder: end the name in a slash to put the bundle in there",
		"p.tar": "is not a regular file", "n.tar": "no such file or directory", "no/x.tar": "no such file or directory",
	} {
		_, err := bundle.Create(context.Background(), filepath.Join(dir, name), tinyPlan(), bundle.PackOptions{})
		require.EqualError(t, err, filepath.Join(dir, name)+": "+want)
	}
	require.Equal(t, []string{"d.tar", "link.tar", "n.tar", "p.tar", "x.tar"}, listing(t, dir))
}

// TestCreateOverSource: a bundle never replaces what it packs.
func TestCreateOverSource(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "lib.tar"), filepath.Join(dir, "other.tar")
	require.NoError(t, os.WriteFile(file, []byte("precious"), 0o600))
	require.NoError(t, os.Link(file, link))
	o := object("lib", 8, func() (closure.File, error) { return os.Open(file) })
	p := planOf("x", bundle.Entry{Path: "x/lib/lib", Mode: 0o644, Object: o})
	for _, output := range []string{file, link} {
		_, err := bundle.Create(context.Background(), output, p, bundle.PackOptions{})
		require.EqualError(t, err, output+": is itself one of the files to pack")
	}
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "precious", string(data))
}

// TestCreateNothingLeft: an error or a done context leaves the target as it was and nothing else.
func TestCreateNothingLeft(t *testing.T) {
	broken := object("f", 5, func() (closure.File, error) { return brokenFile{}, nil })
	bad := planOf("x", bundle.Entry{Path: "x/a", Mode: 0o644, Data: []byte("a")}, bundle.Entry{Path: "x/lib/f", Mode: 0o644, Object: broken})
	for _, name := range []string{"x.tar", "x.tar.zst", "x/"} {
		dir := t.TempDir()
		output := dir + "/" + name
		if name != "x/" {
			require.NoError(t, os.WriteFile(output, []byte("old"), 0o600))
		}
		before := listing(t, dir)
		_, err := bundle.Create(context.Background(), output, bad, bundle.PackOptions{})
		require.EqualError(t, err, "/nix/store/f: broken")
		require.Equal(t, before, listing(t, dir))

		ctx, cancel := context.WithCancel(context.Background())
		_, err = bundle.Create(ctx, output, bigPlan(), bundle.PackOptions{Level: bundle.LevelFastest, Progress: func(done, _ int64) {
			if done > 20<<20 {
				cancel()
			}
		}})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, before, listing(t, dir))
		if name != "x/" {
			data, err := os.ReadFile(output)
			require.NoError(t, err)
			require.Equal(t, "old", string(data))
		}
	}
}

// TestCreateFullDisk: a full disk is an error that names the output, and leaves nothing.
func TestCreateFullDisk(t *testing.T) {
	if os.Getuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("not root: no small file system to fill")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "none", dir).CombinedOutput(); err != nil {
		t.Skipf("mount: %s", bytes.TrimSpace(out))
	}
	defer func() { require.NoError(t, exec.Command("umount", dir).Run()) }()
	for _, name := range []string{"x.tar", "x.tar.zst", "x/"} {
		output := filepath.Join(dir, name)
		if name == "x/" {
			output += "/"
		}
		_, err := bundle.Create(context.Background(), output, bigPlan(), bundle.PackOptions{Level: bundle.LevelFastest})
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.EqualError(t, err, strings.TrimSuffix(output, "/")+": no space left on device")
		require.Empty(t, listing(t, dir))
	}
}

// TestCreateReadOnly: a folder that cannot be written to is named.
func TestCreateReadOnly(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	_, err := bundle.Create(context.Background(), dir+"/x.tar", tinyPlan(), bundle.PackOptions{})
	require.True(t, errors.Is(err, fs.ErrPermission))
	require.EqualError(t, err, dir+"/x.tar: permission denied")
}
