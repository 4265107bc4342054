package stub

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
)

// Note is what a stub knows of its program. It stands at the start of the stub's segment as an ELF
// note (gABI 5, "Note Section") whose descriptor holds the code as well, so that the whole segment is
// one note: readelf lists it, and strip keeps it.
type Note struct {
	Addr   uint64 // where the note is linked to stand; the code is Head bytes behind it
	Entry  uint64 // the program's own entry
	Loader string // the loader's path, relative to the folder of the program: "../lib/ld-linux-aarch64.so.1"
}

const (
	noteOwner = "nixbundle" // the note's name
	noteType  = 1
)

// What callers lay out a segment by.
const (
	// Head is how many bytes stand before the code (src/stub.c: struct note).
	Head = 48
	// MaxLoader is the longest path of a loader in bytes: with the NUL, what Linux takes (PATH_MAX).
	MaxLoader = 4095
)

const noteHeader = 24 // three words, and the name padded to 12

// Encode gives the bytes of a stub's segment: the note with the code in it, padded to 4 bytes.
func (n *Note) Encode(order binary.ByteOrder, code []byte) []byte {
	size := (Head + len(code) + len(n.Loader) + 1 + 3) &^ 3
	b := make([]byte, size)
	order.PutUint32(b[0:], uint32(len(noteOwner)+1))
	order.PutUint32(b[4:], uint32(size-noteHeader))
	order.PutUint32(b[8:], noteType)
	copy(b[12:], noteOwner)
	order.PutUint64(b[24:], n.Addr)
	order.PutUint64(b[32:], n.Entry)
	order.PutUint32(b[40:], uint32(Head+len(code)))
	order.PutUint32(b[44:], uint32(len(n.Loader)+1))
	copy(b[Head:], code)
	copy(b[Head+len(code):], n.Loader)
	return b
}

// Is reports whether a segment that starts with the Head bytes b is a stub's.
func Is(order binary.ByteOrder, b []byte) bool {
	return len(b) >= Head && order.Uint32(b) == uint32(len(noteOwner)+1) && order.Uint32(b[8:]) == noteType &&
		string(b[12:noteHeader]) == noteOwner+"\x00\x00\x00"
}

// Decode reads the note of a stub's segment b, which Is has recognised. It trusts no length in it.
func Decode(order binary.ByteOrder, b []byte) (*Note, error) {
	n := &Note{Addr: order.Uint64(b[24:]), Entry: order.Uint64(b[32:])}
	at, size := uint64(order.Uint32(b[40:])), uint64(order.Uint32(b[44:]))
	if at < Head || size < 2 || size > MaxLoader+1 || at+size > uint64(len(b)) {
		return nil, errors.New("the path of the loader lies outside it")
	}
	text := b[at : at+size]
	if bytes.IndexByte(text, 0) != len(text)-1 {
		return nil, errors.New("the path of the loader does not end in NUL")
	}
	n.Loader = string(text[:len(text)-1])
	return n, CheckLoader(n.Loader)
}

// CheckLoader says what is wrong with a loader's path: it must be relative and name a file.
func CheckLoader(path string) error {
	switch {
	case path == "" || path[0] == '/' || strings.HasSuffix(path, "/"):
		return errors.New("the path of the loader is not relative to the program")
	case len(path) > MaxLoader || strings.ContainsRune(path, 0):
		return errors.New("the path of the loader is longer than a path can be")
	}
	return nil
}
