package elfpatch

import "debug/elf"

// Trailer says what becomes of bytes behind the ELF image when the file must grow: the payload of a
// self-contained program, or a signature, which who put it there looks for at the end or at its
// offset. An edit that needs no growth leaves it alone.
type Trailer int

// The zero value is the careful one.
const (
	TrailerRefuse Trailer = iota // the edit is an error that says how long it is
	TrailerAtEnd                 // it stays at the end, and so moves
	TrailerBefore                // it stays where it is, before what is added
)

// trailer is what stands behind everything that the headers speak of; empty where there is nothing,
// or a page of zeros at most.
func (p *patch) trailer() extent {
	end := offset(0)
	for _, u := range p.used {
		end = max(end, u.to)
	}
	for _, s := range p.segs {
		if s.Type == elf.PT_LOAD {
			end = max(end, offset(s.Off+s.Filesz))
		}
	}
	t := extent{end, offset(p.size)}
	if t.size() <= minPage && (t.size() <= 0 || p.unused(t.from, t.size())) {
		return extent{}
	}
	return t
}

// imageEnd is where a new segment begins in the file; a trailer that stays at the end gives way. The
// segment own of an earlier edit before the trailer is laid out anew where it is; -1 for none.
func (p *patch) imageEnd(own int) (offset, error) {
	t := p.trailer()
	switch {
	case t.size() == 0 || p.edit.Trailer == TrailerBefore || p.img.moved.size() > 0:
		return offset(alignUp(uint64(p.img.end()), maxTableAlign)), nil
	case p.edit.Trailer != TrailerAtEnd:
		return 0, unsupported("the file must grow, and %d bytes that are no part of the ELF image stand at its end", t.size())
	}
	p.img.kept, p.img.moved = int64(t.from), t
	if own >= 0 {
		if s := p.file.segments[own]; offset(s.Off+s.Filesz) == t.from {
			return offset(s.Off), nil
		}
	}
	return offset(alignUp(uint64(t.from), maxTableAlign)), nil
}
