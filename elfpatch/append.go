package elfpatch

import (
	"cmp"
	"debug/elf"
	"slices"
)

// placeBlocks puts what found no room into one read-only segment of its own: in a range of the file
// between segments that nothing uses, or at the end. When an earlier edit made one, it is laid out
// anew instead.
func (p *patch) placeBlocks() error {
	if len(p.homeless()) == 0 && !p.relay {
		return nil
	}
	blocks := p.homeless()
	if p.own >= 0 {
		blocks = append(p.ownBlocks(), blocks...)
		s := p.segs[p.own]
		p.clear(extent{offset(s.Off), offset(s.Off + s.Filesz)})
		p.release(extent{offset(s.Off), offset(s.Off + s.Filesz)})
		if len(blocks) == 0 {
			p.dropOwn()
			return nil
		}
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
	s, err := p.ownPlace(blocks)
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
	if s.Flags = elf.PF_R; slices.ContainsFunc(blocks, func(b *block) bool { return b.written }) {
		s.Flags |= elf.PF_W
	}
	if p.class == elf.ELFCLASS32 && (s.Vaddr+s.Memsz > 1<<32-1 || end > 1<<32-1) || s.Vaddr > 1<<63 {
		return unsupported("there is no address left behind the last segment")
	}
	if p.own >= 0 {
		p.segs[p.own] = Segment{}
	}
	p.insertSegment(s)
	p.layTail(s, blocks, places)
	return nil
}

// dropOwn takes out the segment of an earlier edit, which nothing needs any more.
func (p *patch) dropOwn() {
	if p.ownAtEnd() {
		p.img.kept = int64(p.segs[p.own].Off)
	}
	p.segs[p.own] = Segment{}
}

// homeless lists the blocks that wait for a place.
func (p *patch) homeless() []*block {
	return slices.DeleteFunc(slices.Clone(p.blocks), func(b *block) bool { return b.placed })
}

// layTail writes the segment: into the file, or what it covers behind the kept part of it is the tail.
func (p *patch) layTail(s Segment, blocks []*block, places []uint64) {
	if end := int64(s.Off + s.Filesz); end > p.img.kept || p.ownAtEnd() {
		p.img.kept, end = min(p.img.kept, int64(s.Off)), max(end, int64(p.img.moved.from)) // never down
		p.img.tail = make([]byte, end-p.img.kept)
	}
	for i, b := range blocks {
		p.put(offset(places[i]), b.data)
		p.point(b, offset(places[i]), vaddr(s.Vaddr+places[i]-s.Off))
		b.placed = true
	}
}

// put writes into the tail, or where the file is kept.
func (p *patch) put(off offset, b []byte) {
	if into := int64(off) - p.img.kept; into >= 0 {
		copy(p.img.tail[into:], b)
	} else {
		p.img.write(off, b)
	}
}

// ownAtEnd reports whether an earlier edit made a segment that ends the file.
func (p *patch) ownAtEnd() bool {
	return p.own >= 0 && int64(p.file.segments[p.own].Off+p.file.segments[p.own].Filesz) == p.size
}

// ownPlace says where the segment begins.
func (p *patch) ownPlace(blocks []*block) (Segment, error) {
	if p.ownAtEnd() {
		return p.segs[p.own], nil
	}
	off, ok := p.fileGap(blocks)
	if !ok {
		var err error
		if off, err = p.imageEnd(p.own); err != nil {
			return Segment{}, err
		}
	}
	return p.behindAll(off, p.own)
}

// behindAll is a segment at an offset. Its address is behind all others, but for one index, and
// congruent to the offset modulo the largest page, so no padding is needed (gABI 5, p_align).
func (p *patch) behindAll(off offset, but int) (Segment, error) {
	var top uint64
	for i, s := range p.segs {
		if s.Type == elf.PT_LOAD && i != but {
			top = max(top, s.Vaddr+s.Memsz)
		}
	}
	top += p.largestSymbol()
	page := p.pageAlign()
	if page > maxAlign {
		return Segment{}, unsupported("the file must grow, and its segments are aligned to %d bytes", page)
	}
	s := Segment{Type: elf.PT_LOAD, Off: uint64(off), Align: page}
	s.Vaddr = alignUp(top, page) + s.Off%page
	s.Paddr = s.Vaddr
	return s, nil
}

// fileGap finds the smallest range between segments that nothing uses and that holds the blocks: what
// the linker left to bring the next segment to its place in a page.
func (p *patch) fileGap(blocks []*block) (offset, bool) {
	need := int64(maxTableAlign)
	for _, b := range blocks {
		need += b.size() + int64(b.align)
	}
	used := slices.Clone(p.used)
	for i, s := range p.segs {
		if s.Type == elf.PT_LOAD && i != p.own {
			used = append(used, extent{offset(s.Off), offset(s.Off + s.Filesz)})
		}
	}
	if t := p.trailer(); t.size() > 0 {
		used = append(used, t)
	}
	best, at := extent{}, offset(0)
	for _, u := range sorted(used) {
		gap := extent{offset(alignUp(uint64(at), maxTableAlign)), u.from}
		if gap.size() >= need && (best.size() == 0 || gap.size() < best.size()) && p.unused(gap.from, need) {
			best = gap
		}
		at = max(at, u.to)
	}
	return best.from, best.size() > 0
}

// maxAlign bounds p_align: no machine has larger pages.
const maxAlign = 1 << 30

// ownSegment returns the index of the segment that an earlier edit appended, or -1: the last one,
// holding nothing but tables that can move, and read-only unless the dynamic section is in it.
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
	if s.Flags&^elf.PF_W != elf.PF_R || s.Filesz != s.Memsz || s.Filesz == 0 || !p.dyn.present {
		return -1
	}
	at, end := offset(s.Off), offset(s.Off+s.Filesz)
	if d := p.dynamicBlock(); s.Flags&elf.PF_W != 0 && (d.old.from < at || d.old.to > end || p.inRelro(p.dyn.addr)) {
		return -1
	}
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
	if p.dyn.present {
		all = append(all, p.dynamicBlock())
	}
	if b := p.cacheBlock(); b != nil {
		all = append(all, b)
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
		dropped := b.tag == theCache && p.in.Cache() != p.want.Cache()
		if dropped || p.isBusy(b) {
			continue
		}
		p.load(b)
		list = append(list, b)
	}
	return list
}
