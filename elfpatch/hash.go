package elfpatch

import "debug/elf"

// Nothing states the length of the dynamic symbol table. DT_HASH implies it; DT_GNU_HASH implies
// it where it holds any symbol; else only the section headers know, or what follows the table.

// dtMIPSSymtabNo is DT_MIPS_SYMTABNO, where alone the length is stated.
const dtMIPSSymtabNo = elf.DynTag(0x70000011)

// symbolCount is the number of dynamic symbols, the null symbol included.
func (f *file) symbolCount(symtab vaddr) (int64, error) {
	var n uint64
	var err error
	if addr, ok := f.dyn.value(elf.DT_HASH); ok {
		n, err = f.sysvHashEnd(vaddr(addr))
	} else if count, ok := f.dyn.value(dtMIPSSymtabNo); ok && f.machine == elf.EM_MIPS {
		n = count
	} else if addr, ok := f.dyn.value(dtGNUHash); ok {
		n, err = f.gnuHashEnd(vaddr(addr))
	}
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return f.guessCount(symtab)
	}
	if n > f.maxSymbols() {
		return 0, f.hashError("more symbols than the file can hold", n)
	}
	return int64(n), nil
}

func (f *file) maxSymbols() uint64 { return uint64(f.size / f.layout().sym) }

func (f *file) hashError(msg string, val any) error {
	return &FormatError{Off: int64(f.dyn.off), Msg: msg, Val: val}
}

// sysvHashEnd is nchain (gABI 5, "Hash Table").
func (f *file) sysvHashEnd(addr vaddr) (uint64, error) {
	word := f.hashEntry()
	b, err := f.at(addr, 2*word)
	if err != nil {
		return 0, damage(f.dyn.off, "DT_HASH", err)
	}
	if word == 8 {
		return f.order.Uint64(b[8:]), nil
	}
	return uint64(f.order.Uint32(b[4:])), nil
}

// hashEntry is the size of an entry of DT_HASH: 8 bytes on two machines (glibc
// sysdeps/s390/s390-64/bits/elfclass.h, sysdeps/alpha/bits/elfclass.h: Elf_Symndx).
func (h *header) hashEntry() int64 {
	if h.class == elf.ELFCLASS64 && (h.machine == elf.EM_S390 || h.machine == elf.EM_ALPHA) {
		return 8
	}
	return 4
}

// gnuHashEnd is one more than the last symbol of the last chain, or 0 where no bucket has one: a
// program often only refers (glibc elf/dl-lookup.c: do_lookup_x; binutils bfd/elflink.c).
func (f *file) gnuHashEnd(addr vaddr) (uint64, error) {
	t, err := f.gnuHashTable(addr)
	if err != nil {
		return 0, damage(f.dyn.off, "DT_GNU_HASH", err)
	}
	return f.gnuTableEnd(&t)
}

// gnuTableEnd is that of a table whose head was read. It goes through the buckets.
func (f *file) gnuTableEnd(t *gnuHashTable) (uint64, error) {
	size := 4 * int64(t.nbuckets)
	off, err := f.offset(t.buckets, size)
	if err == nil {
		err = f.chunks(off, size, 4, func(b []byte) error {
			for ; len(b) > 0; b = b[4:] {
				i := f.get32(b)
				if t.last = max(t.last, i); i != 0 && (t.least == 0 || i < t.least) {
					t.least = i
				}
			}
			return nil
		})
	}
	switch {
	case err != nil:
		return 0, damage(f.dyn.off, "DT_GNU_HASH", err)
	case t.last >= t.first && t.last != 0:
		return f.chainEnd(t.chains, uint64(t.last), uint64(t.first))
	case t.first > 1:
		return uint64(t.first), nil // lld, mold: all symbols come before the table's first
	}
	return 0, nil // binutils: an empty table says nothing
}

// gnuHashTable is the head of DT_GNU_HASH, and where its parts begin.
type gnuHashTable struct {
	nbuckets, first, bloom uint32
	buckets, chains        vaddr
	least, last            uint32 // the first symbol and the last that buckets lead to, once they were read; 0 for none
}

func (f *file) gnuHashTable(addr vaddr) (t gnuHashTable, err error) {
	head, err := f.at(addr, 16)
	if err != nil {
		return t, err
	}
	t.nbuckets, t.first, t.bloom = f.get32(head), f.get32(head[4:]), f.get32(head[8:])
	t.buckets = addr + 16 + vaddr(t.bloom)*vaddr(f.layout().word)
	t.chains = t.buckets + 4*vaddr(t.nbuckets)
	return t, nil
}

// chainEnd is one more than the symbol that ends the chain of symbol i: its hash has bit 0 set.
func (f *file) chainEnd(chains vaddr, i, first uint64) (uint64, error) {
	for ; i < f.maxSymbols(); i++ {
		b, err := f.at(chains+4*vaddr(i-first), 4)
		if err != nil {
			return 0, damage(f.dyn.off, "DT_GNU_HASH", err)
		}
		if f.order.Uint32(b)&1 != 0 {
			return i + 1, nil
		}
	}
	return 0, f.hashError("DT_GNU_HASH: chain does not end", i)
}

// guessCount takes the length from the section header, or from the next table in memory.
func (f *file) guessCount(symtab vaddr) (int64, error) {
	size := f.layout().sym
	h, err := decodeHeader(f.pager)
	if err != nil {
		return 0, err
	}
	for _, s := range decodeSections(f.pager, &h) {
		if elf.SectionType(s.typ) == elf.SHT_DYNSYM && s.addr == symtab && s.size <= uint64(f.size) {
			return int64(s.size) / size, nil
		}
	}
	end := ^uint64(0)
	for _, e := range f.dyn.entries {
		if e.val > uint64(symtab) && e.isTable() {
			end = min(end, e.val)
		}
	}
	n := (end - uint64(symtab)) / uint64(size)
	if n > f.maxSymbols() {
		return 0, nil // nothing follows; no hash table leads to a symbol either
	}
	table, err := f.at(symtab, int64(n)*size)
	if err != nil {
		return 0, nil
	}
	return f.likelySymbols(table), nil
}

// likelySymbols counts entries up to the first that cannot be one: the next table may have been
// moved away, and what is left in the gap is anything.
func (f *file) likelySymbols(table []byte) int64 {
	size := f.layout().sym
	n := int64(len(table)) / size
	for i := int64(1); i < n; i++ {
		var s Symbol
		name := f.symbol(&s, table[i*size:])
		named := name != 0 || s.Type == elf.STT_SECTION
		if !named || uint64(name) >= f.dyn.strings.size {
			return i
		}
	}
	return n
}

// isTable reports whether the entry is the address of a table that may follow the symbols.
func (e *dynEntry) isTable() bool {
	switch e.tag {
	case elf.DT_STRTAB, elf.DT_HASH, elf.DT_RELA, elf.DT_REL, elf.DT_JMPREL, elf.DT_INIT, elf.DT_FINI,
		elf.DT_INIT_ARRAY, elf.DT_FINI_ARRAY, elf.DT_PLTGOT, elf.DT_VERSYM, elf.DT_VERDEF, elf.DT_VERNEED,
		dtGNUHash, dtRelr:
		return true
	}
	return false
}
