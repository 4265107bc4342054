package elfpatch

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// Sentinels that [Read] and [Apply] return, wrapped or as they are; test with errors.Is.
var (
	// ErrNotELF: the file does not begin with an ELF identification.
	ErrNotELF = errors.New("not an ELF file")
	// ErrNotDynamic: the file has no PT_DYNAMIC, so there is nothing for a loader to read or for
	// an edit to change.
	ErrNotDynamic = errors.New("no dynamic section: the file is statically linked")
	// ErrUnsupported: the edit cannot be placed in this file without risk; the text says why.
	ErrUnsupported = errors.New("not supported")
)

// FormatError is a defect of an ELF file.
type FormatError struct {
	Off int64  // where the defect stands, an offset into the file in bytes
	Msg string // what is wrong
	Val any    // the offending value, nil when there is none
}

// damage is what a failed access says of the file: that an address is not mapped, or a range not in
// the file, is a defect; a failure to read is none and is returned as it is.
func damage(off offset, what string, err error) error {
	var outside *addressError
	switch {
	case errors.As(err, &outside):
		return &FormatError{Off: max(int64(off), 0), Msg: what + ": " + err.Error()}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &FormatError{Off: max(int64(off), 0), Msg: what + " lies outside the file"}
	}
	return err
}

// addressError tells of n bytes at an address that the file does not fill.
type addressError struct {
	addr vaddr
	n    int64
}

func (e *addressError) Error() string {
	return fmt.Sprintf("address %#x (%d bytes) is in no loaded segment", uint64(e.addr), e.n)
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("damaged ELF file: %s at offset %#x", e.What(), e.Off)
}

// What is what is wrong, with the value, and without the place.
func (e *FormatError) What() string {
	if e.Val != nil {
		return fmt.Sprintf("%s (%v)", e.Msg, e.Val)
	}
	return e.Msg
}

// A vaddr is a link-time virtual address and an offset is a place in the file, both in bytes. The
// one way from the first to the second is [file.offset].
type (
	vaddr  uint64
	offset int64
)

const (
	pageSize = 4096 // how much a pager reads at a time
	headSize = 4 * pageSize
	maxPages = 1024 // how many it keeps
	maxKept  = 256  // the longest string that is kept for the next file, bytes
	maxTexts = 1 << 16
)

// A pager reads small ranges of a file and remembers the pages it has seen, so that the tables of
// one file cost a handful of reads. It never allocates more than the file holds.
type pager struct {
	src   io.ReaderAt
	size  int64
	head  []byte // the first headSize bytes, which have most tables of a small library
	pages []page
	spare [][]byte          // buffers of a file that was read before
	texts map[string]string // strings that were read before; nil where they are not kept

	entries []dynEntry // room for those of the next file

	spans []span // ranges that were read at once, see [pager.load]
}

// span is a range of a file.
type span struct {
	off  offset
	data []byte
}

// chunkRoom holds what [pager.chunks] reads into.
var chunkRoom = sync.Pool{New: func() any { return new([chunk]byte) }}

const chunk = 64 << 10

// page is the i-th page of a file, shorter at its end.
type page struct {
	i    int64
	data []byte
}

func newPager(src io.ReaderAt, size int64) *pager {
	return &pager{src: src, size: size}
}

// text is b as a string, which is one in memory for all files that have it.
func (p *pager) text(b []byte) string {
	if s, ok := p.texts[string(b)]; ok {
		return s
	}
	s := string(b)
	if p.texts != nil && len(s) <= maxKept && len(p.texts) < maxTexts {
		p.texts[s] = s
	}
	return s
}

