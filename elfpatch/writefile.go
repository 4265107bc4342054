package elfpatch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteOptions says how WriteFile writes. The zero value replaces the original at once, or not at all.
type WriteOptions struct {
	// Output is another file that gets the patched one, changed or not; what it is stays: a device or
	// a pipe is written to. "" is the original.
	Output string
	// InPlace writes the ranges that differ into the original itself, whose other names (hard links)
	// then see them too. What interrupts it leaves a part of them written.
	InPlace bool
}

// WriteFile puts the patched file img of src where o says. src is the original, opened by its name
// for reading, and img what Apply made of it.
//
// Without options a new file takes the original's place in one step, or where src is a symbolic link
// that of its target: the copy shares or copies the untouched ranges within the kernel, has the
// mode, owner and extended attributes of the original, and is on the disk before it is renamed.
// A file of several names, or one whose folder or owner we cannot give to a new file, is written to as
// with InPlace. An unchanged image touches nothing.
func WriteFile(src *os.File, img *Image, o WriteOptions) error {
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if info.Size() != img.srcSize {
		return fmt.Errorf("%s: changed from %d to %d bytes while it was edited", src.Name(), img.srcSize, info.Size())
	}
	img = img.Over(src)
	if o.Output != "" {
		return img.writeOutput(src, o.Output, info)
	}
	if !img.Changed() {
		return nil
	}
	name, err := filepath.EvalSymlinks(src.Name())
	if err != nil {
		return err
	}
	if o.InPlace || !info.Mode().IsRegular() || hasOtherNames(info) {
		return img.writeInto(name)
	}
	err = img.replace(src, name, info, true)
	if errors.Is(err, fs.ErrPermission) {
		if img.writeInto(name) == nil {
			return nil
		}
	}
	return err
}

// writeOutput writes the whole patched file to another name. A file that is there keeps its mode and
// owner, a new one has the original's permissions under the umask.
func (m *Image) writeOutput(src *os.File, name string, original fs.FileInfo) error {
	there, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m.create(src, name, original)
	case err != nil:
		return err
	case os.SameFile(there, original):
		return WriteFile(src, m, WriteOptions{})
	case !there.Mode().IsRegular() || hasOtherNames(there):
		return m.stream(name, original)
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	err = m.replace(src, real, there, false)
	if errors.Is(err, fs.ErrPermission) {
		return m.stream(name, original)
	}
	return err
}

// create writes a file that is not there, perhaps where a symbolic link points.
func (m *Image) create(src *os.File, name string, original fs.FileInfo) (err error) {
	out, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, original.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() {
		if err = firstError(err, out.Close()); err != nil {
			_ = os.Remove(name)
		}
	}()
	return m.fill(src, out)
}

// stream writes the whole patched file into one that is there, whatever kind it is.
func (m *Image) stream(name string, original fs.FileInfo) error {
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, original.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = m.WriteTo(out)
	return firstError(err, out.Close())
}

// writeInto writes what differs into the file name, which holds the original.
func (m *Image) writeInto(name string) error {
	out, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	// The tail first: until the headers name it, it is only bytes behind the file.
	err = firstError(m.writeTail(out), m.writeOverlays(out))
	return firstError(err, out.Close())
}

// replace writes the patched file beside name and renames it to that. It gets the mode and owner of
// like. What takes the place of the original gets its extended attributes too, and must be on the disk
// before the original goes.
func (m *Image) replace(src *os.File, name string, like fs.FileInfo, original bool) (err error) {
	out, err := os.CreateTemp(filepath.Dir(name), ".nixbundle-*")
	if err != nil {
		return err
	}
	defer func() {
		if err = firstError(err, out.Close()); err == nil {
			err = os.Rename(out.Name(), name)
		}
		if err != nil {
			_ = os.Remove(out.Name())
		}
	}()
	if err := m.fill(src, out); err != nil {
		return err
	}
	if err := giveOwner(out, like); err != nil {
		return err
	}
	if err := out.Chmod(like.Mode()); err != nil {
		return err
	}
	if !original {
		return nil
	}
	if err := copyAttributes(src, out); err != nil {
		return err
	}
	return out.Sync()
}

// fill writes the whole patched file to the empty file out: a copy of what stays, and over it the
// edits.
func (m *Image) fill(src, out *os.File) error {
	for at := int64(0); at < m.kept; {
		from, to, err := nextData(src, at, m.kept)
		if err != nil {
			return err
		}
		if err := copyRange(out, src, from, to); err != nil {
			return fmt.Errorf("%s: %w", src.Name(), err)
		}
		at = to
	}
	if err := out.Truncate(m.Size()); err != nil { // a hole at the end
		return err
	}
	return firstError(m.writeOverlays(out), m.writeTail(out))
}

// copyRange copies a range of src to the same place of out. Two files are copied within the kernel,
// and shared where their file system can.
func copyRange(out, src *os.File, from, to int64) error {
	if _, err := src.Seek(from, io.SeekStart); err != nil {
		return err
	}
	if _, err := out.Seek(from, io.SeekStart); err != nil {
		return err
	}
	n, err := io.CopyN(out, src, to-from)
	if errors.Is(err, io.EOF) || err == nil && n < to-from {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (m *Image) writeOverlays(out io.WriterAt) error {
	for _, o := range m.overlays {
		if _, err := out.WriteAt(o.data, int64(o.off)); err != nil {
			return err
		}
	}
	return nil
}

// writeTail writes what is appended and cuts off what is not kept. A trailer is written from its end
// on, for out may be the original, in which it moves up.
func (m *Image) writeTail(out *os.File) error {
	if m.kept == m.srcSize && len(m.tail) == 0 {
		return nil
	}
	b := make([]byte, min(copyBuffer, m.moved.size()))
	for left := m.moved.size(); left > 0; left -= int64(len(b)) {
		b = b[:min(int64(len(b)), left)]
		if err := readFull(m.src, b, int64(m.moved.from)+left-int64(len(b))); err != nil {
			return err
		}
		if _, err := out.WriteAt(b, m.end()+left-int64(len(b))); err != nil {
			return err
		}
	}
	if _, err := out.WriteAt(m.tail, m.kept); err != nil {
		return err
	}
	return out.Truncate(m.Size())
}
