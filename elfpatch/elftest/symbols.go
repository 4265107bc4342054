package elftest

import (
	"debug/elf"
	"slices"
)

// sortSymbols puts the symbols into the order that the tables want: local ones, those that
// DT_GNU_HASH leaves out, and the rest bucket by bucket (binutils bfd/elflink.c:
// elf_gnu_hash_process_symidx).
func (w *writer) sortSymbols() {
	w.symbols = slices.Clone(w.Symbols)
	for _, s := range w.symbols {
		if s.isHashed() {
			w.hashed++
		}
	}
	w.buckets = w.hashed/2 + 1
	rank := func(s *Symbol) int {
		switch {
		case s.Bind == elf.STB_LOCAL:
			return -2
		case !s.isHashed():
			return -1
		}
		return int(gnuHash(s.Name) % uint32(w.buckets))
	}
	slices.SortStableFunc(w.symbols, func(a, b Symbol) int { return rank(&a) - rank(&b) })
}

// isHashed reports whether a lookup should find s. An undefined one with a value is the canonical
// address of a function of a program.
func (s *Symbol) isHashed() bool {
	return s.Bind != elf.STB_LOCAL && (!s.Undefined || s.Value != 0)
}

// addTables adds all that the dynamic section points to and that is read only.
func (w *writer) addTables() {
	_, _, _, sym, word := w.sizes()
	symbols, locals := w.symbolTable()
	versym, verdef, defs, verneed, needs := w.versionTables()
	w.dynamic() // its strings join the table
	table := func(name string, typ elf.SectionType, link string, align, entsize uint64, data []byte) part {
		return part{name: name, typ: typ, flags: elf.SHF_ALLOC, link: link, align: align, entsize: entsize, data: data}
	}
	if w.Hash == HashBoth || w.Hash == HashGNU {
		w.add(table(".gnu.hash", elf.SHT_GNU_HASH, ".dynsym", word, 0, w.gnuHashTable()))
	}
	if w.Hash == HashBoth || w.Hash == HashSysV {
		size := hashWord(w.Class, w.Machine)
		w.add(table(".hash", elf.SHT_HASH, ".dynsym", uint64(size), uint64(size), w.sysvHashTable(size)))
	}
	dynsym := table(".dynsym", elf.SHT_DYNSYM, ".dynstr", word, sym, symbols)
	dynsym.info = locals
	w.add(dynsym)
	w.add(table(".dynstr", elf.SHT_STRTAB, "", 1, 0, w.strings))
	w.add(table(".gnu.version", elf.SHT_GNU_VERSYM, ".dynsym", 2, 2, versym))
	def := table(".gnu.version_d", elf.SHT_GNU_VERDEF, ".dynstr", word, 0, verdef)
	def.info = defs
	w.add(def)
	need := table(".gnu.version_r", elf.SHT_GNU_VERNEED, ".dynstr", word, 0, verneed)
	need.info = needs
	w.add(need)
	w.addRelocs()
}

// symbolTable is .dynsym, and the index of the first symbol that is not local.
func (w *writer) symbolTable() (table []byte, locals uint32) {
	_, _, _, size, _ := w.sizes()
	table, locals = make([]byte, size), 1
	for i := range w.symbols {
		s := &w.symbols[i]
		if s.Bind == elf.STB_LOCAL {
			locals++
		}
		value, section := w.definition(i)
		info := elf.ST_INFO(s.Bind, s.Type)
		table = w.u32(table, w.str(s.Name))
		if !w.is64() {
			table = w.u32(table, uint32(value), uint32(s.Size))
		}
		table = w.u16(append(table, info, byte(s.Visibility)), uint16(section))
		if w.is64() {
			table = w.word(table, value, s.Size)
		}
	}
	return table, locals
}

// definition is the value and the section of symbol i.
func (w *writer) definition(i int) (value uint64, section elf.SectionIndex) {
	s := &w.symbols[i]
	if s.Undefined {
		return s.Value, elf.SHN_UNDEF
	}
	home := s.home()
	value = w.old(home).addr + w.room(i, home)
	if home == ".tbss" {
		value = w.room(i, home) // an offset in the TLS block
	}
	return or(s.Value, value), or(s.Section, elf.SectionIndex(w.index(home)))
}

// home is the name of the part that a definition is in.
func (s *Symbol) home() string {
	switch s.Type {
	case elf.STT_OBJECT, elf.STT_COMMON:
		return ".data"
	case elf.STT_TLS:
		return ".tbss"
	}
	return ".text"
}

// gnuHashTable is DT_GNU_HASH; without symbols it is what binutils makes then.
func (w *writer) gnuHashTable() []byte {
	first := len(w.symbols) - w.hashed
	if w.hashed == 0 {
		b := w.word(w.u32(nil, 1, 1, 1, 0), 0)
		return w.u32(b, 0)
	}
	_, _, _, _, word := w.sizes()
	const shift = 6
	bits, bloom := uint32(8*word), uint64(0)
	buckets := make([]uint32, w.buckets)
	chain := make([]uint32, w.hashed)
	for i, s := range w.symbols[first:] {
		h := gnuHash(s.Name)
		bloom |= 1<<(h%bits) | 1<<((h>>shift)%bits)
		chain[i] = h &^ 1
		b := h % uint32(w.buckets)
		if buckets[b] == 0 {
			buckets[b] = uint32(first + i + 1)
			if i > 0 {
				chain[i-1] |= 1 // the bucket before ends
			}
		}
	}
	chain[len(chain)-1] |= 1
	b := w.u32(nil, uint32(w.buckets), uint32(first+1), 1, shift)
	return w.u32(w.u32(w.word(b, bloom), buckets...), chain...)
}

// sysvHashTable is DT_HASH, with entries of size bytes (gABI 5, "Hash Table").
func (w *writer) sysvHashTable(size int) []byte {
	n := uint32(len(w.symbols)/2 + 1)
	buckets, chain := make([]uint32, n), make([]uint32, len(w.symbols)+1)
	for i := len(w.symbols); i > 0; i-- {
		if s := &w.symbols[i-1]; s.Bind != elf.STB_LOCAL {
			b := sysvHash(s.Name) % n
			chain[i], buckets[b] = buckets[b], uint32(i)
		}
	}
	words := slices.Concat([]uint32{n, uint32(len(chain))}, buckets, chain)
	if size == 4 {
		return w.u32(nil, words...)
	}
	var b []byte
	for _, v := range words {
		b = w.order.AppendUint64(b, uint64(v))
	}
	return b
}

func gnuHash(s string) uint32 {
	h := uint32(5381)
	for i := range len(s) {
		h = h*33 + uint32(s[i])
	}
	return h
}

func sysvHash(s string) uint32 {
	var h uint32
	for i := range len(s) {
		h = h<<4 + uint32(s[i])
		h ^= h >> 24 & 0xf0
		h &= 0x0fffffff
	}
	return h
}
