package elfpatch

import (
	"bytes"
	"io"
)

// tableText is a string table as it will be, page by page: those that were written to are in memory, the others
// in the file. An edit looks at little of a large table.
type tableText struct {
	src   io.ReaderAt
	off   offset // of the table in src
	size  int    // there
	end   int    // how long it will be
	dirty map[int][]byte
	clean [pageSize]byte // the last page that was read
	at    int            // which one that is, from 1 on; 0 for none
	err   error          // the first of reading, since which all reads as NUL
}

func newTableText(src io.ReaderAt, off offset, size int) *tableText {
	return &tableText{src: src, off: off, size: size, end: size, dirty: map[int][]byte{}}
}

// page is the i-th page, to be looked at only. What is behind the end is NUL.
func (t *tableText) page(i int) []byte {
	if b, ok := t.dirty[i]; ok {
		return b
	}
	if t.at != i+1 {
		t.at = i + 1
		t.fetch(t.clean[:], i*pageSize)
	}
	return t.clean[:]
}

// fetch reads from the file; where the table is longer than it was, NUL.
func (t *tableText) fetch(b []byte, at int) {
	n := max(min(len(b), t.size-at), 0)
	if err := readFull(t.src, b[:n], int64(t.off)+int64(at)); n > 0 && err != nil {
		t.err, n = firstError(t.err, err), 0
	}
	clear(b[n:])
}

// read gives len(b) bytes at a place.
func (t *tableText) read(b []byte, at int) {
	t.fetch(b, at)
	if len(t.dirty) == 0 {
		return
	}
	for i := at / pageSize; i*pageSize < at+len(b); i++ {
		if page, ok := t.dirty[i]; ok {
			lay(b, int64(at), overlay{offset(i * pageSize), page})
		}
	}
}

// bytes is the whole table.
func (t *tableText) bytes() []byte {
	b := make([]byte, t.end)
	t.read(b, 0)
	return b
}

// byte is the byte at a place.
func (t *tableText) byte(at int) byte { return t.page(at / pageSize)[at%pageSize] }

// write writes over what is there, and lets the table grow.
func (t *tableText) write(at int, b []byte) {
	t.end = max(t.end, at+len(b))
	for len(b) > 0 {
		i := at / pageSize
		page, ok := t.dirty[i]
		if !ok {
			page = bytes.Clone(t.page(i))
			t.dirty[i] = page
		}
		n := copy(page[at%pageSize:], b)
		at, b = at+n, b[n:]
	}
}

// nul is the place of the first NUL from a place on; the end of the table where there is none.
func (t *tableText) nul(at int) int {
	for at < t.end {
		if n := bytes.IndexByte(t.page(at / pageSize)[at%pageSize:], 0); n >= 0 {
			return min(at+n, t.end)
		}
		at = (at/pageSize + 1) * pageSize
	}
	return t.end
}

// nulBefore is the place of the last NUL before a place, or -1.
func (t *tableText) nulBefore(at int) int {
	for ; at > 0; at = (at - 1) / pageSize * pageSize {
		begin := (at - 1) / pageSize * pageSize
		if n := bytes.LastIndexByte(t.page(begin / pageSize)[:at-begin], 0); n >= 0 {
			return begin + n
		}
	}
	return -1
}

// holds reports whether the string at a place is text.
func (t *tableText) holds(at int, text string) bool {
	n := len(text) + 1
	if at < 0 || n > t.end-at {
		return false
	}
	b := make([]byte, n)
	t.read(b, at)
	return b[n-1] == 0 && string(b[:n-1]) == text
}

// index is the place of the first of some bytes between two places, or -1.
func (t *tableText) index(b []byte, from, to int) int {
	room := chunkRoom.Get().(*[chunk]byte)
	defer chunkRoom.Put(room)
	window := room[:]
	if len(b) > chunk/2 {
		window = make([]byte, 2*len(b))
	}
	for at := from; to-at >= len(b); at += len(window) - len(b) + 1 {
		piece := window[:min(len(window), to-at)]
		t.read(piece, at)
		if n := bytes.Index(piece, b); n >= 0 {
			return at + n
		}
	}
	return -1
}

// changes calls write for what may differ from the file, as far as the table was there before.
func (t *tableText) changes(write func(at int, b []byte)) {
	for i := 0; i*pageSize < t.size; i++ {
		if page, ok := t.dirty[i]; ok {
			write(i*pageSize, page[:min(pageSize, t.size-i*pageSize)])
		}
	}
}
