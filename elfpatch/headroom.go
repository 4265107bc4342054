package elfpatch

import (
	"cmp"
	"debug/elf"
	"slices"
)

// A resident is what stands behind the program headers: a table that may leave, or notes and
// PT_INTERP, which are shifted so that they stay in the first page, where old loaders and core
// files look for them.
type resident struct {
	block *block // nil for notes
	old   extent
	align uint64
}

func (r *resident) stays() bool { return r.block == nil || r.block.tag == 0 }

// makeRoom frees n bytes at end, behind the program headers: tables behind them leave, and what
// stays is laid out anew in the range. It reports false, and changes nothing, when something stands
// there that it does not know.
func (p *patch) makeRoom(end offset, n int64) bool {
	list := p.residents(end)
	for k := 1; k <= len(list); k++ {
		places, ok := fitResidents(list[:k], end+offset(n), p.freeUpTo(list[k-1].old.to))
		if !ok {
			continue
		}
		p.moveResidents(list[:k], places)
		return true
	}
	return false
}

// fitResidents lays out what stays between from and to.
func fitResidents(list []resident, from, to offset) ([]offset, bool) {
	places := make([]offset, len(list))
	for i, r := range list {
		if r.stays() {
			places[i] = offset(alignUp(uint64(from), r.align))
			from = places[i] + r.old.to - r.old.from
		}
	}
	return places, from <= to
}

// residents lists what stands behind end without a gap, as far as it can move.
func (p *patch) residents(end offset) []resident {
	all := p.noteResidents()
	for _, b := range p.inside(end, offset(p.size)) {
		busy := slices.ContainsFunc(p.blocks, func(o *block) bool { return o.tag == b.tag })
		if !busy && b.tag != elf.DT_STRTAB && b.tag != theDynamic {
			all = append(all, resident{block: b, old: b.old, align: b.align})
		}
	}
	slices.SortFunc(all, func(a, b resident) int { return cmp.Compare(a.old.from, b.old.from) })
	first := p.segmentOf(end)
	var list []resident
	at := end
	for _, r := range all {
		if r.old.to <= end {
			continue
		}
		free := p.freeUpTo(at)
		if r.old.from < max(free, at) || !p.padding(free, r.old.from) || !p.unused(at, int64(r.old.from-at)) ||
			p.segmentOf(r.old.from+1) != first || p.segmentOf(r.old.to) != first {
			break
		}
		list, at = append(list, r), r.old.to
	}
	return list
}

// freeUpTo is where the free range that begins at at ends: at the first used byte, or at the end of
// the segment. Without section headers only what blocks left is known to be free.
func (p *patch) freeUpTo(at offset) offset {
	if !p.sectioned() {
		for _, e := range sorted(slices.Clone(p.vacated)) {
			if e.from >= at && p.padding(at, e.from) {
				at = e.to
			}
		}
		return at
	}
	next := offset(p.size)
	if i := p.segmentOf(at); i >= 0 {
		next = offset(p.segs[i].Off + p.segs[i].Filesz)
	}
	for _, u := range p.used {
		if u.to > at {
			next = min(next, u.from)
		}
	}
	return next
}

// padding reports whether there is nothing between two offsets but what aligns the second. Section
// headers say so exactly; without them it is less than the largest alignment of any table.
func (p *patch) padding(from, to offset) bool {
	return from == to || !p.sectioned() && to-from < maxTableAlign
}

// maxTableAlign is the largest alignment of a table that the loader reads.
const maxTableAlign = 16

// noteResidents lists the ranges of PT_NOTE and PT_GNU_PROPERTY; overlapping ones are one.
func (p *patch) noteResidents() []resident {
	var list []resident
	for _, s := range p.segs {
		if !isNotes(s) || s.Filesz == 0 || s.Filesz > maxNotes || s.Align > minPage || s.Align&(s.Align-1) != 0 {
			continue
		}
		if off, err := p.offset(vaddr(s.Vaddr), int64(s.Filesz)); err != nil || uint64(off) != s.Off {
			continue
		}
		list = append(list, resident{old: extent{offset(s.Off), offset(s.Off + s.Filesz)}, align: max(s.Align, 4)})
	}
	slices.SortFunc(list, func(a, b resident) int { return cmp.Compare(a.old.from, b.old.from) })
	merged := list[:0]
	for _, r := range list {
		if n := len(merged); n > 0 && r.old.from < merged[n-1].old.to {
			last := &merged[n-1]
			last.old.to, last.align = max(last.old.to, r.old.to), max(last.align, r.align)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

func isNotes(s Segment) bool { return s.Type == elf.PT_NOTE || s.Type == elf.PT_GNU_PROPERTY }

// moveResidents shifts what stays to its place and makes the rest wait for one.
func (p *patch) moveResidents(list []resident, places []offset) {
	stay := make([]*block, len(list))
	for i, r := range list {
		if r.stays() {
			stay[i] = &block{data: make([]byte, r.old.size())}
			_ = readFull(p.img, stay[i].data, int64(r.old.from))
		} else {
			p.blocks = append(p.blocks, r.block)
		}
	}
	for _, r := range list {
		p.clear(r.old)
		p.release(r.old)
	}
	for i, r := range list {
		if !r.stays() {
			continue
		}
		to := extent{places[i], places[i] + offset(r.old.size())}
		p.img.write(to.from, stay[i].data)
		p.claim(p.segmentOf(to.to), to)
		if r.block != nil {
			s := p.segment(elf.PT_INTERP)
			r.block.data = stay[i].data
			p.point(r.block, to.from, vaddr(s.Vaddr+uint64(to.from-r.old.from)))
		} else {
			p.shiftNotes(r.old, to.from-r.old.from)
		}
	}
}

// shiftNotes makes headers, sections and symbols follow the notes of a range.
func (p *patch) shiftNotes(old extent, by offset) {
	within := func(off offset) bool { return old.from <= off && off < old.to }
	for i := range p.segs {
		if s := &p.segs[i]; isNotes(*s) && within(offset(s.Off)) {
			s.Off, s.Vaddr, s.Paddr = s.Off+uint64(by), s.Vaddr+uint64(by), s.Paddr+uint64(by)
		}
	}
	for i := range p.sections {
		if s := &p.sections[i]; elf.SectionType(s.typ) == elf.SHT_NOTE && within(s.off) {
			s.off, s.addr = s.off+by, s.addr+vaddr(by)
		}
	}
}
