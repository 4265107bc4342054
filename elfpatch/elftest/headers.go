package elftest

import "debug/elf"

// end is where the parts and the padding end.
func (w *writer) end() uint64 {
	ehdr, phdr, _, _, _ := w.sizes()
	end := ehdr + phdr*uint64(len(w.segments()))
	for _, p := range w.parts {
		end = max(end, p.off+uint64(len(p.data)))
	}
	return end + uint64(w.Padding)
}

// fileHeader is the ELF header (gABI 4, "ELF Header").
func (w *writer) fileHeader(phnum int, shoff uint64) []byte {
	ehdr, phdr, shdr, _, _ := w.sizes()
	b := make([]byte, elf.EI_NIDENT)
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA] = byte(w.Class), byte(w.Data)
	b[elf.EI_VERSION], b[elf.EI_OSABI] = byte(elf.EV_CURRENT), byte(w.OSABI)
	b = w.u16(b, uint16(w.Type), uint16(w.Machine))
	b = w.u32(b, uint32(elf.EV_CURRENT))
	phoff, shnum := uint64(0), 0
	if phnum > 0 {
		phoff = ehdr
	}
	if !w.NoSections {
		shnum = len(w.parts) + 1
	}
	b = w.word(b, w.entry(), phoff, shoff)
	b = w.u32(b, w.Flags)
	b = w.u16(b, uint16(ehdr), uint16(phdr), uint16(phnum), uint16(shdr), uint16(shnum))
	return w.u16(b, uint16(max(shnum-1, 0))) // .shstrtab is the last
}

func (w *writer) entry() uint64 {
	if !w.isProgram() {
		return 0
	}
	return w.old(".text").addr
}

// programHeader appends a program header (gABI 5, "Program Header").
func (w *writer) programHeader(b []byte, s segment) []byte {
	b = w.u32(b, uint32(s.typ))
	if w.is64() {
		b = w.u32(b, uint32(s.flags))
	}
	b = w.word(b, s.off, s.addr, s.addr, s.filesz, s.memsz)
	if !w.is64() {
		b = w.u32(b, uint32(s.flags))
	}
	return w.word(b, s.align)
}

// sectionHeaders appends the section header table (gABI 4, "Sections").
func (w *writer) sectionHeaders(b []byte) []byte {
	_, _, shdr, _, _ := w.sizes()
	b = append(b, make([]byte, shdr)...)
	name := uint32(1)
	for _, p := range w.parts {
		b = w.u32(b, name, uint32(p.typ))
		b = w.word(b, uint64(p.flags), p.addr, p.off, p.memsz())
		b = w.u32(b, w.index(p.link), p.info)
		b = w.word(b, p.align, p.entsize)
		name += uint32(len(p.name) + 1)
	}
	return b
}
