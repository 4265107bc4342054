package closure

import (
	"io/fs"
	"path"
)

// ReadDir lists a folder of a root, sorted by name. Links are resolved inside the root, as a walk does it:
// those on the way to the folder, and each entry that is one, which has the mode, size and time of what it
// leads to; an entry that dangles is left out. An error is that the folder cannot be reached or read.
func ReadDir(root fs.FS, dir string) ([]fs.DirEntry, error) {
	t := newTree(root)
	at, err := t.walk(path.Join("/", dir))
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: dir, Err: err}
	}
	entries, err := fs.ReadDir(root, at.path)
	if err != nil {
		return nil, err
	}
	list := make([]fs.DirEntry, 0, len(entries))
	for _, e := range entries {
		n, err := t.walk(path.Join(at.abs(), e.Name()))
		if err != nil {
			continue
		}
		if info, err := fs.Lstat(root, n.path); err == nil {
			list = append(list, fs.FileInfoToDirEntry(named{info, e.Name()}))
		}
	}
	return list, nil
}

// named is a file by another name.
type named struct {
	fs.FileInfo
	name string
}

func (n named) Name() string { return n.name }
