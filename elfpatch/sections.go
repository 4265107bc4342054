package elfpatch

import (
	"debug/elf"
	"math"
)

// writeSections writes the section headers that changed. Their table stays where it is unless the program
// headers need its place, and so do count and order: debug files name sections by number.
func (p *patch) writeSections() {
	old := decodeSections(p.pager, &p.header)
	inPlace := len(p.sections) == len(old) // else the whole table has another place
	if inPlace && p.shift > 0 {
		p.writeSectionsPlace(p.shoff + p.shift)
	}
	moved := map[uint16]vaddr{} // by how much the address of a section grew
	for i, s := range p.sections[:len(old)] {
		if inPlace && (s != old[i] || p.shift > 0) {
			p.img.write(p.shoff+p.shift+offset(int64(i)*p.layout().shdr), p.encodeSection(s))
		}
		if s.addr != old[i].addr && i < int(elf.SHN_LORESERVE) {
			moved[uint16(i)] = s.addr - old[i].addr
		}
	}
	if len(moved) == 0 {
		return
	}
	for _, s := range p.sections {
		switch elf.SectionType(s.typ) {
		case elf.SHT_SYMTAB:
			p.moveSymbols(s, int64(s.info), moved)
		case elf.SHT_DYNSYM:
			p.moveSymbols(s, math.MaxInt64, moved)
		}
	}
}

// writeSectionsPlace writes where the section headers are (e_shoff).
func (p *patch) writeSectionsPlace(at offset) {
	place := offset(40)
	if p.class == elf.ELFCLASS32 {
		place = 32
	}
	p.img.write(place, p.words(nil, uint64(at)))
}

// manySections reports whether e_shnum is 0 because sh_size of section header 0 has the number (gABI 4,
// e_shnum).
func (f *file) manySections() bool {
	if f.shnum != 0 || f.shoff == 0 {
		return false
	}
	first, err := f.read(f.shoff, f.layout().shdr)
	return err == nil && f.word(first[8+3*f.layout().word:]) != 0
}

// symbolChunk is how many symbols of .symtab are read at a time.
const symbolChunk = 4096

// moveSymbols makes the first n symbols of a table follow their sections. In .symtab those are the
// local ones (gABI 4, sh_info), as __abi_tag, which follows a note: only debuggers read them. In
// .dynsym it is the name that a library gives its PT_INTERP (libcap: __execable_dl_loader).
func (p *patch) moveSymbols(s section, n int64, moved map[uint16]vaddr) {
	size := p.layout().sym
	count := min(n, int64(min(s.size, uint64(p.size)))/size)
	for first := int64(0); first < count; first += symbolChunk {
		at := s.off + offset(first*size)
		b := make([]byte, min(symbolChunk, count-first)*size)
		if at < 0 || readFull(p.img, b, int64(at)) != nil {
			return // a table outside the file is no table
		}
		any := false
		for rest := b; len(rest) > 0; rest = rest[size:] {
			value, index := p.symbolPlace(rest)
			by, ok := moved[index]
			if !ok && index == uint16(elf.SHN_ABS) && vaddr(p.word(value)) == p.dyn.addr && p.isNamed(s, rest, "_DYNAMIC") {
				by, ok = p.dynAddr-p.dyn.addr, true // as GNU ld writes it on some machines
			}
			if ok {
				p.putWord(value, p.word(value)+uint64(by))
				any = true
			}
		}
		if any {
			p.img.write(at, b)
		}
	}
}

// isNamed reports whether a symbol of a table has that name.
func (p *patch) isNamed(table section, symbol []byte, name string) bool {
	if int64(table.link) >= int64(len(p.sections)) {
		return false
	}
	names, at := p.sections[table.link], p.get32(symbol)
	if uint64(at) >= names.size || names.size-uint64(at) <= uint64(len(name)) {
		return false
	}
	b, err := p.read(names.off+offset(at), int64(len(name))+1)
	return err == nil && string(b) == name+"\x00"
}

// symbolPlace gives the bytes of st_value and the st_shndx of a symbol (gABI 4, "Symbol Table").
func (h *header) symbolPlace(b []byte) (value []byte, section uint16) {
	if h.class == elf.ELFCLASS32 {
		return b[4:8], h.order.Uint16(b[14:])
	}
	return b[8:16], h.order.Uint16(b[6:])
}
