package elfpatch

import (
	"debug/elf"
	"iter"
	"strings"
)

// Hashed is a symbol that a lookup can find: as much of it as the lookup looks at.
type Hashed struct {
	Hash    uint32 // of its name by DT_GNU_HASH, with bit 0 set
	Symbol  uint32 // its number in Symbols
	name    uint32 // st_name
	Section elf.SectionIndex
	Valued  bool   // st_value is not 0
	versym  uint16 // 0 where the file has no versions
	info    uint8  // st_info
	other   uint8  // st_other
}

// Defined reports whether the file defines the symbol, and does not only refer to it.
func (h *Hashed) Defined() bool { return h.Section != elf.SHN_UNDEF }

// Bind is the symbol's binding.
func (h *Hashed) Bind() elf.SymBind { return elf.ST_BIND(h.info) }

// Type is the symbol's type.
func (h *Hashed) Type() elf.SymType { return elf.ST_TYPE(h.info) }

// Visibility is the symbol's visibility.
func (h *Hashed) Visibility() elf.SymVis { return elf.ST_VISIBILITY(h.other) }

// VersionIndex is the versym of the symbol without bit 15.
func (h *Hashed) VersionIndex() uint16 { return h.versym &^ versymHidden }

// Hidden reports whether bit 15 of the symbol's versym is set, be it a definition or not.
func (h *Hashed) Hidden() bool { return h.versym&versymHidden != 0 }

// Hashes gives the symbols that a lookup can find, after the hash of each by DT_GNU_HASH, bit 0 set.
// Those of one name come in the order in which the loader looks at them.
func (s *Symbols) Hashes() iter.Seq2[uint32, uint32] {
	return func(yield func(hash, symbol uint32) bool) {
		for i := s.first; len(s.chains) >= 4*int(i-s.first+1); i++ {
			if !yield(s.get32(s.chains[4*(i-s.first):])|1, i) {
				return
			}
		}
		for _, e := range s.order {
			if !yield(e.hash, e.symbol) {
				return
			}
		}
	}
}

// Finds reports whether [Symbols.Hashes] gives the symbol of a reference of this file, by DT_GNU_HASH and after
// the hash of its name.
func (s *Symbols) Finds(ref *Reference) bool {
	at := 4 * (int64(ref.Symbol) - int64(s.first))
	return at >= 0 && at < int64(len(s.chains)) && s.get32(s.chains[at:])|1 == ref.Hash
}

// Hashed decodes what [Symbols.Hashes] gives.
func (s *Symbols) Hashed(hash, symbol uint32) Hashed {
	h := Hashed{Hash: hash, Symbol: symbol}
	b := s.table[int(symbol)*int(s.layout().sym):]
	h.name = s.get32(b)
	if s.class == elf.ELFCLASS32 {
		h.Valued, h.info, h.other, h.Section = s.get32(b[4:]) != 0, b[12], b[13], elf.SectionIndex(s.get16(b[14:]))
	} else {
		h.Valued, h.info, h.other, h.Section = s.get64(b[8:]) != 0, b[4], b[5], elf.SectionIndex(s.get16(b[6:]))
	}
	if s.versym != nil {
		h.versym = s.get16(s.versym[2*int(symbol):])
	}
	return h
}

// VersionOf is the name of a symbol's version; "" for none.
func (s *Symbols) VersionOf(h *Hashed) string {
	if i := int(h.VersionIndex()); s.versym != nil && i < len(s.versions) {
		return s.versions[i].name
	}
	return ""
}

// HasName reports whether a symbol has that name.
func (s *Symbols) HasName(h *Hashed, name string) bool {
	at, text := int64(h.name), s.names.text
	if at >= int64(len(text)) {
		return false
	}
	rest, ok := strings.CutPrefix(text[at:], name)
	return ok && rest != "" && rest[0] == 0
}

// lookupHash reads the table that the loader uses: DT_GNU_HASH where it is there (glibc
// elf/dl-setup_hash.c: _dl_setup_hash).
func (f *file) lookupHash(s *Symbols) error {
	if addr, ok := f.dyn.value(dtGNUHash); ok {
		return f.gnuChains(s, vaddr(addr))
	}
	if addr, ok := f.dyn.value(elf.DT_HASH); ok {
		return f.sysvChains(s, vaddr(addr))
	}
	return nil
}

