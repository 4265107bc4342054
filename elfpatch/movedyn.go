package elfpatch

import "debug/elf"

// The dynamic section leaves its place only when it has no room for one more entry, as lld makes it.
// It goes into the segment that edits append, which the loader may write then, as it writes the
// section itself: DT_DEBUG and, before glibc 2.35, every address (elf/get-dynamic-info.h). What it
// leaves behind goes on to be true, for code finds it as _DYNAMIC.

// theDynamic stands for a tag in the block of the dynamic section, which none leads to.
const theDynamic = elf.DynTag(-2)

// spareSlots is how many entries a moved section has left for the next edit.
const spareSlots = 4

// dynamicBlock is the dynamic section as it is.
func (p *patch) dynamicBlock() *block {
	size := offset(int64(p.dyn.room) * p.layout().dyn)
	return &block{
		tag: theDynamic, section: p.sectionAt(p.dyn.addr, elf.SHT_DYNAMIC), old: extent{p.dyn.off, p.dyn.off + size},
		align: uint64(p.layout().word), written: p.dynamicSegment().Flags&elf.PF_W != 0,
	}
}

// inRelro reports whether the loader makes the page of an address read-only: linkers put the dynamic
// section where it does, moveDynamic does not.
func (p *patch) inRelro(v vaddr) bool {
	s := p.segment(elf.PT_GNU_RELRO)
	return s != nil && s.Vaddr <= uint64(v) && uint64(v)-s.Vaddr < s.Memsz
}

// moveDynamic makes the dynamic section wait for a place where n entries have room. Code that starts
// without a loader relocates itself by the section where it is.
func (p *patch) moveDynamic(n int) error {
	if p.startsItself() {
		return unsupported("the dynamic section has room for %d entries and needs %d, and the file starts without a "+
			"loader (a static PIE, or a loader itself), so that it cannot move", p.dyn.room-1, n)
	}
	b := p.dynamicBlock()
	b.data = make([]byte, int64(n+1+spareSlots)*p.layout().dyn)
	p.blocks = append(p.blocks, b)
	return nil
}

// pointDynamic makes PT_DYNAMIC say where the section is.
func (p *patch) pointDynamic(b *block, off offset, addr vaddr) {
	was := p.dynamicSegment()
	for i := range p.segs {
		if s := &p.segs[i]; s.Type == elf.PT_DYNAMIC && s.Off == was.Off && s.Filesz == was.Filesz {
			s.Off, s.Vaddr, s.Paddr = uint64(off), uint64(addr), uint64(addr)
			s.Filesz, s.Memsz = uint64(b.size()), uint64(b.size())
		}
	}
	p.keepEntries()
	p.dynOff, p.dynAddr, p.dynSize = off, addr, b.size()
}

// encodeEntries encodes the entries for a section at an address; one that names a distance from
// itself follows (DT_MIPS_RLD_MAP_REL).
func (p *patch) encodeEntries(entries []entry, addr vaddr, strings *strtab) []byte {
	size := p.layout().dyn
	var b []byte
	for i, e := range entries {
		if e.named && strings != nil {
			e.val = strings.place[e.text]
		}
		if e.tag == dtMIPSRldMapRel && p.machine == elf.EM_MIPS {
			e.val -= uint64(addr-p.dyn.addr) + uint64(int64(i-e.was)*size)
		}
		b = p.words(b, uint64(e.tag), e.val)
	}
	return b
}

// leaveDynamic makes what a moved section leaves say the same of what was there before: entries that
// are new are missing, and those that went. What the segment of an earlier edit held is laid out anew.
func (p *patch) leaveDynamic(strings *strtab) {
	if p.inOwn(p.dynamicBlock()) {
		return
	}
	var old []entry
	for _, e := range p.entries {
		if e.was >= 0 {
			old = append(old, e)
		}
	}
	b := p.encodeEntries(old, p.dyn.addr, strings)
	p.img.write(p.dyn.off, append(b, make([]byte, int64(len(p.dyn.entries)-len(old))*p.layout().dyn)...))
}
