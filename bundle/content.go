package bundle

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"sync"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// content is the final bytes of one file of a bundle: what the plan generated, the source as it is,
// or the source with its edit.
type content struct {
	io.ReaderAt
	size   int64
	object *closure.Object // nil for a generated file
	source closure.File    // likewise
}

// openContent opens the bytes of a file entry; the caller closes it.
func openContent(e *Entry) (*content, error) {
	if e.Object == nil {
		return &content{ReaderAt: bytes.NewReader(e.Data), size: int64(len(e.Data))}, nil
	}
	f, err := e.Object.Open()
	if err != nil {
		return nil, err
	}
	if len(e.Texts) > 0 {
		o := &replaced{f, e.Texts}
		if err := o.check(); err != nil {
			_ = f.Close()
			return nil, err
		}
		f = o
	}
	c := &content{ReaderAt: f, size: e.Object.Size, object: e.Object, source: f}
	if e.edited() {
		image, err := e.patch(f)
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		c.ReaderAt, c.size = image, image.Size()
	}
	return c, nil
}

// patched is what an entry's edit made of its file. A file is opened by the proof, to be measured,
// and to be packed; its edit is planned once.
type patched struct {
	sync.Mutex
	edit  elfpatch.Edit
	image *elfpatch.Image
}

// patch applies the entry's edit to its open file.
func (e *Entry) patch(f closure.File) (*elfpatch.Image, error) {
	if e.patched == nil {
		return elfpatch.Apply(f, e.Object.Size, e.Edit)
	}
	e.patched.Lock()
	defer e.patched.Unlock()
	if e.patched.image == nil || !reflect.DeepEqual(e.patched.edit, e.Edit) {
		image, err := elfpatch.Apply(f, e.Object.Size, e.Edit)
		if err != nil {
			return nil, err
		}
		e.patched.edit, e.patched.image = e.Edit, image.Over(nil)
	}
	return e.patched.image.Over(f), nil
}

// edited reports whether an entry's bytes may differ from its source's.
func (e *Entry) edited() bool { return !reflect.ValueOf(e.Edit).IsZero() }

// errChanged: somebody writes to the source.
var errChanged = errors.New("the file was changed while it was being packed")

// unchanged checks that the source has not grown beyond the size that the plan was made with.
func (c *content) unchanged() error {
	if c.source == nil {
		return nil
	}
	var one [1]byte
	if n, _ := c.source.ReadAt(one[:], c.object.Size); n > 0 {
		return errChanged
	}
	return nil
}

// Close closes the source.
func (c *content) Close() error {
	if c.source == nil {
		return nil
	}
	return c.source.Close()
}

// fill reads len(b) bytes at off; a source that ends before has been cut.
func (c *content) fill(b []byte, off int64) error {
	n, err := c.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errChanged
	}
	return err
}
