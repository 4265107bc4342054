package elfpatch

import (
	"debug/elf"
	"slices"
)

// A block is a table that is reached through one number of the headers alone, so that it can
// stand anywhere in a read-only segment.
type block struct {
	tag     elf.DynTag // the tag that holds its address; 0 for PT_INTERP, or theDynamic
	section int        // the index of its section header; -1 when there is none
	old     extent     // where it is in the input
	align   uint64
	data    []byte // what it will hold
	written bool   // the loader writes it
	placed  bool
}

func (b *block) size() int64 { return int64(len(b.data)) }

// placeInterp writes PT_INTERP where it is if it fits, and lets it shrink and grow into free bytes.
// Without section headers its size stays, for then it is all that tells what was its room.
func (p *patch) placeInterp() {
	if p.want.Interp == p.in.Interp {
		return
	}
	b := p.interpBlock()
	b.data = append([]byte(p.want.Interp), 0)
	if i := slices.IndexFunc(p.homeless(), func(o *block) bool { return o.tag == 0 }); i >= 0 {
		p.homeless()[i].data = b.data // it left already
		return
	}
	more := b.size() - b.old.size()
	switch {
	case p.inOwn(b): // a hole there would hide whose segment it is
		p.leave(b, true)
		return
	case more > 0 && p.sectioned() && p.freeBehind(b.old.to, more):
		p.claim(p.segmentOf(b.old.to), extent{b.old.from, b.old.to + offset(more)})
	case more > 0:
		p.leave(b, true)
		return
	case !p.sectioned():
		b.data = append(b.data, make([]byte, -more)...)
	}
	p.clear(b.old)
	p.img.write(b.old.from, b.data)
	p.point(b, b.old.from, vaddr(p.interpHeader().Vaddr))
	b.placed = true
	p.busy(b)
}

// interpHeader is PT_INTERP where it is now: room for a program header may have been made before.
func (p *patch) interpHeader() Segment {
	i := p.headerOf(elf.PT_INTERP)
	if i < 0 {
		return Segment{}
	}
	return p.segs[i]
}

// interpBlock is PT_INTERP as it is.
func (p *patch) interpBlock() *block {
	s := p.interpHeader()
	old := extent{offset(s.Off), offset(s.Off + s.Filesz)}
	return &block{section: p.sectionAt(vaddr(s.Vaddr), elf.SHT_PROGBITS), old: old, align: 1}
}

// planStrings writes what changes within the string table, and where it grows plans what it will be: whatever
// looks for room until it has a place counts with that.
func (p *patch) planStrings(t *strtab) {
	if t == nil {
		return
	}
	b := p.stringBlock()
	t.text.changes(func(at int, data []byte) { p.img.write(b.old.from+offset(at), data) })
	if t.text.end > t.text.size {
		b.data = t.text.bytes()
		p.setValue(elf.DT_STRSZ, uint64(t.text.end))
		p.strings = b
	}
}

// placeStrings finds room for the string table if it grows: behind it, in another place, or in the
// place of the tables behind it.
func (p *patch) placeStrings() {
	b := p.strings
	if b == nil || p.isBusy(b) {
		return
	}
	more := b.size() - b.old.size()
	if !p.inOwn(b) && p.freeBehind(b.old.to, more) {
		p.claim(p.segmentOf(b.old.to), extent{b.old.from, b.old.to + offset(more)})
		p.growHere(b)
		return
	}
	if p.leave(b, false) || p.inOwn(b) || p.squeezeStrings(b) {
		return
	}
	p.leave(b, true)
}

// squeezeStrings makes room for the longer string table b among the tables around it: as few bytes as
// can be of those leave it, best of all for room that there is elsewhere. When a new segment is
// needed for them anyway, its program header is made room for too.
func (p *patch) squeezeStrings(b *block) bool {
	behind := p.residents(b.old.from)
	if p.squeeze(behind, b.old.from, p.settleAll) || p.squeezeAround(b) {
		return true
	}
	if p.own < 0 && p.redundantHeader() < 0 {
		p.releaseVacated()
		end := p.headerTable().to
		all := p.residents(end)
		if slices.ContainsFunc(all, func(r resident) bool { return r.block == b }) {
			return p.squeeze(all, end+offset(p.layout().phdr), p.waitAll)
		}
	}
	return p.squeeze(behind, b.old.from, p.waitAll)
}

