package elfpatch

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
)

// numbers gives the new number of each symbol from the old number of each.
func numbers(order []int) []int {
	if order == nil {
		return nil
	}
	now := make([]int, len(order))
	for to, from := range order {
		now[from] = to
	}
	return now
}

// Tags whose tables number symbols in a way that this package does not edit.
var numberingTags = []elf.DynTag{
	elf.DT_SYMTAB_SHNDX, elf.DT_SYMINFO,
	0x6000000f, 0x60000011, // DT_ANDROID_REL, DT_ANDROID_RELA
	0x40000026, // DT_CREL
}

// reorderSymbols puts the symbols of table, their versions and what relocations say of them in
// another order; order gives the old number of each.
func (p *patch) reorderSymbols(table []byte, order []int) error {
	if p.machine == elf.EM_MIPS || p.machine == elf.EM_SPARC || p.machine == elf.EM_SPARCV9 {
		return unsupported("on %v more than relocations numbers the dynamic symbols, so that none can be renamed", p.machine)
	}
	for _, tag := range numberingTags {
		if _, ok := p.dyn.value(tag); ok {
			return unsupported("%s numbers the dynamic symbols, so that none can be renamed", tag)
		}
	}
	at, _ := p.dyn.value(elf.DT_SYMTAB)
	if err := p.writeAt(vaddr(at), inOrder(table, int(p.layout().sym), order)); err != nil {
		return err
	}
	if at, ok := p.dyn.value(elf.DT_VERSYM); ok {
		versym, err := p.current(vaddr(at), 2*int64(len(order)))
		if err != nil {
			return damage(p.dyn.off, "DT_VERSYM", err)
		}
		if err := p.writeAt(vaddr(at), inOrder(versym, 2, order)); err != nil {
			return err
		}
	}
	return p.renumber(numbers(order))
}

// inOrder is a table of entries of size bytes in another order.
func inOrder(table []byte, size int, order []int) []byte {
	out := make([]byte, 0, len(table))
	for _, from := range order {
		out = append(out, table[from*size:(from+1)*size]...)
	}
	return out
}

// relocRange is a range of relocations in the file.
type relocRange struct {
	extent
	rela bool
}

// renumber makes relocations name symbols by their new numbers.
func (p *patch) renumber(now []int) error {
	ranges, err := p.relocRanges()
	if err != nil {
		return err
	}
	done := offset(0)
	for _, r := range ranges {
		size := 2 * p.layout().word
		if r.rela {
			size += p.layout().word
		}
		if r.from < done { // DT_JMPREL may be the end of DT_RELA
			r.from += (done - r.from + offset(size) - 1) / offset(size) * offset(size)
		}
		n := int64(r.to-r.from) / size * size
		if n <= 0 {
			continue
		}
		b := make([]byte, n)
		if err := readFull(p.img, b, int64(r.from)); err != nil {
			return damage(r.from, "relocations", err)
		}
		if err := p.renumberTable(b, int(size), now); err != nil {
			return err
		}
		p.img.write(r.from, b)
		done = max(done, r.to)
	}
	return nil
}

// relocRanges lists the relocations that name dynamic symbols, in file order: those that the loader
// reads, and sections of others that belong to the same table.
func (p *patch) relocRanges() ([]relocRange, error) {
	var list []relocRange
	for _, t := range p.relocTables() {
		off, err := p.offset(t.addr, int64(min(t.size, uint64(p.size)+1)))
		if err != nil {
			return nil, damage(p.dyn.off, t.tag.String(), err)
		}
		list = append(list, relocRange{extent{off, off + offset(t.size)}, t.rela})
	}
	at, _ := p.dyn.value(elf.DT_SYMTAB)
	symtab := p.sectionAt(vaddr(at), elf.SHT_DYNSYM)
	for _, s := range p.sections {
		typ := elf.SectionType(s.typ)
		if typ != elf.SHT_REL && typ != elf.SHT_RELA || symtab < 0 || s.link != uint32(symtab) ||
			s.off < 0 || s.size > uint64(p.size) || int64(s.off) > p.size-int64(s.size) {
			continue
		}
		list = append(list, relocRange{extent{s.off, s.off + offset(s.size)}, typ == elf.SHT_RELA})
	}
	slices.SortStableFunc(list, func(a, b relocRange) int { return cmp.Compare(a.from, b.from) })
	return list, nil
}

// renumberTable edits r_info of entries of size bytes (gABI 4, "Relocation").
func (p *patch) renumberTable(b []byte, size int, now []int) error {
	for ; len(b) >= size; b = b[size:] {
		info := b[p.layout().word:]
		v := p.word(info)
		shift := 32
		if p.class == elf.ELFCLASS32 {
			shift = 8
		}
		symbol := v >> shift
		if symbol >= uint64(len(now)) {
			return &FormatError{Off: int64(p.dyn.off), Msg: "a relocation names a symbol that is not there", Val: fmt.Sprint(symbol)}
		}
		p.putWord(info, uint64(now[symbol])<<shift|v&(1<<shift-1))
	}
	return nil
}
