package elfpatch

import (
	"debug/elf"
	"slices"
)

// putWord encodes an address-sized number.
func (h *header) putWord(b []byte, v uint64) {
	if h.class == elf.ELFCLASS32 {
		h.order.PutUint32(b, uint32(v))
		return
	}
	h.order.PutUint64(b, v)
}

// words appends address-sized numbers to b.
func (h *header) words(b []byte, list ...uint64) []byte {
	for _, v := range list {
		n := len(b)
		b = append(b, make([]byte, h.layout().word)...)
		h.putWord(b[n:], v)
	}
	return b
}

// u32 appends 32-bit numbers to b.
func (h *header) u32(b []byte, list ...uint32) []byte {
	for _, v := range list {
		n := len(b)
		b = append(b, 0, 0, 0, 0)
		h.order.PutUint32(b[n:], v)
	}
	return b
}

// encodeSegment encodes a program header; the classes differ in where p_flags stands.
func (h *header) encodeSegment(s Segment) []byte {
	b := h.u32(nil, uint32(s.Type))
	if h.class == elf.ELFCLASS64 {
		b = h.u32(b, uint32(s.Flags))
	}
	b = h.words(b, s.Off, s.Vaddr, s.Paddr, s.Filesz, s.Memsz)
	if h.class == elf.ELFCLASS32 {
		b = h.u32(b, uint32(s.Flags))
	}
	return h.words(b, s.Align)
}

func (h *header) encodeSection(s section) []byte {
	b := h.u32(nil, s.name, s.typ)
	b = h.words(b, s.flags, uint64(s.addr), uint64(s.off), s.size)
	b = h.u32(b, s.link, s.info)
	return h.words(b, s.addralign, s.entsiz)
}

// phnumOffset is where e_phnum stands in the ELF header.
func (h *header) phnumOffset() offset {
	if h.class == elf.ELFCLASS32 {
		return 44
	}
	return 56
}

// writeSegments writes the program headers that changed, and their count.
func (p *patch) writeSegments() {
	size := offset(p.layout().phdr)
	for i, s := range p.segs {
		if i >= len(p.segments) || s != p.segments[i] {
			p.img.write(p.phoff+offset(i)*size, p.encodeSegment(s))
		}
	}
	if len(p.segs) != len(p.segments) {
		count := make([]byte, 2)
		p.order.PutUint16(count, uint16(len(p.segs)))
		p.img.write(p.phnumOffset(), count)
	}
}

// sectionAt returns the index of the section of one of those types that starts at address v, or -1.
func (p *patch) sectionAt(v vaddr, types ...elf.SectionType) int {
	return slices.IndexFunc(p.sections, func(s section) bool {
		return s.addr == v && elf.SectionFlag(s.flags)&elf.SHF_ALLOC != 0 && slices.Contains(types, elf.SectionType(s.typ))
	})
}
