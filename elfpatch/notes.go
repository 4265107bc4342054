package elfpatch

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"slices"
)

// Note is one entry of a PT_NOTE segment (gABI 5, "Note Section"), or of PT_GNU_PROPERTY where no PT_NOTE
// covers that.
type Note struct {
	Name string // the owner, without its NUL
	Type uint32 // what it means is the owner's affair
	Desc []byte
	Off  uint64 // where the entry stands in the file, bytes
}

// maxNotes bounds what is read of all PT_NOTE segments in bytes; real ones are under a few kilobytes.
const maxNotes = 1 << 20

const ntGNUBuildID = 3

// notes decodes all segments of notes. A segment that is not well formed ends where it stops making
// sense: no loader refuses a file for it.
func (f *file) notes() ([]Note, error) {
	var notes []Note
	left := uint64(maxNotes)
	for _, s := range f.segments {
		if s.Type != elf.PT_NOTE && !f.isLoneProperty(s) || s.Filesz > left {
			continue
		}
		b, err := f.read(offset(s.Off), int64(s.Filesz))
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			continue
		case err != nil:
			return nil, err
		}
		left -= s.Filesz
		notes = append(notes, f.decodeNotes(b, s.Off, s.Align)...)
	}
	return notes, nil
}

// isLoneProperty reports whether s is PT_GNU_PROPERTY and its notes are in no PT_NOTE: of two headers of one
// range an edit may have taken the other.
func (f *file) isLoneProperty(s Segment) bool {
	return s.Type == elf.PT_GNU_PROPERTY && !slices.ContainsFunc(f.segments, func(n Segment) bool {
		return n.Type == elf.PT_NOTE && n.Off <= s.Off && s.Off-n.Off < n.Filesz
	})
}

// maxProperty bounds PT_GNU_PROPERTY, bytes (Linux fs/binfmt_elf.c: parse_elf_properties).
const maxProperty = 1 << 10

// hasProperty reports whether a segment of notes begins with NT_GNU_PROPERTY_TYPE_0.
func (f *file) hasProperty(s Segment) (bool, error) {
	const noteProperty = 5
	if s.Filesz > maxProperty {
		return false, nil
	}
	b, err := f.read(offset(s.Off), int64(s.Filesz))
	if err != nil {
		return false, err
	}
	notes := f.decodeNotes(b, s.Off, s.Align)
	return len(notes) > 0 && notes[0].Name == "GNU" && notes[0].Type == noteProperty, nil
}

// decodeNotes splits b, which stands at off. Entries are padded to 4 bytes, or to 8 where the
// segment's alignment says so (.note.gnu.property of 64-bit files).
func (h *header) decodeNotes(b []byte, off, align uint64) []Note {
	if align != 8 {
		align = 4
	}
	pad := func(n uint64) uint64 { return (n + align - 1) &^ (align - 1) }
	var notes []Note
	for at := uint64(0); at+12 <= uint64(len(b)); {
		namesz, descsz := uint64(h.order.Uint32(b[at:])), uint64(h.order.Uint32(b[at+4:]))
		desc := at + pad(12+namesz)
		if end := desc + descsz; end > uint64(len(b)) || at+12+namesz > uint64(len(b)) {
			break
		}
		notes = append(notes, Note{
			Name: cString(b[at+12 : at+12+namesz]), Type: h.order.Uint32(b[at+8:]),
			Desc: bytes.Clone(b[desc : desc+descsz]), Off: off + at,
		})
		at = desc + pad(descsz)
	}
	return notes
}

func buildID(notes []Note) []byte {
	for _, n := range notes {
		if n.Name == "GNU" && n.Type == ntGNUBuildID {
			return n.Desc
		}
	}
	return nil
}
