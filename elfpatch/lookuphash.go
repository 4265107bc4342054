package elfpatch

import (
	"debug/elf"
	"iter"
)

// Hashed gives the symbols that a lookup can find, with the hash of each by DT_GNU_HASH, bit 0 set.
// Those of one name come in the order in which the loader looks at them.
func (s *Symbols) Hashed() iter.Seq2[uint32, uint32] {
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
	end, err := f.gnuHashEnd(addr)
	if err != nil {
		return err
	}
	head, err := f.at(addr, 16)
	if err != nil {
		return damage(f.dyn.off, "DT_GNU_HASH", err)
	}
	nbuckets, first, bloom := f.get32(head), f.get32(head[4:]), f.get32(head[8:])
	if nbuckets == 0 || end <= uint64(first) {
		return nil
	}
	if end > uint64(s.Len()) {
		return f.hashError("DT_GNU_HASH has more symbols than DT_HASH", end)
	}
	at := addr + 16 + vaddr(bloom)*vaddr(f.layout().word) + 4*vaddr(nbuckets)
	if s.chains, err = f.at(at, 4*int64(end-uint64(first))); err != nil {
		return damage(f.dyn.off, "DT_GNU_HASH", err)
	}
	s.first = first
	return nil
}

// sysvChains lists the symbols of DT_HASH bucket by bucket (gABI 5, "Hash Table").
func (f *file) sysvChains(s *Symbols, addr vaddr) error {
	word := f.hashEntry()
	head, err := f.at(addr, 2*word)
	if err != nil {
		return damage(f.dyn.off, "DT_HASH", err)
	}
	nbuckets, nchain := f.hashWord(head), f.hashWord(head[word:])
	if nbuckets > f.maxSymbols() || nchain > uint64(s.Len()) {
		return f.hashError("DT_HASH is larger than the file can hold", nbuckets)
	}
	words, err := f.at(addr+vaddr(2*word), word*int64(nbuckets+nchain))
	if err != nil {
		return damage(f.dyn.off, "DT_HASH", err)
	}
	chain := words[word*int64(nbuckets):]
	for b := range int64(nbuckets) {
		for i := f.hashWord(words[word*b:]); i != 0; i = f.hashWord(chain[word*int64(i):]) {
			if i >= nchain || uint64(len(s.order)) >= nchain {
				return f.hashError("DT_HASH: chain does not end", i)
			}
			name, err := s.names.at(uint64(s.nameOf(int(i))))
			if err != nil {
				return err
			}
			s.order = append(s.order, hashed{gnuHash(name), uint32(i)})
		}
	}
	return nil
}

// hashWord decodes an entry of DT_HASH.
func (h *header) hashWord(b []byte) uint64 {
	if h.hashEntry() == 8 {
		return h.order.Uint64(b)
	}
	return uint64(h.get32(b))
}

// gnuHash is the hash of DT_GNU_HASH as its chains hold it but for the mark of their ends, bit 0,
// which is set (glibc sysdeps/generic/dl-new-hash.h).
func gnuHash(name string) uint32 {
	h := uint32(5381)
	for i := range len(name) {
		h = h*33 + uint32(name[i])
	}
	return h | 1
}
