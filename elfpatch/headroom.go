package elfpatch

import (
	"cmp"
	"debug/elf"
	"slices"
)

// A resident is what stands in a range that is laid out anew: a table, or notes, which never leave it,
// since old loaders and core files look for them in the first page. PT_INTERP leaves it only if the notes
// can stay where they are for it, or nothing else makes room.
type resident struct {
	block *block // nil for notes
	old   extent
	size  int64 // what it will have
	align uint64
}

func (r *resident) isNotes() bool  { return r.block == nil }
func (r *resident) isInterp() bool { return r.block != nil && r.block.tag == 0 }

// maxResidents bounds how many are weighed against each other.
const maxResidents = 10

// makeRoom frees n bytes at end, behind the program headers. It reports false, and changes nothing,
// when something stands there that it does not know.
func (p *patch) makeRoom(end offset, n int64) bool {
	return p.squeeze(p.residents(end), end+offset(n), p.waitAll)
}

// squeeze lays residents out between from and the end of the last one. Where they do not fit, those
// with the fewest bytes that place accepts leave. Notes move only where nothing else helps: debug files
// know the address of the build id. It reports false, and changes nothing, when there is no way.
func (p *patch) squeeze(list []resident, from offset, place func([]*block) bool) bool {
	list = list[:min(len(list), maxResidents)]
	if len(list) == 0 {
		return false
	}
	end := p.freeUpTo(list[len(list)-1].old.to)
	try := func(leaves uint, notesMove bool) bool {
		places, ok := fitResidents(list, leaves, from, end)
		if !ok || !notesMove && movesNotes(list, places) {
			return false
		}
		p.reserved = extent{from, end}
		gone := leaving(list, leaves)
		placed := len(gone) == 0 || place(gone)
		p.reserved = extent{}
		if placed {
			p.moveResidents(list, leaves, places)
		}
		return placed
	}
	for _, may := range []struct{ interpLeave, notesMove bool }{{}, {interpLeave: true}, {notesMove: true}, {true, true}} {
		for _, leaves := range byWeight(list, may.interpLeave) {
			if try(leaves, may.notesMove) {
				return true
			}
		}
	}
	return false
}

// leaving lists the blocks of a set.
func leaving(list []resident, leaves uint) (gone []*block) {
	for i, r := range list {
		if leaves&(1<<i) != 0 {
			gone = append(gone, r.block)
		}
	}
	return gone
}

// movesNotes reports whether notes would have another place.
func movesNotes(list []resident, places []offset) bool {
	for i, r := range list {
		if r.isNotes() && places[i] != r.old.from {
			return true
		}
	}
	return false
}

// byWeight lists the sets of those that may leave, as bits, those with the fewest bytes first.
func byWeight(list []resident, interpLeaves bool) []uint {
	staying, weights := uint(0), make([]int64, 1<<len(list))
	for i, r := range list {
		if r.isNotes() || r.isInterp() && !interpLeaves {
			staying |= 1 << i
		}
		for set := range weights {
			if set&(1<<i) != 0 {
				weights[set] += r.size
			}
		}
	}
	var sets []uint
	for set := range uint(len(weights)) {
		if set&staying == 0 {
			sets = append(sets, set)
		}
	}
	slices.SortStableFunc(sets, func(a, b uint) int { return cmp.Compare(weights[a], weights[b]) })
	return sets
}

// fitResidents lays out between from and to what does not leave, each at its old place if it can stay
// there, else as near to it as can be. What moves keeps its remainder modulo its alignment, for it may
// hold notes of which a later one is aligned more than the first.
func fitResidents(list []resident, leaves uint, from, to offset) ([]offset, bool) {
	latest, places := make([]offset, len(list)), make([]offset, len(list))
	for i, r := range slices.Backward(list) {
		if leaves&(1<<i) == 0 {
			to -= offset(r.size)
			to -= (to - r.old.from) & (offset(r.align) - 1)
			latest[i] = to
		}
	}
	for i, r := range list {
		if leaves&(1<<i) != 0 {
			continue
		}
		from += (r.old.from - from) & (offset(r.align) - 1)
		if from > latest[i] {
			return nil, false
		}
		places[i] = max(from, min(r.old.from, latest[i]))
		from = places[i] + offset(r.size)
	}
	return places, true
}

