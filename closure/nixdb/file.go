package nixdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// FormatError says what is wrong with a database, or with the output of nix path-info.
type FormatError struct {
	File string // as given; "" for the output of nix path-info
	Off  int64  // where, bytes; of a database the page
	What string
}

func (e *FormatError) Error() string {
	switch {
	case e.File == "":
		return e.What
	case e.Off == 0:
		return e.File + ": " + e.What
	}
	return fmt.Sprintf("%s: %s, at %#x", e.File, e.What, e.Off)
}

// file is a database at one moment: the file, and over it the pages in its write-ahead log.
type file struct {
	name string
	root fs.FS
	db   readFile
	wal  readFile // nil where there is none
	before

	pageSize int               // bytes
	usable   int               // bytes of a page that hold anything: the rest is for extensions
	pages    uint32            // in the database
	logged   map[uint32]int64  // where in the log the last committed state of a page is
	cache    map[uint32][]byte // pages that were read
	visits   int               // steps: pages and rows that were looked into
}

// before is what tells that a database has changed. A page of the file is only written by a checkpoint of
// the log or, without a log, within a transaction, which has a journal; the log is only appended to, or
// begins anew with another header.
type before struct {
	head    [headSize]byte
	size    int64
	changed time.Time
	walHead [walHeadSize]byte
}

type readFile interface {
	fs.File
	io.ReaderAt
}

const (
	headSize  = 100     // fileformat2.html, 1.3
	minPage   = 512     // bytes
	maxPage   = 1 << 16 // bytes
	maxCached = 1 << 12 // pages
	maxVisits = 1 << 24 // steps: maxPaths records take some forty each
)

// open opens a database and reads which pages its log has.
func open(root fs.FS, name string) (*file, error) {
	f := &file{name: name, root: root, cache: map[uint32][]byte{}}
	var err error
	if f.db, err = openRegular(root, name); err != nil {
		return nil, err
	}
	if f.wal, err = openRegular(root, name+"-wal"); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		f.before, err = f.state()
	}
	if err == nil {
		err = f.readHead()
	}
	if err == nil {
		err = f.readLog()
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// openRegular opens a regular file; to open a fifo is to wait for a writer.
func openRegular(root fs.FS, name string) (readFile, error) {
	info, err := fs.Stat(root, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &FormatError{File: name, What: "not a regular file"}
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	r, ok := f.(readFile)
	if !ok {
		_ = f.Close()
		return nil, &FormatError{File: name, What: "the root's files cannot be read at an offset"}
	}
	return r, nil
}

func (f *file) close() {
	_ = f.db.Close()
	if f.wal != nil {
		_ = f.wal.Close()
	}
}

func (f *file) wrong(off int64, format string, args ...any) error {
	return &FormatError{f.name, off, fmt.Sprintf(format, args...)}
}

// state is what the files say of themselves now. A log that is not there is as one that is empty.
func (f *file) state() (b before, err error) {
	info, err := fs.Stat(f.root, f.name)
	if err != nil {
		return b, err
	}
	b.size, b.changed = info.Size(), info.ModTime()
	if _, err := f.db.ReadAt(b.head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return b, err
	}
	wal, err := openRegular(f.root, f.name+"-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	defer wal.Close()
	if _, err := wal.ReadAt(b.walHead[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return b, err
	}
	return b, nil
}

// changed is errChanged where what was read since open may be of two states.
func (f *file) changed() error {
	now, err := f.state()
	if err != nil {
		return err
	}
	if now != f.before || f.inTransaction() {
		return errChanged
	}
	return nil
}

// inTransaction reports whether a rollback journal says so (fileformat2.html, 3): Nix without a log
// (use-sqlite-wal = false).
func (f *file) inTransaction() bool {
	j, err := openRegular(f.root, f.name+"-journal")
	if err != nil {
		return false
	}
	defer j.Close()
	var magic [8]byte
	_, _ = j.ReadAt(magic[:], 0)
	return string(magic[:]) == "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
}

// readHead reads the header of the file.
func (f *file) readHead() error {
	const format, reserved, encoding = 19, 20, 56 // where they are
	h := f.head[:]
	if string(h[:16]) != "SQLite format 3\x00" {
		return f.wrong(0, "not a SQLite database")
	}
	f.pageSize = int(binary.BigEndian.Uint16(h[16:]))
	if f.pageSize == 1 {
		f.pageSize = maxPage
	}
	f.usable = f.pageSize - int(h[reserved])
	switch {
	case f.pageSize < minPage || f.pageSize&(f.pageSize-1) != 0 || f.usable < 480:
		return f.wrong(16, "a page of %d bytes of which %d are used", f.pageSize, f.usable)
	case h[format] > 2:
		return f.wrong(format, "version %d of the file format", h[format])
	case binary.BigEndian.Uint32(h[encoding:]) > 1:
		return f.wrong(encoding, "text that is not UTF-8")
	}
	f.pages = uint32(min(f.size/int64(f.pageSize), 1<<32-2))
	return nil
}

// page reads one page; the first is number 1.
func (f *file) page(number uint32) ([]byte, error) {
	if err := f.visit(1); err != nil {
		return nil, err
	}
	if p, ok := f.cache[number]; ok {
		return p, nil
	}
	from, off := f.db, (int64(number)-1)*int64(f.pageSize)
	if at, ok := f.logged[number]; ok {
		from, off = f.wal, at
	} else if number == 0 || number > f.pages {
		return nil, f.wrong(0, "no page %d among %d", number, f.pages)
	}
	p := make([]byte, f.pageSize)
	if n, err := from.ReadAt(p, off); n < len(p) {
		return nil, f.wrong(off, "page %d: %v", number, err)
	}
	if len(f.cache) >= maxCached {
		clear(f.cache)
	}
	f.cache[number] = p
	return p, nil
}

// visit counts steps. A tree that leads back to itself would have no end of them.
func (f *file) visit(steps int) error {
	if f.visits += steps; f.visits > maxVisits {
		return f.wrong(0, "pages that lead back to themselves")
	}
	return nil
}
