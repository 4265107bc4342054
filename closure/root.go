package closure

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"
)

// OpenRoot opens a directory as the root of a walk: "/" for this machine, another one for a
// foreign machine's files.
func OpenRoot(dir string) (fs.FS, error) {
	info, err := os.Stat(dir) // to open a fifo is to wait for a writer
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	if err != nil {
		return nil, err
	}
	if root, ok := openHost(dir); ok {
		return root, nil
	}
	if filepath.Clean(dir) == "/" {
		return os.DirFS("/"), nil
	}
	// os.Root keeps a root closed even while somebody swaps its links under us.
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return r.FS(), nil
}

// lister is a root that knows quicker ways than io/fs has: whether a path leads to a directory and
// over no link; what a name is and, of a link, where it leads; and the names of a directory with their
// types, in no order, unless they are more than most.
type lister interface {
	enter(name string) bool
	kind(name string, maybeLink bool) (mode fs.FileMode, target string, err error)
	names(name string, most int) (names map[string]fs.FileMode, ok bool, err error)
}

// tree is a root with what has been learnt of it. Links are resolved here, component by component,
// so that an absolute link counts from the root and ".." stops at it.
type tree struct {
	fsys  fs.FS
	quick lister // fsys, where it is one
	top   *node
}

// node is one name of the tree.
type node struct {
	path   string // as io/fs wants it: no leading slash, "." for the root
	parent *node
	mode   fs.FileMode // the type bits
	target string      // of a symbolic link
	err    error       // why it cannot be reached
	kids   map[string]*node

	listed bool                   // the directory has been read, or cannot be
	probes int                    // how often a name was looked for before
	names  map[string]fs.FileMode // its names; nil when it cannot be listed

	reading *reading // for a regular file: that it is being read ahead
	opened  bool     // for a regular file: it has been read, or cannot be
	object  *Object
	openErr error
}

const (
	maxLinks = 40  // Linux fs/namei.c: MAXSYMLINKS
	maxName  = 255 // NAME_MAX
	maxPath  = 4096
)

func newTree(fsys fs.FS) *tree {
	top := &node{path: ".", mode: fs.ModeDir}
	top.parent = top // path_resolution(7): the root's ".." is the root
	quick, _ := fsys.(lister)
	return &tree{fsys: fsys, quick: quick, top: top}
}

// walk resolves an absolute path inside the root, following links to the end.
func (t *tree) walk(path string) (*node, error) {
	if len(path) >= maxPath {
		return nil, syscall.ENAMETOOLONG
	}
	links := 0
	return t.follow(t.top, path, &links, true)
}

// directory resolves the absolute path of a directory: in one step where there is no link on the way,
// as in a Nix store.
func (t *tree) directory(path string) (*node, error) {
	if n := t.enter(strings.Trim(path, "/")); n != nil {
		return n, nil
	}
	return t.walk(path)
}

// enter is the directory of a name, of which no part is a link; nil where it may be anything else.
func (t *tree) enter(name string) *node {
	if t.quick == nil || !fs.ValidPath(name) || name == "." || !t.quick.enter(name) {
		return nil
	}
	dir := t.top
	for base := range strings.SplitSeq(name, "/") {
		kid, ok := dir.kids[base]
		if !ok {
			kid = t.add(dir, base, fs.ModeDir)
		}
		if !kid.mode.IsDir() || kid.err != nil {
			return nil // it has changed meanwhile
		}
		dir = kid
	}
	return dir
}

// add adds an entry to a directory.
func (t *tree) add(dir *node, name string, mode fs.FileMode) *node {
	k := &node{path: name, parent: dir, mode: mode}
	if dir != t.top {
		k.path = dir.path + "/" + name
	}
	if dir.kids == nil {
		dir.kids = map[string]*node{}
	}
	dir.kids[name] = k
	return k
}

