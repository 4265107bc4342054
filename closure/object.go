package closure

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// objects holds every file that was read, so that each is read once and two paths to one inode are
// one object.
type objects struct {
	*tree
	bySize map[int64][]known
	reader elfpatch.Reader
	ahead  *readAhead // nil where nothing is read ahead
}

// known is an object and the identity of its file.
type known struct {
	object *Object
	stat   fs.FileInfo
}

var (
	// errNotRegular: a device or a fifo; opening one may block.
	errNotRegular = errors.New("not a regular file")
	errNotRandom  = errors.New("the root's files cannot be read at an offset")
)

// object is the ELF file at a node; the error is that of opening it or of elfpatch.Read.
func (o *objects) object(n *node) (*Object, error) {
	if !n.opened {
		n.opened = true
		var c contents
		if n.reading != nil && o.ahead != nil {
			c = o.ahead.get(n.reading, &o.reader)
		} else {
			c = o.contents(n, &o.reader)
		}
		n.object, n.openErr = o.identify(n, &c)
	}
	return n.object, n.openErr
}

// Interp is the path of the loader that starts a program: PT_INTERP, or what its start stub finds,
// as package stub does; "" where there is none.
func (o *Object) Interp() string {
	if o.Info.Stub != nil {
		return path.Join(path.Dir(o.Path), o.Info.Stub.Loader)
	}
	return o.Info.Interp
}

// identify gives the object that a file is. glibc and musl compare st_dev and st_ino; a root that
// has none goes by the resolved path.
func (o *objects) identify(n *node, c *contents) (*Object, error) {
	if c.err != nil {
		return nil, c.err
	}
	size := c.stat.Size()
	for _, k := range o.bySize[size] {
		if sameFile(k.stat, c.stat) {
			return k.object, nil
		}
	}
	object := &Object{
		Path: n.abs(), Info: c.info, Size: size, Mode: c.stat.Mode(),
		Open: func() (File, error) {
			f, _, err := o.openFile(n)
			return f, err
		},
	}
	o.bySize[size] = append(o.bySize[size], known{object, c.stat})
	return object, nil
}

// contents is what was read of a file, or why it was not.
type contents struct {
	info *elfpatch.Info
	stat fs.FileInfo
	err  error
}

func (t *tree) contents(n *node, reader *elfpatch.Reader) (c contents) {
	var f rootFile
	if f, c.stat, c.err = t.openFile(n); c.err != nil {
		return c
	}
	defer f.Close()
	if c.info, c.err = reader.Read(f, c.stat.Size()); c.err != nil {
		c.err = &unreadable{head: head(f), err: c.err}
	}
	return c
}

// sameFile reports whether two descriptions are of one file.
func sameFile(a, b fs.FileInfo) bool {
	if known, ok := a.(interface{ same(fs.FileInfo) bool }); ok {
		return known.same(b)
	}
	return os.SameFile(a, b)
}

// rootFile is what a root's files must be able to do.
type rootFile interface {
	File
	Stat() (fs.FileInfo, error)
}

// openFile opens a regular file of the tree.
func (t *tree) openFile(n *node) (rootFile, fs.FileInfo, error) {
	if !n.mode.IsRegular() {
		return nil, nil, errNotRegular
	}
	f, err := t.fsys.Open(n.path)
	if err != nil {
		return nil, nil, err
	}
	r, ok := f.(rootFile)
	if !ok {
		_ = f.Close()
		return nil, nil, errNotRandom
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return r, st, nil
}

// unreadable is the error of a file that elfpatch cannot read, with what the loader looks at before
// it looks at anything else: the first bytes.
type unreadable struct {
	head []byte
	err  error
}

func (u *unreadable) Error() string { return u.err.Error() }
func (u *unreadable) Unwrap() error { return u.err }

func head(f File) []byte {
	b, _ := readSome(f, 64)
	return b
}

// sameBytes reports whether two objects have the same contents.
func sameBytes(a, b *Object) (bool, error) {
	if a == b {
		return true, nil
	}
	if a.Size != b.Size {
		return false, nil
	}
	fa, err := a.Open()
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := b.Open()
	if err != nil {
		return false, err
	}
	defer fb.Close()
	return sameContents(fa, fb, a.Size)
}

func sameContents(a, b File, size int64) (bool, error) {
	const chunk = 1 << 18
	bufA, bufB := make([]byte, chunk), make([]byte, chunk)
	for off := int64(0); off < size; off += chunk {
		n := min(chunk, size-off)
		for _, r := range []struct {
			f   File
			buf []byte
		}{{a, bufA}, {b, bufB}} {
			if got, err := r.f.ReadAt(r.buf[:n], off); int64(got) < n {
				return false, err
			}
		}
		if string(bufA[:n]) != string(bufB[:n]) {
			return false, nil
		}
	}
	return true, nil
}
