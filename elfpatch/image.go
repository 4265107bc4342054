package elfpatch

import (
	"bytes"
	"io"
	"slices"
)

// Image is a patched view of a file: a short list of ranges over the original, and what is
// appended. Bytes that no range names are the original's by construction, and memory is
// proportional to the edit. An Image reads the original when it is read itself; it does not close
// it. It may be used from several goroutines if the original may.
type Image struct {
	src      io.ReaderAt
	srcSize  int64
	kept     int64 // bytes of the original that remain; the tail comes after
	overlays []overlay
	tail     []byte
	moved    extent // a range of the original that comes after the tail
}

type overlay struct {
	off  offset
	data []byte
}

// Range is a range of bytes in a file.
type Range struct {
	Off, Len int64 // bytes
}

// Over is the same patch over another reader of the same original: what was planned once serves each
// time the file is opened.
func (m *Image) Over(src io.ReaderAt) *Image {
	same := *m
	same.src = src
	return &same
}

// Size is the length of the patched file in bytes.
func (m *Image) Size() int64 { return m.end() + m.moved.size() }

// end is where the tail ends.
func (m *Image) end() int64 { return m.kept + int64(len(m.tail)) }

// Changed reports whether any byte differs from the original.
func (m *Image) Changed() bool {
	return len(m.overlays) > 0 || len(m.tail) > 0 || m.kept != m.srcSize
}

// Overlays lists, in ascending order, every range that is not the original's at that place: the
// appended tail is one of them, and a trailer behind it.
func (m *Image) Overlays() []Range {
	var ranges []Range
	for _, o := range m.overlays {
		ranges = append(ranges, Range{int64(o.off), int64(len(o.data))})
	}
	if m.Size() > m.kept {
		ranges = append(ranges, Range{m.kept, m.Size() - m.kept})
	}
	return ranges
}

// ReadAt reads the patched file, as io.ReaderAt.
func (m *Image) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &FormatError{Off: off, Msg: "read before the start of the file"}
	}
	if off >= m.Size() {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), m.Size()-off))
	want := b[:n]
	if off < m.kept {
		if err := readFull(m.src, want[:min(int64(n), m.kept-off)], off); err != nil {
			return 0, err
		}
	}
	for _, o := range m.overlays {
		lay(want, off, o)
	}
	lay(want, off, overlay{offset(m.kept), m.tail})
	if from := max(off, m.end()); from < off+int64(n) {
		if err := readFull(m.src, want[from-off:], int64(m.moved.from)+from-m.end()); err != nil {
			return 0, err
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// lay copies the part of o that falls into b, which stands at off.
func lay(b []byte, off int64, o overlay) {
	start, end := max(off, int64(o.off)), min(off+int64(len(b)), int64(o.off)+int64(len(o.data)))
	if start < end {
		copy(b[start-off:end-off], o.data[start-int64(o.off):])
	}
}

// copyBuffer is how much WriteTo reads at a time.
const copyBuffer = 1 << 18

// WriteTo writes the whole patched file.
func (m *Image) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{io.NewSectionReader(m, 0, m.Size())},
		make([]byte, min(copyBuffer, max(m.Size(), 1))))
}

// write lays data over the image at off; what was laid there before gives way. Bytes at or beyond
// the kept part belong to the tail and are not written with this.
func (m *Image) write(off offset, data []byte) {
	if len(data) == 0 {
		return
	}
	end := off + offset(len(data))
	var list []overlay
	for _, o := range m.overlays {
		oEnd := o.off + offset(len(o.data))
		if o.off < off {
			list = append(list, overlay{o.off, o.data[:min(off, oEnd)-o.off]})
		}
		if oEnd > end {
			from := max(o.off, end)
			list = append(list, overlay{from, o.data[from-o.off:]})
		}
	}
	list = append(list, overlay{off, bytes.Clone(data)})
	slices.SortFunc(list, func(a, b overlay) int { return int(a.off - b.off) })
	m.overlays = list
}

// settle drops what the overlays say that the original says too.
func (m *Image) settle() error {
	var list []overlay
	for _, o := range m.overlays {
		if int64(o.off) >= m.kept {
			continue
		}
		o.data = o.data[:min(int64(len(o.data)), m.kept-int64(o.off))]
		old := make([]byte, len(o.data))
		if err := readFull(m.src, old, int64(o.off)); err != nil {
			return err
		}
		list = append(list, o.split(old)...)
	}
	m.overlays = list
	return nil
}

// sameRun is how many equal bytes in a row are worth a cut in an overlay.
const sameRun = 32

// split cuts o into the parts that differ from old.
func (o overlay) split(old []byte) []overlay {
	var list []overlay
	start, last := -1, -1
	for i := range o.data {
		if o.data[i] == old[i] {
			continue
		}
		if start >= 0 && i-last > sameRun {
			list = append(list, overlay{o.off + offset(start), o.data[start : last+1]})
			start = -1
		}
		if start < 0 {
			start = i
		}
		last = i
	}
	if start >= 0 {
		list = append(list, overlay{o.off + offset(start), o.data[start : last+1]})
	}
	return list
}
