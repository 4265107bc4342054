package elfpatch

import (
	"debug/elf"
	"slices"
)

// relro checks PT_GNU_RELRO: the loader takes the right to write from whole pages of it, which fails
// where nothing is mapped (glibc elf/dl-reloc.c: _dl_protect_relro).
func (c *checker) relro() {
	s := c.segment(elf.PT_GNU_RELRO)
	if s == nil {
		return
	}
	at, end := s.Vaddr&^(minPage-1), (s.Vaddr+s.Memsz)&^(minPage-1)
	for _, l := range c.segments {
		if l.Type == elf.PT_LOAD && l.Vaddr&^(minPage-1) <= at && at < l.Vaddr+l.Memsz {
			at = alignUp(l.Vaddr+l.Memsz, minPage)
		}
	}
	if at < end {
		c.wrong(offset(s.Off), "PT_GNU_RELRO reaches beyond the PT_LOAD")
	}
}

// property checks PT_GNU_PROPERTY of what the kernel enters, be it a program or its loader: it starts none whose
// first note there is of another kind, or that has more than 1 KiB of them (Linux fs/binfmt_elf.c:
// load_elf_binary, parse_elf_properties). Elsewhere one that is wrong is passed over.
func (c *checker) property() {
	s := c.segment(elf.PT_GNU_PROPERTY)
	if s == nil || !c.isEntered() {
		return
	}
	if s.Filesz > maxProperty {
		c.wrong(offset(s.Off), "PT_GNU_PROPERTY has %d bytes, the kernel takes %d", s.Filesz, maxProperty)
		return
	}
	if ok, err := c.hasProperty(*s); !c.failed(offset(s.Off), "PT_GNU_PROPERTY", err) && !ok {
		c.wrong(offset(s.Off), "PT_GNU_PROPERTY does not begin with a property note")
	}
}

// isEntered reports whether the kernel gives control to the file itself: a program that names no loader, or a
// loader.
func (f *file) isEntered() bool {
	if f.entry == 0 || f.segment(elf.PT_INTERP) != nil {
		return false
	}
	note, err := f.stub()
	return err == nil && note != nil || !slices.ContainsFunc(f.dyn.entries, func(e dynEntry) bool { return e.tag == elf.DT_NEEDED })
}

// dynamicSection checks that the loader may write where it will: it turns the addresses into pointers
// unless PT_DYNAMIC says that they are not written (glibc elf/get-dynamic-info.h, l_ld_readonly).
func (c *checker) dynamicSection() {
	s := c.dynamicSegment()
	for _, l := range c.segments {
		if l.Type == elf.PT_LOAD && l.Vaddr <= s.Vaddr && s.Vaddr-l.Vaddr < l.Memsz && s.Flags&^l.Flags&elf.PF_W != 0 {
			c.wrong(c.dyn.off, "PT_DYNAMIC is to be written and lies in a PT_LOAD that is not")
		}
	}
	_, symbols := c.dyn.value(elf.DT_SYMTAB)
	if _, strings := c.dyn.value(elf.DT_STRTAB); !strings || !symbols {
		c.wrong(c.dyn.off, "the dynamic section has no DT_STRTAB or no DT_SYMTAB")
	}
	for _, e := range c.entrySizes() {
		if v, ok := c.dyn.value(e.tag); ok && v != e.val {
			c.wrong(c.dyn.off, "%v is %d and must be %d", e.tag, v, e.val)
		}
	}
	if v, ok := c.dyn.value(elf.DT_PLTREL); ok && v != uint64(elf.DT_REL) && v != uint64(elf.DT_RELA) {
		c.wrong(c.dyn.off, "DT_PLTREL is neither DT_REL nor DT_RELA")
	}
	if slot, v, ok := c.rldMapRel(); ok && !c.mapped(uint64(slot)+v, uint64(c.layout().word)) {
		c.wrong(c.dyn.off, "DT_MIPS_RLD_MAP_REL leads out of the PT_LOADs")
	}
}

