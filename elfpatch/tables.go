package elfpatch

import (
	"cmp"
	"debug/elf"
	"slices"
)

// tables lists, in file order, the tables that only a dynamic tag points to. Those whose size nothing
// tells are left out. What they hold is what the plan has made of them so far.
func (p *patch) tables() []*block {
	var list []*block
	for _, t := range movable {
		at, ok := p.dyn.value(t.tag)
		if !ok {
			continue
		}
		b := &block{tag: t.tag, section: p.sectionAt(vaddr(at), t.section), align: uint64(p.layout().word)}
		size := int64(0)
		switch {
		case b.section >= 0:
			s := p.sections[b.section]
			size, b.align = int64(min(s.size, uint64(p.size))), max(s.addralign, 1)
		case p.sections == nil:
			size = t.size(p.file)
		}
		off, err := p.offset(vaddr(at), size)
		if err != nil || size == 0 || b.align > minPage || b.align&(b.align-1) != 0 {
			continue
		}
		b.data = make([]byte, size)
		if readFull(p.img, b.data, int64(off)) != nil {
			continue
		}
		b.old = extent{off, off + offset(size)}
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b *block) int { return cmp.Compare(a.old.from, b.old.from) })
	return list
}

// movable holds the tags of those tables, the section type of each, and how its size is known when
// there are no sections.
var movable = []struct {
	tag     elf.DynTag
	section elf.SectionType
	size    func(*file) int64
}{
	{elf.DT_VERSYM, elf.SHT_GNU_VERSYM, (*file).versymSize},
	{elf.DT_VERNEED, elf.SHT_GNU_VERNEED, (*file).verNeedSize},
	{elf.DT_VERDEF, elf.SHT_GNU_VERDEF, func(*file) int64 { return 0 }},
	{elf.DT_HASH, elf.SHT_HASH, (*file).hashSize},
	{dtGNUHash, elf.SHT_GNU_HASH, (*file).gnuHashSize},
	{elf.DT_SYMTAB, elf.SHT_DYNSYM, (*file).dynsymSize},
}

func (f *file) versymSize() int64 {
	if n, exact := f.dynsymCount(); exact {
		return 2 * n
	}
	return 0
}

func (f *file) dynsymSize() int64 {
	if n, exact := f.dynsymCount(); exact {
		return n * f.layout().sym
	}
	return 0
}

// verNeedSize is where the last record of DT_VERNEED ends.
func (f *file) verNeedSize() int64 {
	records, err := f.verNeedRecords()
	at, _ := f.dyn.value(elf.DT_VERNEED)
	var end uint64
	for _, r := range records {
		end = max(end, uint64(r.addr)+verNeedSize)
		for _, aux := range r.aux {
			end = max(end, uint64(aux.addr)+verNeedAuxSize)
		}
	}
	if err != nil || end < at || end-at > uint64(f.size) {
		return 0
	}
	return int64(end - at)
}

// hashSize is the size of DT_HASH: two counts, the buckets and the chains (gABI 5, "Hash Table").
func (f *file) hashSize() int64 {
	at, _ := f.dyn.value(elf.DT_HASH)
	word := f.hashEntry()
	b, err := f.at(vaddr(at), 2*word)
	if err != nil {
		return 0
	}
	buckets, chains := uint64(f.order.Uint32(b)), uint64(f.order.Uint32(b[4:]))
	if word == 8 {
		buckets, chains = f.order.Uint64(b), f.order.Uint64(b[8:])
	}
	return int64(2+min(buckets, uint64(f.size))+min(chains, uint64(f.size))) * word
}

// gnuHashSize is the size of DT_GNU_HASH: four counts, the bloom filter, the buckets, and a chain
// entry for each symbol from the first on; an empty one has no chains.
func (f *file) gnuHashSize() int64 {
	at, _ := f.dyn.value(dtGNUHash)
	end, err := f.gnuHashEnd(vaddr(at))
	if err != nil {
		return 0
	}
	head, err := f.at(vaddr(at), 16)
	if err != nil {
		return 0
	}
	buckets, first, bloom := int64(f.order.Uint32(head)), int64(f.order.Uint32(head[4:])), int64(f.order.Uint32(head[8:]))
	return 16 + bloom*f.layout().word + 4*(buckets+max(int64(end)-first, 0))
}
