package elfpatch

import (
	"cmp"
	"debug/elf"
	"slices"
)

// placeBlocks puts what found no room into one read-only segment at the end of the file. When an
// earlier edit appended one, it is laid out anew instead.
func (p *patch) placeBlocks() error {
	if len(p.homeless()) == 0 {
		return nil
	}
	blocks := p.homeless()
	if p.own >= 0 {
		blocks = append(p.ownBlocks(), blocks...)
	} else {
		if err := p.freeHeader(); err != nil {
			return err
		}
		for _, b := range p.homeless() {
			p.settleAll([]*block{b}) // perhaps where another left for the header
		}
		if blocks = p.homeless(); len(blocks) == 0 {
			p.dropHeader()
			return nil
		}
	}
	s, err := p.appendedSegment()
	if err != nil {
		return err
	}
	end := s.Off
	places := make([]uint64, len(blocks))
	for i, b := range blocks {
		places[i] = alignUp(end, b.align)
		end = places[i] + uint64(b.size())
	}
	s.Filesz, s.Memsz = end-s.Off, end-s.Off
	if p.class == elf.ELFCLASS32 && (s.Vaddr+s.Memsz > 1<<32-1 || end > 1<<32-1) || s.Vaddr > 1<<63 {
		return unsupported("there is no address left behind the last segment")
	}
	if p.own >= 0 {
		p.segs[p.own] = s
	} else {
		p.insertSegment(s)
	}
	p.layTail(s, blocks, places)
	return nil
}

// homeless lists the blocks that wait for a place.
func (p *patch) homeless() []*block {
	return slices.DeleteFunc(slices.Clone(p.blocks), func(b *block) bool { return b.placed })
}

// layTail writes the appended segment: what it covers behind the kept part of the file is the tail.
func (p *patch) layTail(s Segment, blocks []*block, places []uint64) {
	p.img.kept = min(p.size, int64(s.Off))
	p.img.tail = make([]byte, int64(s.Off+s.Filesz)-p.img.kept)
	for i, b := range blocks {
		copy(p.img.tail[int64(places[i])-p.img.kept:], b.data)
		p.point(b, offset(places[i]), vaddr(s.Vaddr+places[i]-s.Off))
		b.placed = true
	}
}

// appendedSegment says where the segment begins. Its offset is the end of the file; its address is
// behind all others and congruent to the offset modulo the largest page, so no padding is needed
// (gABI 5, p_align).
func (p *patch) appendedSegment() (Segment, error) {
	if p.own >= 0 && int64(p.segs[p.own].Off+p.segs[p.own].Filesz) == p.size {
		return p.segs[p.own], nil
	}
	if err := p.refuseTrailer(); err != nil {
		return Segment{}, err
	}
	var top uint64
	for i, s := range p.segs {
		if s.Type == elf.PT_LOAD && i != p.own {
			top = max(top, s.Vaddr+s.Memsz)
		}
	}
	page := p.pageAlign()
	if page > maxAlign {
		return Segment{}, unsupported("the file must grow, and its segments are aligned to %d bytes", page)
	}
	s := Segment{Type: elf.PT_LOAD, Flags: elf.PF_R, Off: alignUp(uint64(p.size), 16), Align: page}
	s.Vaddr = alignUp(top, page) + s.Off%page
	s.Paddr = s.Vaddr
	return s, nil
}

// maxAlign bounds p_align: no machine has larger pages.
const maxAlign = 1 << 30

// refuseTrailer refuses to append to a file that has bytes behind its ELF image, for who put them
// there looks for them at the end. Zeros are no payload.
func (p *patch) refuseTrailer() error {
	end := offset(0)
	for _, u := range p.used {
		end = max(end, u.to)
	}
	for _, s := range p.segs {
		if s.Type == elf.PT_LOAD {
			end = max(end, offset(s.Off+s.Filesz))
		}
	}
	if n := p.size - int64(end); n > minPage || n > 0 && !p.unused(end, n) {
		return unsupported("the file must grow, and %d bytes that are no part of the ELF image stand at its end", n)
	}
	return nil
}

// ownSegment returns the index of the segment that an earlier edit appended, or -1: the last one,
// read-only, and holding nothing but tables that can move.
func (p *patch) ownSegment() int {
	last, stub := -1, p.stubSegment()
	for i, s := range p.file.segments {
		if s.Type == elf.PT_LOAD && i != stub {
			last = i
		}
	}
	if last < 0 {
		return -1
	}
	s := p.file.segments[last]
	if s.Flags != elf.PF_R || s.Filesz != s.Memsz || s.Filesz == 0 || !p.dyn.present {
		return -1
	}
	at, end := offset(s.Off), offset(s.Off+s.Filesz)
	for _, b := range p.inside(at, end) {
		if b.old.from-at >= maxTableAlign {
			return -1
		}
		at = b.old.to
	}
	if at != end {
		return -1
	}
	return last
}

// inside lists all blocks of the input between two offsets, in file order.
func (p *patch) inside(from, to offset) []*block {
	all := p.tables()
	if b := p.stringBlock(); b.old.size() > 0 {
		all = append(all, b)
	}
	if p.segment(elf.PT_INTERP) != nil && !p.wantsStub() {
		all = append(all, p.interpBlock())
	}
	all = slices.DeleteFunc(all, func(b *block) bool { return b.old.from < from || b.old.to > to })
	slices.SortFunc(all, func(a, b *block) int { return cmp.Compare(a.old.from, b.old.from) })
	return all
}

// inOwn reports whether b stands in the segment of an earlier edit.
func (p *patch) inOwn(b *block) bool {
	if p.own < 0 {
		return false
	}
	s := p.file.segments[p.own]
	return offset(s.Off) <= b.old.from && b.old.to <= offset(s.Off+s.Filesz)
}

// ownBlocks lists what the segment of an earlier edit holds and this edit has not moved.
func (p *patch) ownBlocks() []*block {
	s := p.file.segments[p.own]
	var list []*block
	for _, b := range p.inside(offset(s.Off), offset(s.Off+s.Filesz)) {
		if slices.ContainsFunc(p.blocks, func(o *block) bool { return o.tag == b.tag }) {
			continue
		}
		b.data = make([]byte, b.old.size())
		if readFull(p.img, b.data, int64(b.old.from)) == nil {
			list = append(list, b)
			p.clear(b.old)
		}
	}
	return list
}