// entrySizes are the sizes that the loader asserts (glibc elf/get-dynamic-info.h).
func (c *checker) entrySizes() []dynEntry {
	word := uint64(c.layout().word)
	return []dynEntry{
		{elf.DT_SYMENT, uint64(c.layout().sym)}, {elf.DT_RELAENT, 3 * word}, {elf.DT_RELENT, 2 * word}, {dtRelrEnt, word},
	}
}

// rldMapRel gives DT_MIPS_RLD_MAP_REL and the address of its entry, which it is relative to.
func (f *file) rldMapRel() (slot vaddr, val uint64, ok bool) {
	for i, e := range f.dyn.entries {
		if e.tag == dtMIPSRldMapRel && f.machine == elf.EM_MIPS {
			slot, val, ok = f.dyn.addr+vaddr(int64(i)*f.layout().dyn), e.val, true
		}
	}
	if f.class == elf.ELFCLASS32 {
		val = uint64(int64(int32(val)))
	}
	return slot, val, ok
}

// tables checks that what the dynamic section points to lies in PT_LOADs: what the loader only reads,
// in the file; what it may write or call, in memory.
func (c *checker) tables() {
	for _, t := range []struct{ tag, size elf.DynTag }{
		{elf.DT_STRTAB, elf.DT_STRSZ}, {elf.DT_RELA, elf.DT_RELASZ}, {elf.DT_REL, elf.DT_RELSZ}, {dtRelr, dtRelrSz},
		{elf.DT_JMPREL, elf.DT_PLTRELSZ}, {elf.DT_INIT_ARRAY, elf.DT_INIT_ARRAYSZ},
		{elf.DT_FINI_ARRAY, elf.DT_FINI_ARRAYSZ}, {elf.DT_PREINIT_ARRAY, elf.DT_PREINIT_ARRAYSZ},
		{elf.DT_SYMTAB, 0}, {elf.DT_HASH, 0}, {dtGNUHash, 0}, {elf.DT_VERNEED, 0}, {elf.DT_VERDEF, 0},
	} {
		at, ok := c.dyn.value(t.tag)
		size, sized := c.dyn.value(t.size)
		if !ok || t.size != 0 && size == 0 {
			if ok && !sized {
				c.wrong(c.dyn.off, "%v has no %v", t.tag, t.size)
			}
			continue
		}
		if _, err := c.offset(vaddr(at), int64(min(max(size, 1), 1<<62))); err != nil {
			c.wrong(c.dyn.off, "%v: %v", t.tag, err)
		}
	}
	for _, tag := range []elf.DynTag{elf.DT_PLTGOT, elf.DT_INIT, elf.DT_FINI} {
		if at, ok := c.dyn.value(tag); ok && at != 0 && !c.mapped(at, 1) {
			c.wrong(c.dyn.off, "%v: address %#x is in no loaded segment", tag, at)
		}
	}
}

// strings checks that each name of a symbol ends in the string table. That the table ends in NUL
// makes each end.
func (c *checker) strings() {
	t := c.dyn.strings
	if last, err := c.at(t.addr+vaddr(t.size)-1, 1); t.size > 0 && err == nil && last[0] != 0 {
		c.wrong(c.dyn.off, "the string table does not end in NUL")
	}
	n, exact := c.dynsymCount()
	at, _ := c.dyn.value(elf.DT_SYMTAB)
	off, err := c.offset(vaddr(at), n*c.layout().sym)
	if err != nil {
		if exact {
			c.wrong(c.dyn.off, "DT_SYMTAB: %v", err)
		}
		return
	}
	if !exact {
		return
	}
	size, bad := int(c.layout().sym), 0
	err = c.chunks(off, n*int64(size), int64(size), func(b []byte) error {
		for ; len(b) > 0; b = b[size:] {
			if uint64(c.get32(b)) >= t.size {
				bad++
			}
		}
		return nil
	})
	if !c.failed(off, "DT_SYMTAB", err) && bad > 0 {
		c.wrong(off, "%d of the %d dynamic symbols have a name outside the string table", bad, n)
	}
}
