package bundle

import (
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// folderSink writes the entries as files below a directory, as tar -x would, and whatever the umask is.
// Everything is private to the user until close gives it its mode.
type folderSink struct {
	root  *os.Root
	epoch time.Time

	cur     header
	file    *os.File
	out     *plainStream // to file
	buf     []byte
	folders []header // whose mode and time are due when all is in them
	total   int64
}

// newFolderSink makes dir and writes below it.
func newFolderSink(dir string, epoch int64) (*folderSink, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil { // whatever the umask took away
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &folderSink{root: root, epoch: time.Unix(epoch, 0)}, nil
}

func (t *folderSink) begin(n header) error {
	t.cur, t.out = n, nil
	name := filepath.FromSlash(n.path)
	switch {
	case n.mode.IsDir():
		t.folders = append(t.folders, n)
		if err := t.root.Mkdir(name, 0o700); err != nil {
			return err
		}
		return t.root.Chmod(name, 0o700)
	case n.mode.Type() == fs.ModeSymlink:
		return t.root.Symlink(n.link, name)
	case n.same != "":
		return t.root.Link(filepath.FromSlash(n.same), name)
	}
	f, err := t.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if t.buf == nil {
		t.buf = make([]byte, 0, chunkSize)
	}
	t.file, t.out = f, &plainStream{out: f, buf: t.buf}
	return nil
}

func (t *folderSink) room() ([]byte, error) { return t.out.room() }

func (t *folderSink) filled(n int) error {
	t.total += int64(n)
	return t.out.filled(n)
}

func (t *folderSink) end() error {
	if t.out == nil {
		return nil
	}
	err := t.out.close()
	if err == nil {
		err = t.file.Chmod(t.cur.mode.Perm())
	}
	if e := t.file.Close(); err == nil {
		err = e
	}
	t.file = nil
	if err != nil {
		return err
	}
	return t.root.Chtimes(filepath.FromSlash(t.cur.path), t.epoch, t.epoch)
}

func (t *folderSink) lastFile() error { return nil }

// close gives the folders their times and modes, the inner ones first: a write would change the
// one, and be stopped by the other.
func (t *folderSink) close() error {
	for i := len(t.folders) - 1; i >= 0; i-- {
		name := filepath.FromSlash(t.folders[i].path)
		if err := t.root.Chtimes(name, t.epoch, t.epoch); err != nil {
			return err
		}
		if err := t.root.Chmod(name, t.folders[i].mode.Perm()); err != nil {
			return err
		}
	}
	return t.root.Close()
}

func (t *folderSink) abort() {
	if t.file != nil {
		_ = t.file.Close()
		t.file = nil
	}
	_ = t.root.Close()
}

func (t *folderSink) written() (in, out int64) { return t.total, t.total }
