package elftest

import (
	"crypto/sha256"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// Tree is a tree of files by slash-separated path; a leading slash means nothing. Directories come
// by themselves.
type Tree map[string]File

// File is what stands at a path of a Tree: an [Image], [Data], [Script], [Link] or [Dir].
type File interface {
	file() (content []byte, mode fs.FileMode)
}

type (
	// Data is the content of a file that cannot be executed.
	Data string
	// Script is the content of a file that can be executed.
	Script string
	// Link is the target of a symbolic link.
	Link string
	// Dir is a directory with nothing in it.
	Dir struct{}
)

func (im Image) file() ([]byte, fs.FileMode) { return im.Bytes(), 0o755 }
func (d Data) file() ([]byte, fs.FileMode)   { return []byte(d), 0o644 }
func (s Script) file() ([]byte, fs.FileMode) { return []byte(s), 0o755 }
func (l Link) file() ([]byte, fs.FileMode)   { return []byte(l), fs.ModeSymlink | 0o777 }
func (Dir) file() ([]byte, fs.FileMode)      { return nil, fs.ModeDir | 0o755 }

// FS returns the tree as a file system in memory. Its files are io.ReaderAt; its links are found by
// fs.ReadLink.
func (t Tree) FS() fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, f := range t {
		content, mode := f.file()
		fsys[clean(name)] = &fstest.MapFile{Data: content, Mode: mode}
	}
	return fsys
}

// WriteTree writes the tree into a temporary directory, which is removed when the test ends, and
// returns the directory's absolute path without symbolic links.
func WriteTree(tb testing.TB, t Tree) string {
	tb.Helper()
	root, err := filepath.EvalSymlinks(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	for name, f := range t {
		if err := write(filepath.Join(root, filepath.FromSlash(clean(name))), f); err != nil {
			tb.Fatal(err)
		}
	}
	return root
}

func write(name string, f File) error {
	content, mode := f.file()
	if mode.IsDir() {
		return os.MkdirAll(name, mode.Perm())
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if mode&fs.ModeSymlink != 0 {
		return os.Symlink(string(content), name)
	}
	return os.WriteFile(name, content, mode.Perm())
}

func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// StorePath returns /nix/store/DIGEST-name. The digest is made up, but always the same for one
// name, and looks like Nix's: 32 characters of its base 32.
func StorePath(name string) string {
	const alphabet = "0123456789abcdfghijklmnpqrsvwxyz"
	sum := sha256.Sum256([]byte(name))
	digest := make([]byte, 32)
	for i := range digest {
		digest[i] = alphabet[sum[i]%32]
	}
	return "/nix/store/" + string(digest) + "-" + name
}