// squeezeAround makes room for the longer string table b among the tables before it too, if those that
// leave find room.
func (p *patch) squeezeAround(b *block) bool {
	end := p.headerTable().to
	all := p.residents(end)
	i := slices.IndexFunc(all, func(r resident) bool { return r.block == b })
	if i < 0 || !p.sectioned() {
		return false
	}
	return p.squeeze(all, all[0].old.from, p.settleAll)
}

// waitAll makes blocks wait for placeBlocks.
func (p *patch) waitAll(blocks []*block) bool {
	p.blocks = append(p.blocks, blocks...)
	return true
}

// leave finds another place for b and clears the old one. What finds none leaves only if it must;
// that, and what an earlier edit appended, waits for placeBlocks.
func (p *patch) leave(b *block, must bool) bool {
	found := !p.inOwn(b) && p.settleAll([]*block{b})
	if found || must || p.inOwn(b) {
		p.busy(b)
		p.clear(b.old)
		p.vacated = append(p.vacated, b.old)
	}
	return found
}

// clear writes zeros over a range.
func (p *patch) clear(e extent) { p.img.write(e.from, make([]byte, e.size())) }

// stringBlock is the string table as it is; empty when there is none.
func (p *patch) stringBlock() *block {
	at, _ := p.dyn.value(elf.DT_STRTAB)
	size, _ := p.dyn.value(elf.DT_STRSZ)
	off, err := p.offset(vaddr(at), int64(min(size, uint64(p.size))))
	if err != nil || size > uint64(p.size) {
		off, size = 0, 0
	}
	old := extent{off, off + offset(size)}
	return &block{tag: elf.DT_STRTAB, section: p.sectionAt(vaddr(at), elf.SHT_STRTAB), old: old, align: 1}
}

// growHere writes what the string table has more than before, which stays where it is.
func (p *patch) growHere(b *block) {
	at, _ := p.dyn.value(b.tag)
	p.img.write(b.old.to, b.data[b.old.size():])
	p.point(b, b.old.from, vaddr(at))
	b.placed = true
	p.busy(b)
}

// settleAll places all blocks in free ranges of read-only segments, or none. They are among p.blocks
// then.
func (p *patch) settleAll(blocks []*block) bool {
	used, segs := slices.Clone(p.used), slices.Clone(p.segs)
	places := make([]offset, len(blocks))
	for i, b := range blocks {
		off, segment, ok := p.find(b.size(), b.align)
		if !ok || b.written {
			p.used, p.segs = used, segs
			return false
		}
		p.claim(segment, extent{off, off + offset(b.size())})
		places[i] = off
	}
	for i, b := range blocks {
		p.move(b, places[i])
		p.busy(b)
	}
	return true
}

// busy notes that b is no longer where it was, or not as it was.
func (p *patch) busy(b *block) {
	if !p.isBusy(b) {
		p.blocks = append(p.blocks, b)
	}
}

func (p *patch) isBusy(b *block) bool {
	return slices.ContainsFunc(p.blocks, func(o *block) bool { return o.tag == b.tag })
}

// move writes b at off, which some segment covers.
func (p *patch) move(b *block, off offset) {
	s := p.segs[p.segmentOf(off+1)]
	p.img.write(off, b.data)
	p.point(b, off, vaddr(s.Vaddr+uint64(off)-s.Off))
	b.placed = true
}

// point makes the headers say where b is.
func (p *patch) point(b *block, off offset, addr vaddr) {
	if b.section >= 0 {
		s := &p.sections[b.section]
		s.off, s.addr, s.size = off, addr, uint64(b.size())
	}
	switch b.tag {
	case theDynamic:
		p.pointDynamic(b, off, addr)
		return
	case theCache:
		p.pointCache(b, off, addr)
		return
	case 0:
	default:
		p.setValue(b.tag, uint64(addr))
		return
	}
	for i := range p.segs {
		if s := &p.segs[i]; s.Type == elf.PT_INTERP {
			s.Off, s.Vaddr, s.Paddr = uint64(off), uint64(addr), uint64(addr)
			s.Filesz, s.Memsz = uint64(b.size()), uint64(b.size())
		}
	}
}
