package bundle

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
)

// spool keeps the bytes of files to be read at random, in one temporary file that has no name any more:
// whatever the files are called, nothing else is written and nothing is left.
type spool struct {
	dir  string
	file *os.File
	end  int64
	hash hash.Hash
	buf  []byte
}

func newSpool(dir string) (*spool, error) {
	dir = cmp.Or(dir, "/tmp")
	f, err := os.CreateTemp(dir, ".nixbundle-*")
	if err != nil {
		return nil, &spoolError{dir, err}
	}
	_ = os.Remove(f.Name())
	return &spool{dir: dir, file: f, hash: sha256.New(), buf: make([]byte, chunkSize)}, nil
}

// take copies what r has to the spool.
func (s *spool) take(r io.Reader, cancelled func() error) (*io.SectionReader, digest, error) {
	start := s.end
	s.hash.Reset()
	for {
		if err := cancelled(); err != nil {
			return nil, digest{}, err
		}
		n, err := r.Read(s.buf)
		s.hash.Write(s.buf[:n])
		if _, err := s.file.WriteAt(s.buf[:n], s.end); err != nil {
			return nil, digest{}, &spoolError{s.dir, err}
		}
		s.end += int64(n)
		switch err {
		case nil:
		case io.EOF:
			return io.NewSectionReader(s.file, start, s.end-start), digest(s.hash.Sum(nil)), nil
		default:
			return nil, digest{}, err
		}
	}
}

func (s *spool) Close() error { return s.file.Close() }

// spoolError is a failure of this machine, and not of the bundle.
type spoolError struct {
	dir string
	err error
}

func (e *spoolError) Error() string {
	var named *fs.PathError
	if errors.As(e.err, &named) {
		return fmt.Sprintf("what it unpacks to cannot be kept in %s: %v", e.dir, named.Err)
	}
	return fmt.Sprintf("what it unpacks to cannot be kept in %s: %v", e.dir, e.err)
}

// Hint says what to do.
func (e *spoolError) Hint() string { return "name another folder for it with TMPDIR" }