// gnuChains reads the chain words. They stand in the order of the symbols, those of one bucket side
// by side.
func (f *file) gnuChains(s *Symbols, addr vaddr) error {
	t, err := f.gnuHashTable(addr)
	if err != nil {
		return damage(f.dyn.off, "DT_GNU_HASH", err)
	}
	end, err := f.gnuTableEnd(&t)
	if err != nil {
		return err
	}
	if t.nbuckets == 0 || end <= uint64(t.first) {
		return nil
	}
	if end > uint64(s.Len()) {
		return f.hashError("DT_GNU_HASH has more symbols than DT_HASH", end)
	}
	if s.chains, err = f.at(t.chains, 4*int64(end-uint64(t.first))); err != nil {
		return damage(f.dyn.off, "DT_GNU_HASH", err)
	}
	s.first = t.first
	return nil
}

// sysvChains lists the symbols of DT_HASH with their names' hashes.
func (f *file) sysvChains(s *Symbols, addr vaddr) error {
	listed, err := f.sysvOrder(addr, uint64(s.Len()))
	if err != nil {
		return err
	}
	for _, i := range listed {
		name, err := s.names.at(uint64(s.nameOf(int(i))))
		if err != nil {
			return err
		}
		s.order = append(s.order, hashed{NameHash(name), i})
	}
	return nil
}

// sysvOrder lists the symbols of DT_HASH bucket by bucket, in a file with count symbols (gABI 5,
// "Hash Table").
func (f *file) sysvOrder(addr vaddr, count uint64) (order []uint32, err error) {
	word := f.hashEntry()
	head, err := f.at(addr, 2*word)
	if err != nil {
		return nil, damage(f.dyn.off, "DT_HASH", err)
	}
	nbuckets, nchain := f.hashWord(head), f.hashWord(head[word:])
	if nbuckets > f.maxSymbols() || nchain > count {
		return nil, f.hashError("DT_HASH is larger than the file can hold", nbuckets)
	}
	words, err := f.at(addr+vaddr(2*word), word*int64(nbuckets+nchain))
	if err != nil {
		return nil, damage(f.dyn.off, "DT_HASH", err)
	}
	chain := words[word*int64(nbuckets):]
	for b := range int64(nbuckets) {
		for i := f.hashWord(words[word*b:]); i != 0; i = f.hashWord(chain[word*int64(i):]) {
			if i >= nchain || uint64(len(order)) >= nchain {
				return nil, f.hashError("DT_HASH: chain does not end", i)
			}
			order = append(order, uint32(i))
		}
	}
	return order, nil
}

// hashWord decodes an entry of DT_HASH.
func (h *header) hashWord(b []byte) uint64 {
	if h.hashEntry() == 8 {
		return h.order.Uint64(b)
	}
	return uint64(h.get32(b))
}

// putHashWord encodes an entry of DT_HASH.
func (h *header) putHashWord(b []byte, v uint64) {
	if h.hashEntry() == 8 {
		h.order.PutUint64(b, v)
		return
	}
	h.order.PutUint32(b, uint32(v))
}

// sysvHash is the hash of DT_HASH (gABI 5, "Hash Table").
func sysvHash(name string) uint32 {
	var h uint32
	for i := range len(name) {
		h = h<<4 + uint32(name[i])
		h = (h ^ h>>28<<4) & (1<<28 - 1)
	}
	return h
}

// NameHash is the hash of a symbol's name in DT_GNU_HASH as its chains hold it but for the mark of their
// ends, bit 0, which is set: what [Reference] has (glibc sysdeps/generic/dl-new-hash.h).
func NameHash(name string) uint32 { return fullGNUHash(name) | 1 }

// fullGNUHash is the hash of DT_GNU_HASH (glibc sysdeps/generic/dl-new-hash.h).
func fullGNUHash(name string) uint32 {
	h := uint32(5381)
	for ; len(name) >= 4; name = name[4:] { // four rounds of the last line, which need not wait for each other
		h = h*(33*33*33*33) + uint32(name[0])*(33*33*33) + uint32(name[1])*(33*33) + uint32(name[2])*33 + uint32(name[3])
	}
	for i := range len(name) {
		h = h*33 + uint32(name[i])
	}
	return h
}
