package bundle

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"time"
)

// sink is what a bundle's entries are written to: a tar stream or a folder. Between begin and end of
// a file exactly its size goes through room and filled.
type sink interface {
	begin(n header) error
	room() ([]byte, error)
	filled(n int) error
	end() error
	lastFile() error // what follows is the manifest: readers look for it first
	close() error
	abort()
	written() (in, out int64)
}

// header is one entry with all that stands in its header.
type header struct {
	path string
	mode fs.FileMode // permissions and type
	link string      // of a symbolic link
	same string      // the path of an earlier file with which this one shares its bytes
	size int64       // of a file
}

// tarSink writes a tar stream: POSIX ustar, with PAX records only for what ustar cannot say.
type tarSink struct {
	stream
	epoch time.Time
	pad   int64         // from the end of the current file to the next block
	buf   *bytes.Buffer // of the header
}

// tarBlock is the unit of a tar file (POSIX pax, "ustar Interchange Format").
const tarBlock = 512

func newTarSink(s stream, epoch int64) *tarSink {
	return &tarSink{stream: s, epoch: time.Unix(epoch, 0).UTC(), buf: new(bytes.Buffer)}
}

// begin writes the header. A tar.Writer is used for it alone: the bytes of the file do not pass
// through it, and so are not copied.
func (t *tarSink) begin(n header) error {
	h := t.tarHeader(n)
	t.buf.Reset()
	if err := tar.NewWriter(t.buf).WriteHeader(h); err != nil {
		return err
	}
	t.pad = -h.Size & (tarBlock - 1)
	return putBytes(t.stream, t.buf.Bytes())
}

// tarHeader says nothing about the machine, the user or the time.
func (t *tarSink) tarHeader(n header) *tar.Header {
	h := &tar.Header{Name: n.path, Mode: int64(n.mode.Perm()), ModTime: t.epoch, Typeflag: tar.TypeReg}
	switch {
	case n.mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, n.path+"/"
	case n.mode.Type() == fs.ModeSymlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, n.link
	case n.same != "":
		h.Typeflag, h.Linkname = tar.TypeLink, n.same
	default:
		h.Size = n.size
	}
	return h
}

var zeros [2 * tarBlock]byte

func (t *tarSink) end() error { return putBytes(t.stream, zeros[:t.pad]) }

func (t *tarSink) lastFile() error { return t.cut() }

// close ends the archive with two blocks of zeros.
func (t *tarSink) close() error {
	if err := putBytes(t.stream, zeros[:]); err != nil {
		return err
	}
	return t.stream.close()
}
