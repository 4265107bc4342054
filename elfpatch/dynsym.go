package elfpatch

import "debug/elf"

// dynsymCount gives the number of dynamic symbols as far as something tells it: DT_HASH, the
// section header, or DT_GNU_HASH. Where they are silent exact is false and the number is an upper
// bound, the room up to the next table: for what is asked here too many do no harm.
func (f *file) dynsymCount() (n int64, exact bool) {
	room := f.dynsymRoom()
	usable := func(n uint64, err error) bool { return err == nil && n > 0 && n <= uint64(room) }
	if at, ok := f.dyn.value(elf.DT_HASH); ok {
		if n, err := f.sysvHashEnd(vaddr(at)); usable(n, err) {
			return int64(n), true
		}
	}
	at, _ := f.dyn.value(elf.DT_SYMTAB)
	for _, s := range decodeSections(f.pager, &f.header) {
		if elf.SectionType(s.typ) == elf.SHT_DYNSYM && s.addr == vaddr(at) {
			if n := s.size / uint64(f.layout().sym); usable(n, nil) {
				return int64(n), true
			}
		}
	}
	if at, ok := f.dyn.value(dtGNUHash); ok {
		if n, err := f.gnuHashEnd(vaddr(at)); usable(n, err) {
			return int64(n), true
		}
	}
	return room, f.versymAgrees(room)
}

// versymAgrees reports whether DT_VERSYM has as many entries as DT_SYMTAB has room for, each up to the table
// behind it but for what aligns that.
func (f *file) versymAgrees(n int64) bool {
	at, ok := f.dyn.value(elf.DT_VERSYM)
	symtab, _ := f.dyn.value(elf.DT_SYMTAB)
	next, found := f.nextTable(symtab)
	if !ok || n == 0 || !found || next-symtab != uint64(n*f.layout().sym) {
		return false
	}
	next, found = f.nextTable(at)
	return found && next-at >= uint64(2*n) && next-at < uint64(2*n+f.layout().word)
}

// nextTable is the address of the first table behind one.
func (f *file) nextTable(at uint64) (next uint64, found bool) {
	for _, tag := range addressTags {
		if v, ok := f.dyn.value(tag); ok && v > at && (!found || v < next) {
			next, found = v, true
		}
	}
	return next, found
}

// addressTags are the tags whose value is the address of a table that may follow the symbols.
var addressTags = []elf.DynTag{
	elf.DT_HASH, dtGNUHash, elf.DT_STRTAB, elf.DT_SYMTAB, elf.DT_RELA, elf.DT_REL, dtRelr, elf.DT_JMPREL,
	elf.DT_VERSYM, elf.DT_VERNEED, elf.DT_VERDEF,
}

// dynsymRoom is how many symbols fit between DT_SYMTAB and what comes next in memory.
func (f *file) dynsymRoom() int64 {
	at, ok := f.dyn.value(elf.DT_SYMTAB)
	if !ok {
		return 0
	}
	var end uint64
	for _, s := range f.segments {
		if s.Type == elf.PT_LOAD && at >= s.Vaddr && at-s.Vaddr < s.Filesz {
			end = s.Vaddr + s.Filesz
		}
	}
	for _, tag := range addressTags {
		if v, ok := f.dyn.value(tag); ok && v > at && v < end {
			end = v
		}
	}
	if end < at || end-at > uint64(f.size) {
		return 0
	}
	return int64(end-at) / f.layout().sym
}

// symbolNames calls name with the number and the string offset of every dynamic symbol.
func (f *file) symbolNames(name func(i int, name uint64)) error {
	at, ok := f.dyn.value(elf.DT_SYMTAB)
	if !ok {
		return nil
	}
	n, _ := f.dynsymCount()
	size := f.layout().sym
	off, err := f.offset(vaddr(at), n*size)
	if err != nil {
		return unsupported("the dynamic symbol table: %v", err)
	}
	i := 0
	return f.chunks(off, n*size, size, func(table []byte) error {
		for ; len(table) >= int(size); i, table = i+1, table[size:] {
			name(i, uint64(f.get32(table)))
		}
		return nil
	})
}

// largestSymbol is the largest size of a symbol up to a mebibyte. A segment that far behind the others
// keeps eu-elflint quiet, which takes a relocation to write as many bytes as its symbol has
// (elfutils src/elflint.c: check_one_reloc).
func (f *file) largestSymbol() uint64 {
	const most = 1 << 20
	n, exact := f.dynsymCount()
	at, _ := f.dyn.value(elf.DT_SYMTAB)
	size := f.layout().sym
	table, err := f.at(vaddr(at), n*size)
	if err != nil || !exact {
		return 0
	}
	var largest uint64
	for ; len(table) > 0; table = table[size:] {
		if f.class == elf.ELFCLASS32 {
			largest = max(largest, uint64(f.get32(table[8:])))
		} else {
			largest = max(largest, f.order.Uint64(table[16:]))
		}
	}
	return min(largest, most)
}
