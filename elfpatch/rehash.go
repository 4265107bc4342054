package elfpatch

import (
	"cmp"
	"debug/elf"
	"slices"
)

// rehashGNU lays DT_GNU_HASH out for the new names. Its symbols stand in the order of their buckets,
// so that some get another number: order gives the old number of each, nil when none moves.
func (p *patch) rehashGNU(s *symbolPlan) (order []int, err error) {
	if _, ok := p.dyn.value(dtMIPSXHash); ok && p.machine == elf.EM_MIPS {
		return nil, unsupported("DT_MIPS_XHASH ties the order of symbols to that of the GOT, so that no symbol can be renamed")
	}
	at, ok := p.dyn.value(dtGNUHash)
	if !ok {
		return nil, nil
	}
	h, err := p.gnuHashTable(vaddr(at), len(s.to))
	if err != nil || !s.renames(h.first) {
		return nil, err
	}
	hashes := make([]uint32, len(s.to))
	order = make([]int, len(s.to))
	for i := range order {
		order[i], hashes[i] = i, fullGNUHash(s.name(i))
	}
	buckets := uint32(len(h.buckets) / 4)
	slices.SortStableFunc(order[h.first:], func(a, b int) int { return cmp.Compare(hashes[a]%buckets, hashes[b]%buckets) })
	h.fill(p, order, hashes)
	if err := p.writeAt(vaddr(at)+16, slices.Concat(h.bloom, h.buckets, h.chains)); err != nil || slices.IsSorted(order) {
		return nil, err
	}
	return order, nil
}

// gnuTable is DT_GNU_HASH: a bloom filter, buckets, and a chain word for each symbol from first on
// (glibc elf/dl-lookup.c: do_lookup_x).
type gnuTable struct {
	first                  int
	shift                  uint32
	bloom, buckets, chains []byte
}

// gnuHashTable reads the table of a file with count symbols.
func (p *patch) gnuHashTable(at vaddr, count int) (h gnuTable, err error) {
	bad := func(val any) (gnuTable, error) {
		return h, &FormatError{Off: int64(p.dyn.off), Msg: "DT_GNU_HASH: hash table header out of range", Val: val}
	}
	head, err := p.current(at, 16)
	if err != nil {
		return bad(nil)
	}
	buckets, bloom := int64(p.get32(head)), int64(p.get32(head[8:]))*p.layout().word
	h.first, h.shift = int(p.get32(head[4:])), p.get32(head[12:])
	if buckets == 0 || bloom == 0 || h.first == 0 {
		return bad(buckets)
	}
	switch end, err := p.gnuHashEnd(at); {
	case err != nil:
		return bad(err)
	case end <= uint64(h.first): // an empty table may begin anywhere
		h.first = count
	case end != uint64(count):
		return bad(end)
	}
	all, err := p.current(at+16, bloom+4*(buckets+int64(count-h.first)))
	if err != nil {
		return bad(buckets)
	}
	h.bloom, h.buckets, h.chains = all[:bloom], all[bloom:][:4*buckets], all[bloom+4*buckets:]
	return h, nil
}

// fill writes the tables for symbols that stand in that order; hashes go by their old numbers.
func (h *gnuTable) fill(p *patch, order []int, hashes []uint32) {
	word, bits := int(p.layout().word), uint32(8*p.layout().word)
	buckets, words := uint32(len(h.buckets)/4), uint32(len(h.bloom)/word)
	clear(h.bloom)
	clear(h.buckets)
	for i := h.first; i < len(order); i++ {
		hash := hashes[order[i]]
		filter := h.bloom[int(hash/bits%words)*word:]
		p.putWord(filter, p.word(filter)|1<<(hash%bits)|1<<(hash>>h.shift%bits))
		bucket := hash % buckets
		if b := h.buckets[4*bucket:]; p.get32(b) == 0 {
			p.order.PutUint32(b, uint32(i))
		}
		chain := hash &^ 1
		if i+1 == len(order) || hashes[order[i+1]]%buckets != bucket {
			chain |= 1
		}
		p.order.PutUint32(h.chains[4*(i-h.first):], chain)
	}
}

// rehashSysV lays DT_HASH out for the new names and numbers; order gives the old number of each
// symbol, nil when none moved. Symbols of one name keep their order, and those that no chain holds
// stay out (gABI 5, "Hash Table").
func (p *patch) rehashSysV(s *symbolPlan, order []int) error {
	at, ok := p.dyn.value(elf.DT_HASH)
	if !ok {
		return nil
	}
	listed, err := p.sysvOrder(vaddr(at), uint64(len(s.to)))
	if err != nil {
		return err
	}
	word := p.hashEntry()
	head, err := p.current(vaddr(at), 2*word)
	if err != nil {
		return damage(p.dyn.off, "DT_HASH", err)
	}
	buckets, chains := p.hashWord(head), p.hashWord(head[word:])
	if buckets == 0 || chains == 0 {
		return nil
	}
	now := numbers(order)
	words := make([]byte, word*int64(buckets+chains))
	ends := make([]uint64, buckets) // the last symbol of each chain
	for _, symbol := range listed {
		i, bucket := int(symbol), uint64(sysvHash(s.name(int(symbol))))%buckets
		if now != nil {
			i = now[i]
		}
		last := words[word*int64(bucket):]
		if end := ends[bucket]; end != 0 {
			last = words[word*int64(buckets+end):]
		}
		p.putHashWord(last, uint64(i))
		ends[bucket] = uint64(i)
	}
	return p.writeAt(vaddr(at+2*uint64(word)), words)
}