// read returns n bytes at off, or io.ErrUnexpectedEOF when the file does not hold them all. The
// result may be shared: do not write to it.
func (p *pager) read(off offset, n int64) ([]byte, error) {
	if off < 0 || n < 0 || int64(off) > p.size || n > p.size-int64(off) {
		return nil, io.ErrUnexpectedEOF
	}
	if b := p.loaded(off, n); b != nil {
		return b, nil
	}
	if end := int64(off) + n; end <= headSize {
		if len(p.head) == 0 {
			if err := p.readHead(); err != nil {
				return nil, err
			}
		}
		if end <= int64(len(p.head)) {
			return p.head[off:end:end], nil
		}
	}
	first, within := int64(off)/pageSize, int64(off)%pageSize
	if within+n <= pageSize {
		page, err := p.page(first)
		if err != nil || within+n > int64(len(page)) {
			return nil, firstError(err, io.ErrUnexpectedEOF)
		}
		return page[within : within+n : within+n], nil
	}
	if n < pageSize { // in two pages, which the neighbours of this range share
		return p.readAcross(first, within, n)
	}
	buf := make([]byte, n)
	if err := readFull(p.src, buf, int64(off)); err != nil {
		return nil, err
	}
	return buf, nil
}

// load reads a range at once, for what is read of it afterwards. Where it cannot, that goes on its own.
func (p *pager) load(off offset, n int64) {
	if off < 0 || n <= 0 || int64(off) > p.size || n > p.size-int64(off) {
		return
	}
	if b := make([]byte, n); readFull(p.src, b, int64(off)) == nil {
		p.spans = append(p.spans, span{off, b})
	}
}

// loaded is a range of what was read at once; nil for any other.
func (p *pager) loaded(off offset, n int64) []byte {
	for _, s := range p.spans {
		if from := int64(off - s.off); from >= 0 && from <= int64(len(s.data)) && n <= int64(len(s.data))-from {
			return s.data[from : from+n : from+n]
		}
	}
	return nil
}

// chunks reads n bytes at off piece by piece, each a multiple of unit bytes long; use must not keep
// them.
func (p *pager) chunks(off offset, n, unit int64, use func([]byte) error) error {
	if b := p.loaded(off, n); b != nil && n > 0 {
		return use(b)
	}
	room := chunkRoom.Get().(*[chunk]byte)
	defer chunkRoom.Put(room)
	for n > 0 {
		b := room[:min(n, chunk/unit*unit)]
		if err := readFull(p.src, b, int64(off)); err != nil {
			return err
		}
		if err := use(b); err != nil {
			return err
		}
		off, n = off+offset(len(b)), n-int64(len(b))
	}
	return nil
}

// readHead reads the first bytes, less where the file has shrunk since its size was taken.
func (p *pager) readHead() error {
	if cap(p.head) == 0 {
		p.head = make([]byte, headSize)
	}
	p.head = p.head[:min(headSize, p.size)]
	n, err := p.src.ReadAt(p.head, 0)
	short := n < len(p.head)
	p.head = p.head[:n]
	if short && err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// readAcross returns n bytes that begin within page i and end in the next.
func (p *pager) readAcross(i, within, n int64) ([]byte, error) {
	head, err := p.page(i)
	if err != nil {
		return nil, err
	}
	tail, err := p.page(i + 1)
	if err != nil {
		return nil, err
	}
	rest := n - (pageSize - within)
	if int64(len(head)) < pageSize || int64(len(tail)) < rest {
		return nil, io.ErrUnexpectedEOF
	}
	return append(head[within:len(head):len(head)], tail[:rest]...), nil
}

func (p *pager) page(i int64) ([]byte, error) {
	for k := len(p.pages) - 1; k >= 0; k-- {
		if p.pages[k].i == i {
			return p.pages[k].data, nil
		}
	}
	if len(p.pages) >= maxPages { // the tables of no sound file are so far apart
		p.pages = nil
	}
	buf := p.buffer()[:min(pageSize, p.size-i*pageSize)]
	n, err := p.src.ReadAt(buf, i*pageSize)
	if n < len(buf) && err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	buf = buf[:n] // less where the file has shrunk since its size was taken
	p.pages = append(p.pages, page{i, buf})
	return buf, nil
}

func (p *pager) buffer() []byte {
	if n := len(p.spare); n > 0 {
		buf := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return buf
	}
	return make([]byte, pageSize)
}

// readFull reads all of buf at off; a short read is an error, and an io.EOF that comes with a full
// buffer is not (io.ReaderAt allows both).
func readFull(src io.ReaderAt, buf []byte, off int64) error {
	n, err := src.ReadAt(buf, off)
	switch {
	case n == len(buf):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
