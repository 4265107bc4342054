package bundle

import "io"

// stream takes bytes in place, so that a file is read straight into the buffer that is packed.
type stream interface {
	room() ([]byte, error)    // free space, 1 to chunkSize bytes; the error of an earlier write
	filled(n int) error       // the first n bytes of room are filled
	cut() error               // a reader may start here without what went before
	close() error             // writes what is left; nothing may follow
	abort()                   // lets go of everything; does nothing after close
	written() (in, out int64) // bytes taken, and bytes written after close
}

// chunkSize bounds what is read, hashed and counted at a time: it stays in the processor's cache
// between the three, and a cancelled context is seen after no more than that.
const chunkSize = 256 << 10

// putBytes copies b into a stream or sink.
func putBytes(s interface {
	room() ([]byte, error)
	filled(n int) error
}, b []byte) error {
	for len(b) > 0 {
		room, err := s.room()
		if err != nil {
			return err
		}
		n := copy(room, b)
		if err := s.filled(n); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// plainStream writes what it takes as it is.
type plainStream struct {
	out   io.Writer
	buf   []byte
	total int64
}

func newPlainStream(out io.Writer) *plainStream {
	return &plainStream{out: out, buf: make([]byte, 0, chunkSize)}
}

func (s *plainStream) room() ([]byte, error) { return s.buf[len(s.buf):cap(s.buf)], nil }

func (s *plainStream) filled(n int) error {
	s.buf = s.buf[:len(s.buf)+n]
	s.total += int64(n)
	if len(s.buf) < cap(s.buf) {
		return nil
	}
	return s.cut()
}

func (s *plainStream) cut() error {
	_, err := s.out.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

func (s *plainStream) close() error { return s.cut() }

func (s *plainStream) abort() {}

func (s *plainStream) written() (in, out int64) { return s.total, s.total }
