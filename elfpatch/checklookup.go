package elfpatch

import (
	"debug/elf"
	"slices"
)

// sysvHash checks DT_HASH: its buckets and chains lead to symbols (glibc elf/dl-lookup.c: do_lookup_x).
func (c *checker) sysvHash() {
	at, ok := c.dyn.value(elf.DT_HASH)
	if !ok {
		return
	}
	size := c.hashSize()
	off, err := c.offset(vaddr(at), max(size, 1))
	if c.failed(c.dyn.off, "DT_HASH", err) || size == 0 {
		return
	}
	count, _ := c.sysvHashEnd(vaddr(at))
	entry, first := c.hashEntry(), true
	err = c.chunks(off, size, entry, func(b []byte) error {
		if first {
			b, first = b[2*entry:], false
		}
		for ; len(b) > 0; b = b[entry:] {
			i := uint64(c.get32(b))
			if entry == 8 {
				i = c.order.Uint64(b)
			}
			if i >= max(count, 1) {
				return &FormatError{Off: int64(off), Msg: "DT_HASH leads to a symbol that is none", Val: i}
			}
		}
		return nil
	})
	c.failed(off, "DT_HASH", err)
}

// gnuHash checks DT_GNU_HASH (glibc elf/dl-setup_hash.c asserts the size of the filter): each chain is
// of symbols, and both hash tables count the same ones.
func (c *checker) gnuHash() {
	at, ok := c.dyn.value(dtGNUHash)
	if !ok {
		return
	}
	t, err := c.gnuHashTable(vaddr(at))
	if c.failed(c.dyn.off, "DT_GNU_HASH", err) {
		return
	}
	if t.bloom&(t.bloom-1) != 0 {
		c.wrong(c.dyn.off, "the filter of DT_GNU_HASH has %d words, no power of two", t.bloom)
		return
	}
	end, err := c.gnuTableEnd(&t)
	if c.failed(c.dyn.off, "DT_GNU_HASH", err) {
		return
	}
	if t.least != 0 && t.least < t.first {
		c.wrong(c.dyn.off, "DT_GNU_HASH leads to symbol %d, and its first is %d", t.least, t.first)
		return
	}
	if n, exact := c.dynsymCount(); exact && end > uint64(n) {
		c.wrong(c.dyn.off, "DT_GNU_HASH has %d symbols, and the file %d", end, n)
	}
}

// versions checks that each symbol's version is one that the tables name, since the loader takes it
// for an index (glibc elf/dl-version.c: _dl_check_map_versions), and that versions are wanted of
// needed objects only, each by its hash too.
func (c *checker) versions() {
	if at, ok := c.dyn.value(elf.DT_VERSYM); ok {
		c.versym(vaddr(at), c.lastVersion())
	}
	var needed []string
	for _, e := range c.dyn.entries {
		if e.tag == elf.DT_NEEDED {
			if name, err := c.str(e.val); err == nil {
				needed = append(needed, name)
			}
		}
	}
	err := c.eachVerNeed(func(r *verNeedRecord) {
		if !slices.Contains(needed, r.File) {
			c.wrong(c.dyn.off, "DT_VERNEED wants versions of %q, which is not needed", r.File)
		}
		for i, v := range r.Versions {
			c.versionHash("DT_VERNEED", v.Name, r.aux[i].hash)
		}
	})
	c.failed(c.dyn.off, "DT_VERNEED", err)
	_ = c.eachVerDef(func(d VerDef, hash uint32) { // what cannot be read was told
		if !d.Base {
			c.versionHash("DT_VERDEF", d.Name, hash)
		}
	})
}

// versionHash checks the hash that stands beside a version's name: a definition answers a need when both
// are equal (glibc elf/dl-version.c: match_symbol).
func (c *checker) versionHash(table, name string, hash uint32) {
	if hash != sysvHash(name) {
		c.wrong(c.dyn.off, "%s has the version %s with the hash %#x, which is that of another name", table, name, hash)
	}
}

// lastVersion is the largest index that the version tables name; 0 and 1 are of no version.
func (c *checker) lastVersion() uint16 {
	last := uint16(1)
	c.failed(c.dyn.off, "DT_VERNEED", c.eachVerNeed(func(r *verNeedRecord) {
		for _, v := range r.Versions {
			last = max(last, v.Index)
		}
	}))
	defs, err := c.verDefs()
	c.failed(c.dyn.off, "DT_VERDEF", err)
	for _, v := range defs {
		last = max(last, v.Index)
	}
	return last
}

// versym checks the indexes of DT_VERSYM.
func (c *checker) versym(at vaddr, last uint16) {
	n, exact := c.dynsymCount()
	if !exact {
		return
	}
	off, err := c.offset(at, 2*n)
	if c.failed(c.dyn.off, "DT_VERSYM", err) {
		return
	}
	bad := 0
	err = c.chunks(off, 2*n, 2, func(b []byte) error {
		for ; len(b) > 0; b = b[2:] {
			if c.get16(b)&^versymHidden > last {
				bad++
			}
		}
		return nil
	})
	if !c.failed(off, "DT_VERSYM", err) && bad > 0 {
		c.wrong(off, "%d symbols have a version that no table names", bad)
	}
}

// sections checks, where there are section headers, that they agree with what the loader reads:
// strip and objcopy go by them.
func (c *checker) sections() {
	for i, s := range decodeSections(c.pager, &c.header) {
		at := c.shoff + offset(int64(i)*c.layout().shdr)
		switch typ := elf.SectionType(s.typ); {
		case typ == elf.SHT_NULL || typ == elf.SHT_NOBITS:
			continue
		case s.off < 0 || int64(s.off) > c.size || s.size > uint64(c.size-int64(s.off)):
			c.wrong(at, "section %d lies outside the file", i)
			continue
		}
		if elf.SectionFlag(s.flags)&elf.SHF_ALLOC == 0 || s.size == 0 {
			continue
		}
		if l := c.holder(extent{s.off, s.off + offset(s.size)}); l != nil && uint64(s.addr)-uint64(s.off) != l.Vaddr-l.Off {
			c.wrong(at, "section %d does not lie as its PT_LOAD does", i)
		}
		if elf.SectionType(s.typ) == elf.SHT_DYNAMIC && c.dyn.present && (s.addr != c.dyn.addr || s.off != c.dyn.off) {
			c.wrong(at, "section %d is another dynamic section than PT_DYNAMIC", i)
		}
	}
}
