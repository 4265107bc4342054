package elftest

import (
	"debug/elf"
	"slices"
)

// What part of the address space a part is in: one PT_LOAD each.
const (
	loadFlags = elf.SHF_ALLOC | elf.SHF_EXECINSTR | elf.SHF_WRITE
	readable  = elf.SHF_ALLOC
	code      = elf.SHF_ALLOC | elf.SHF_EXECINSTR
	writable  = elf.SHF_ALLOC | elf.SHF_WRITE
)

// segment is a program header.
type segment struct {
	typ                      elf.ProgType
	flags                    elf.ProgFlag
	off, addr, filesz, memsz uint64
	align                    uint64
}

// place gives each part its offset and its address. In the file all is dense; in memory each
// PT_LOAD has pages of its own, so that offset and address agree modulo the page (gABI 5,
// "Program Loading").
func (w *writer) place() {
	ehdr, phdr, _, _, _ := w.sizes()
	page := max(w.PageAlign, 0x1000)
	off := ehdr + phdr*uint64(len(w.segments()))
	addr := w.base() + off
	load := readable
	for i := range w.parts {
		p := &w.parts[i]
		if now := p.flags & loadFlags; now != load && now != 0 {
			load, addr = now, alignUp(addr, page)+off%page
		}
		p.off = alignUp(off, p.align)
		p.addr = addr + p.off - off
		if p.typ == elf.SHT_NOBITS {
			p.addr = alignUp(addr, p.align) // no longer bound to the offset
			addr = p.addr + p.size
			continue
		}
		off, addr = p.off+uint64(len(p.data)), p.addr+uint64(len(p.data))
		if p.flags&elf.SHF_ALLOC == 0 || w.Type == elf.ET_REL {
			p.addr = 0
		}
	}
}

// base is the address of the file's first byte.
func (w *writer) base() uint64 {
	if w.Type == elf.ET_EXEC {
		return 0x400000
	}
	return 0
}

// segments are the program headers, of what is placed so far.
func (w *writer) segments() []segment {
	if w.Type == elf.ET_REL {
		return nil
	}
	ehdr, phdr, _, _, word := w.sizes()
	table := segment{typ: elf.PT_PHDR, flags: elf.PF_R, off: ehdr, addr: w.base() + ehdr, align: word}
	all := slices.Concat(
		[]segment{table},
		w.partSegments(elf.PT_INTERP, elf.PF_R, func(p *part) bool { return p.name == ".interp" }),
		w.loads(),
		w.partSegments(elf.PT_DYNAMIC, elf.PF_R|elf.PF_W, func(p *part) bool { return p.typ == elf.SHT_DYNAMIC }),
		w.partSegments(elf.PT_NOTE, elf.PF_R, func(p *part) bool { return p.typ == elf.SHT_NOTE }),
		w.partSegments(elf.PT_TLS, elf.PF_R, func(p *part) bool { return p.flags&elf.SHF_TLS != 0 }),
	)
	if !w.NoStack {
		stack := segment{typ: elf.PT_GNU_STACK, flags: elf.PF_R | elf.PF_W, align: 16}
		if w.ExecStack {
			stack.flags |= elf.PF_X
		}
		all = append(all, stack)
	}
	size := phdr * uint64(len(all))
	all[0].filesz, all[0].memsz = size, size
	for i := range all {
		if s := &all[i]; s.typ == elf.PT_LOAD && s.off == 0 { // it holds the table, if nothing else
			s.filesz, s.memsz = max(s.filesz, ehdr+size), max(s.memsz, ehdr+size)
		}
	}
	return all
}

// partSegments gives one program header for each part that is wanted.
func (w *writer) partSegments(typ elf.ProgType, flags elf.ProgFlag, want func(*part) bool) []segment {
	var found []segment
	for i := range w.parts {
		if p := &w.parts[i]; want(p) {
			found = append(found, segment{typ, flags, p.off, p.addr, uint64(len(p.data)), p.memsz(), p.align})
		}
	}
	return found
}

// loads are the PT_LOADs: the headers and what is read, the code, what is written.
func (w *writer) loads() []segment {
	all := []segment{{elf.PT_LOAD, elf.PF_R, 0, w.base(), 0, 0, w.PageAlign}}
	kinds := []struct {
		section elf.SectionFlag
		prog    elf.ProgFlag
	}{{readable, elf.PF_R}, {code, elf.PF_R | elf.PF_X}, {writable, elf.PF_R | elf.PF_W}}
	for _, kind := range kinds {
		for i := range w.parts {
			p := &w.parts[i]
			if p.flags&loadFlags != kind.section || p.flags&elf.SHF_TLS != 0 {
				continue
			}
			last := &all[len(all)-1]
			if last.flags != kind.prog {
				all = append(all, segment{elf.PT_LOAD, kind.prog, p.off, p.addr, 0, 0, w.PageAlign})
				last = &all[len(all)-1]
			}
			last.memsz = p.addr + p.memsz() - last.addr
			if p.typ != elf.SHT_NOBITS {
				last.filesz = p.off + uint64(len(p.data)) - last.off
			}
		}
	}
	return all
}

// join writes the headers and the parts.
func (w *writer) join() []byte {
	_, _, _, _, word := w.sizes()
	segments := w.segments()
	end := w.end()
	shoff := uint64(0)
	if !w.NoSections {
		shoff = alignUp(end, word)
	}
	b := w.fileHeader(len(segments), shoff)
	for _, s := range segments {
		b = w.programHeader(b, s)
	}
	for _, p := range w.parts {
		if p.typ != elf.SHT_NOBITS {
			b = append(append(b, make([]byte, p.off-uint64(len(b)))...), p.data...)
		}
	}
	b = append(b, make([]byte, max(end, shoff)-uint64(len(b)))...)
	if !w.NoSections {
		b = w.sectionHeaders(b)
	}
	return append(b, w.Trailer...)
}
