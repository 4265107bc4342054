package closure

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Item is a file or folder of the store with everything in it, as it is taken along beside programs.
type Item struct {
	Path    string      // where it was asked for in the store, an absolute path
	Target  string      // the file or folder that is there, links resolved
	Dest    string      // where it is wanted in a bundle, relative to its folder; "" leaves that open
	Size    int64       // bytes of all its files
	Entries []ItemEntry // itself first, then, of a folder, what is in it: by name, folder by folder

	Leads    []string // where its links lead elsewhere in the store, links resolved: sorted, each once
	Outside  []string // the names of its links that lead out of the store, to what another machine may not have
	Dangling []string // the names of its links that lead nowhere
}

// ItemEntry is one file, folder or link of an item.
type ItemEntry struct {
	Name   string      // its path below the item; "." for the item itself
	Mode   fs.FileMode // its type, a regular file, a folder or a symbolic link, and permissions
	Link   string      // of a link, as it stands
	Target string      // of a link, what it leads to, links resolved; "" where that is nothing
	Object *Object     // a regular file; its Info is nil, whatever it is
}

// ItemError says why something cannot be taken along.
type ItemError struct {
	Path string
	Why  string // what is wrong
	What string // what to do; "" when there is nothing to say
	Err  error  // what it comes from, such as fs.ErrNotExist or ErrNoMatch; may be nil
}

func (e *ItemError) Error() string { return e.Path + ": " + e.Why }

// Unwrap gives the cause.
func (e *ItemError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *ItemError) Hint() string { return e.What }

// maxItemEntries bounds the entries of an item, and what is looked at for a glob.
const maxItemEntries = 1 << 20

// ReadItem reads what is at an absolute path inside root: a file, or a folder with everything in it; a link
// there is followed, those inside a folder are kept as links. The path is one of the store, or leads into it
// as a result link does. Everything else is an [*ItemError], such as a fifo in the folder; files are not read.
func ReadItem(root fs.FS, name string, opts Options) (*Item, error) {
	t := newTree(root)
	at, err := t.inStore(name, opts.storeDir())
	if err != nil {
		return nil, err
	}
	return t.item(at, opts.storeDir())
}

// inStore is the path in the store that a path means.
func (t *tree) inStore(name, storeDir string) (string, error) {
	if name == "" || name[0] != '/' {
		return "", &ItemError{Path: name, Why: "not an absolute path"}
	}
	at := path.Clean(name)
	if _, _, ok := ParseStorePath(storeDir, at); ok {
		return at, nil
	}
	at, err := t.enterStore(at, storeDir)
	if err != nil {
		return "", noItem(name, err)
	}
	if at == path.Clean(storeDir) {
		return "", &ItemError{Path: name, Why: "is the whole store", What: "name a path in it: " + at + "/DIGEST-NAME"}
	}
	if _, _, ok := ParseStorePath(storeDir, at); !ok {
		return "", &ItemError{Path: name, Why: "is not in the store, " + storeDir,
			What: "add it to the store first (nix-store --add), or copy it beside the bundle"}
	}
	return at, nil
}

// noItem says why a path leads nowhere.
func noItem(name string, err error) error {
	e := &ItemError{Path: name, Why: err.Error(), Err: err}
	var named *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Why = "no such file"
	case errors.As(err, &named):
		e.Why = named.Err.Error()
	}
	return e
}

// item reads one item.
func (t *tree) item(at, storeDir string) (*Item, error) {
	n, err := t.walk(at)
	if err != nil {
		return nil, noItem(at, err)
	}
	if _, _, ok := ParseStorePath(storeDir, n.abs()); !ok {
		return nil, &ItemError{Path: at, Why: "leads out of the store, to " + n.abs()}
	}
	r := &itemReader{tree: t, storeDir: storeDir, item: &Item{Path: at, Target: n.abs()}}
	if err := r.add(n, "."); err != nil {
		return nil, err
	}
	slices.Sort(r.item.Leads)
	r.item.Leads = slices.Compact(r.item.Leads)
	return r.item, nil
}

// itemReader is one run of item.
type itemReader struct {
	*tree
	storeDir string
	item     *Item
}

// add adds an entry and, of a folder, all in it. Paths have at most PATH_MAX bytes, so that this ends.
func (r *itemReader) add(n *node, name string) error {
	if len(r.item.Entries) >= maxItemEntries || len(n.path) >= maxPath {
		return &ItemError{Path: r.item.Path, Why: "more than 1048576 files, or paths that are too long",
			What: "name the parts of it that are needed"}
	}
	st, err := fs.Lstat(r.fsys, n.path)
	if err != nil {
		return noItem(n.abs(), err)
	}
	e := ItemEntry{Name: name, Mode: st.Mode()}
	switch {
	case e.Mode.IsDir():
		r.item.Entries = append(r.item.Entries, e)
		return r.addFolder(n, name)
	case e.Mode.IsRegular():
		e.Object = &Object{Path: n.abs(), Size: st.Size(), Mode: st.Mode(), Open: func() (File, error) {
			f, _, err := r.openFile(n)
			return f, err
		}}
		r.item.Size += st.Size()
	case e.Mode&fs.ModeSymlink != 0:
		e.Link = n.target
		e.Target = r.follows(n, name)
	default:
		return &ItemError{Path: n.abs(), Why: "is " + special(e.Mode) + ", which no bundle can hold",
			What: "name the files beside it that are needed"}
	}
	r.item.Entries = append(r.item.Entries, e)
	return nil
}

// addFolder adds what is in a folder.
func (r *itemReader) addFolder(dir *node, name string) error {
	entries, err := fs.ReadDir(r.fsys, dir.path)
	if err != nil {
		return noItem(dir.abs(), err)
	}
	for _, e := range entries {
		if !utf8.ValidString(e.Name()) {
			return &ItemError{Path: dir.abs(), Why: fmt.Sprintf("the name %q in it is not UTF-8", e.Name())}
		}
		kid, err := r.kid(dir, e.Name())
		if err != nil {
			return noItem(path.Join(dir.abs(), e.Name()), err)
		}
		if err := r.add(kid, path.Join(name, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// follows notes where a link leads, and returns it.
func (r *itemReader) follows(n *node, name string) string {
	links := 0
	to, err := r.link(n.parent, n, &links)
	if err != nil {
		r.item.Dangling = append(r.item.Dangling, name)
		return ""
	}
	target := to.abs()
	_, _, stored := ParseStorePath(r.storeDir, target)
	switch {
	case target == r.item.Target || strings.HasPrefix(target, r.item.Target+"/"):
	case stored:
		r.item.Leads = append(r.item.Leads, target)
	default:
		r.item.Outside = append(r.item.Outside, name)
	}
	return target
}

// special names a kind of file that is neither a file, a folder nor a link.
func special(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}