// follow resolves rest, counted from dir (path_resolution(7)); asked says that it is what was asked
// for, and not where a link leads.
func (t *tree) follow(dir *node, rest string, links *int, asked bool) (*node, error) {
	for more := true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		if !dir.mode.IsDir() {
			return nil, syscall.ENOTDIR
		}
		switch name {
		case "", ".":
			continue
		case "..":
			dir = dir.parent
			continue
		}
		kid, err := t.kidOf(dir, name, asked)
		if err == nil && kid.mode&fs.ModeSymlink != 0 {
			kid, err = t.link(dir, kid, links)
		}
		if err != nil {
			return nil, err
		}
		dir = kid
	}
	return dir, nil
}

// link follows the symbolic link kid of dir.
func (t *tree) link(dir, kid *node, links *int) (*node, error) {
	if *links++; *links > maxLinks {
		return nil, syscall.ELOOP
	}
	switch {
	case kid.target == "":
		return nil, fs.ErrNotExist
	case kid.target[0] == '/':
		dir = t.top
	}
	return t.follow(dir, kid.target, links, false)
}

// kid is the entry of a directory by that name, a link as itself. Where the directory has been
// listed, the list answers; else one lstat does.
func (t *tree) kid(dir *node, name string) (*node, error) { return t.kidOf(dir, name, false) }

// kidOf does that; a library's name that no link has led to is most likely a link.
func (t *tree) kidOf(dir *node, name string, first bool) (*node, error) {
	if k, ok := dir.kids[name]; ok {
		return k, k.err
	}
	if len(name) > maxName {
		return nil, syscall.ENAMETOOLONG
	}
	typ, known := dir.names[name]
	if dir.names != nil && !known || !utf8.ValidString(name) {
		return nil, fs.ErrNotExist // io/fs has no names that are not UTF-8
	}
	k := t.add(dir, name, typ)
	if !known && t.quick != nil {
		guess := first && strings.Contains(name, ".so.")
		k.mode, k.target, k.err = t.quick.kind(k.path, guess)
	} else if !known {
		var st fs.FileInfo
		if st, k.err = fs.Lstat(t.fsys, k.path); k.err == nil {
			k.mode = st.Mode().Type()
		}
	}
	if k.err == nil && k.target == "" && k.mode&fs.ModeSymlink != 0 {
		k.target, k.err = fs.ReadLink(t.fsys, k.path)
	}
	return k, k.err
}

// list reads a directory once, so that a search for many names costs one pass over it. A directory
// that may be entered but not listed is left to be probed.
func (t *tree) list(dir *node) {
	const manyProbes, few = 64, 128 // a large directory is not worth its list for a name or two
	if dir.listed || !dir.mode.IsDir() {
		return
	}
	if t.quick != nil {
		most := few
		if dir.probes++; dir.probes == manyProbes {
			most = math.MaxInt
		} else if dir.probes > 1 {
			return
		}
		names, ok, err := t.quick.names(dir.path, most)
		if dir.listed = ok || err != nil; dir.listed {
			dir.names = names
		}
		if dir.listed || most == few {
			return
		}
	}
	dir.listed = true
	entries, err := fs.ReadDir(t.fsys, dir.path)
	if err != nil {
		return
	}
	dir.names = make(map[string]fs.FileMode, len(entries))
	for _, e := range entries {
		dir.names[e.Name()] = e.Type()
	}
}

// abs is the node's absolute path, links resolved.
func (n *node) abs() string {
	if n.path == "." {
		return "/"
	}
	return "/" + n.path
}

// readFile reads a regular file that is at most limit bytes long.
func (t *tree) readFile(n *node, limit int64) ([]byte, error) {
	f, st, err := t.openFile(n)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st.Size() > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return readSome(f, st.Size())
}

// readSome reads the first n bytes of a file, fewer when it is shorter.
func readSome(f File, n int64) ([]byte, error) {
	buf := make([]byte, n)
	got, err := f.ReadAt(buf, 0)
	if got > 0 || n == 0 {
		err = nil
	}
	return buf[:got], err
}
