package bundle

import (
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// plannedFS is a plan as a file system that is not written yet: an fs.ReadLinkFS and fs.ReadDirFS
// whose files are the edited ones. Paths given to add and link are absolute.
type plannedFS struct {
	entries  map[string]Entry    // by path as io/fs has it: "bundle/sensor/bin"
	children map[string][]string // names in each folder
	err      error               // the first path that two entries want
}

func newPlannedFS() *plannedFS {
	return &plannedFS{
		entries:  map[string]Entry{".": {Mode: fs.ModeDir | 0o755}},
		children: map[string][]string{},
	}
}

func (t *plannedFS) add(at string, e Entry) {
	name := strings.TrimPrefix(at, "/")
	if have, ok := t.entries[name]; ok {
		if (!have.Mode.IsDir() || !e.Mode.IsDir()) && t.err == nil {
			t.err = &CollisionError{Path: at, Sources: []string{have.source(), e.source()}}
		}
		return
	}
	t.entries[name] = e
	parent := path.Dir(name)
	if _, ok := t.entries[parent]; !ok {
		t.add("/"+parent, Entry{Mode: fs.ModeDir | 0o755})
	}
	t.children[parent] = append(t.children[parent], path.Base(name))
}

func (t *plannedFS) link(at, to string) {
	t.add(at, Entry{Mode: fs.ModeSymlink | 0o777, Link: to})
}

func (t *plannedFS) lookup(op, name string) (Entry, error) {
	if e, ok := t.entries[name]; ok {
		return e, nil
	}
	return Entry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Open opens the file of that name; links are not followed, since the walk resolves them itself.
func (t *plannedFS) Open(name string) (fs.File, error) {
	e, err := t.lookup("open", name)
	if err != nil {
		return nil, err
	}
	f := &plannedFile{plannedInfo: plannedInfo{name: path.Base(name), entry: e}}
	if !e.Mode.IsRegular() {
		return f, nil
	}
	if f.content, err = openContent(&e); err != nil {
		return nil, &fs.PathError{Op: "open", Path: e.source(), Err: err}
	}
	f.size = f.content.size
	f.SectionReader = io.NewSectionReader(f.content, 0, f.size)
	return f, nil
}

// ReadDir lists a folder in name order.
func (t *plannedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if _, err := t.lookup("readdir", name); err != nil {
		return nil, err
	}
	var list []fs.DirEntry
	for _, child := range slices.Sorted(slices.Values(t.children[name])) {
		list = append(list, fs.FileInfoToDirEntry(plannedInfo{name: child, entry: t.entries[path.Join(name, child)]}))
	}
	return list, nil
}

// ReadLink returns the target of a link.
func (t *plannedFS) ReadLink(name string) (string, error) {
	e, err := t.lookup("readlink", name)
	if err == nil && e.Link == "" {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return e.Link, err
}

// Lstat describes a file without following a link. The size of an edited file is known once it is
// open.
func (t *plannedFS) Lstat(name string) (fs.FileInfo, error) {
	e, err := t.lookup("lstat", name)
	return plannedInfo{name: path.Base(name), entry: e}, err
}

// plannedFile is an open file or folder of a plannedFS.
type plannedFile struct {
	plannedInfo
	*io.SectionReader          // nil for a folder
	content           *content // likewise
}

func (f *plannedFile) Stat() (fs.FileInfo, error) { return f.plannedInfo, nil }

func (f *plannedFile) Size() int64 { return f.size }

func (f *plannedFile) Read(b []byte) (int, error) {
	if f.SectionReader == nil {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: fs.ErrInvalid}
	}
	return f.SectionReader.Read(b)
}

func (f *plannedFile) Close() error {
	if f.content == nil {
		return nil
	}
	return f.content.Close()
}

// plannedInfo describes a file of a plannedFS.
type plannedInfo struct {
	name  string
	entry Entry
	size  int64
}

func (i plannedInfo) Name() string       { return i.name }
func (i plannedInfo) Size() int64        { return i.size }
func (i plannedInfo) Mode() fs.FileMode  { return i.entry.Mode }
func (i plannedInfo) ModTime() time.Time { return time.Unix(1, 0) }
func (i plannedInfo) IsDir() bool        { return i.entry.Mode.IsDir() }
func (i plannedInfo) Sys() any           { return nil }