// residents lists what stands at end and behind it without a gap, as far as it can move. A string table that
// grows and has no place yet is as long as it will be.
func (p *patch) residents(end offset) []resident {
	all := p.noteResidents()
	for _, b := range p.inside(end, offset(p.size)) {
		switch {
		case p.isBusy(b) && !p.stands(b) || b.tag == theDynamic || b.tag == theCache || p.inOwn(b):
			continue
		case p.strings != nil && b.tag == p.strings.tag:
			b = p.strings
		default:
			p.load(b)
		}
		all = append(all, resident{block: b, old: b.old, size: b.size(), align: b.align})
	}
	slices.SortFunc(all, func(a, b resident) int { return cmp.Compare(a.old.from, b.old.from) })
	first := p.segmentOf(end + 1)
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
// headers say so exactly; without them it is less than the largest alignment of any table, or behind the
// program headers the place that PT_INTERP left. That nothing but zeros stands there is asked elsewhere.
func (p *patch) padding(from, to offset) bool {
	if from == to || p.sectioned() {
		return from == to
	}
	left := from == p.headerTable().to && (p.in.Interp != "" || p.in.Stub != nil)
	return to-from < maxTableAlign || left && to-from <= maxInterpPlace
}

// maxInterpPlace bounds what is taken for a place that PT_INTERP left, bytes.
const maxInterpPlace = 256

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
		list = append(list, resident{
			old: extent{offset(s.Off), offset(s.Off + s.Filesz)}, size: int64(s.Filesz), align: max(s.Align, 4),
		})
	}
	slices.SortFunc(list, func(a, b resident) int { return cmp.Compare(a.old.from, b.old.from) })
	merged := list[:0]
	for _, r := range list {
		if n := len(merged); n > 0 && r.old.from < merged[n-1].old.to {
			last := &merged[n-1]
			last.old.to, last.align = max(last.old.to, r.old.to), max(last.align, r.align)
			last.size = last.old.size()
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

func isNotes(s Segment) bool { return s.Type == elf.PT_NOTE || s.Type == elf.PT_GNU_PROPERTY }

// moveResidents moves what stays to its place; what leaves is only cleared here.
func (p *patch) moveResidents(list []resident, leaves uint, places []offset) {
	notes := make([]*block, len(list))
	for i, r := range list {
		if r.block == nil {
			notes[i] = &block{old: r.old}
			p.load(notes[i])
		}
	}
	p.release(extent{p.startOf(list), list[len(list)-1].old.to}) // with what aligned them
	var shifts []shift
	for i, r := range list {
		if leaves&(1<<i) != 0 || places[i] != r.old.from {
			p.clear(r.old)
		}
	}
	for i, r := range list {
		if leaves&(1<<i) != 0 {
			continue
		}
		to := extent{places[i], places[i] + offset(r.size)}
		p.claim(p.segmentOf(r.old.to), to)
		switch {
		case r.block == nil:
			p.img.write(to.from, notes[i].data)
			shifts = append(shifts, shift{r.old, to.from - r.old.from})
		case to.from != r.old.from:
			p.move(r.block, to.from)
			p.busy(r.block)
		case r.size != r.old.size():
			p.growHere(r.block)
		}
	}
	p.shiftNotes(shifts)
}

// startOf is where the range begins in which residents stand, behind the program headers perhaps.
func (p *patch) startOf(list []resident) offset {
	first, table := list[0].old.from, p.headerTable().to
	if table <= first && p.padding(table, first) {
		return table
	}
	return first
}

// stands reports whether b is PT_INTERP and has a place, which may be a new one.
func (p *patch) stands(b *block) bool {
	return b.tag == 0 && !slices.ContainsFunc(p.homeless(), func(o *block) bool { return o.tag == 0 })
}

// load reads what the plan has made of b where it was.
func (p *patch) load(b *block) {
	b.data = make([]byte, b.old.size())
	_ = readFull(p.img, b.data, int64(b.old.from))
}

// A shift moves what stands in a range.
type shift struct {
	old extent
	by  offset
}

// shiftNotes makes headers, sections and symbols follow notes, each once: one may go to where another was.
func (p *patch) shiftNotes(shifts []shift) {
	by := func(off offset) offset {
		for _, s := range shifts {
			if s.old.from <= off && off < s.old.to {
				return s.by
			}
		}
		return 0
	}
	for i := range p.segs {
		if s := &p.segs[i]; isNotes(*s) {
			n := uint64(by(offset(s.Off)))
			s.Off, s.Vaddr, s.Paddr = s.Off+n, s.Vaddr+n, s.Paddr+n
		}
	}
	for i := range p.sections {
		if s := &p.sections[i]; elf.SectionType(s.typ) == elf.SHT_NOTE {
			n := by(s.off)
			s.off, s.addr = s.off+n, s.addr+vaddr(n)
		}
	}
}
