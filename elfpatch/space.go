package elfpatch

import (
	"bytes"
	"cmp"
	"debug/elf"
	"slices"
)

// extent is a range of the file, to excluded.
type extent struct{ from, to offset }

func (e extent) size() int64 { return int64(e.to - e.from) }

// usedRanges lists what headers, segments and sections say they use of the file. Where no section
// describes the string table there is no telling which bytes of a PT_LOAD are free: all are used.
func (p *patch) usedRanges() []extent {
	used := []extent{{0, offset(p.layout().ehdr)}, p.headerTable()}
	add := func(from offset, size uint64) {
		if size > 0 && from >= 0 && size <= uint64(p.size) {
			used = append(used, extent{from, from + offset(size)})
		}
	}
	for _, s := range p.segments {
		switch s.Type {
		case elf.PT_NULL, elf.PT_GNU_RELRO, elf.PT_GNU_STACK:
		case elf.PT_LOAD:
			if !p.sectioned() {
				add(offset(s.Off), s.Filesz)
			}
		default:
			add(offset(s.Off), s.Filesz)
		}
	}
	for _, s := range p.sections {
		if t := elf.SectionType(s.typ); t != elf.SHT_NULL && t != elf.SHT_NOBITS {
			add(s.off, s.size)
		}
	}
	if p.sections != nil {
		add(p.shoff, uint64(int64(p.shnum)*p.layout().shdr))
	}
	return sorted(used)
}

// headerTable is where the program headers stand.
func (p *patch) headerTable() extent {
	return extent{p.phoff, p.phoff + offset(int64(len(p.segs))*p.layout().phdr)}
}

// sectioned reports whether there are section headers that describe what the loader reads.
func (p *patch) sectioned() bool {
	at, _ := p.dyn.value(elf.DT_STRTAB)
	return p.sectionAt(vaddr(at), elf.SHT_STRTAB) >= 0
}

func sorted(list []extent) []extent {
	slices.SortFunc(list, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	return list
}

// minPage is the smallest page size of any machine.
const minPage = 4096

// pageAlign is the largest page size the file is made for: that of its segments, and never less
// than the machine's kernels may use (64 KiB for Arm and AArch64).
func (p *patch) pageAlign() uint64 {
	align := max(p.in.MaxAlign(), minPage)
	if p.machine == elf.EM_ARM || p.machine == elf.EM_AARCH64 {
		align = max(align, 1<<16)
	}
	return align
}

// gaps lists the unused ranges of segment i, in file order. It is read-only, or the linker put the
// string table into one that is not. The last one may reach behind
// the segment's end: to the end of a page that belongs to no other segment, as far as nothing uses
// the file there.
// The segment of an earlier edit has none: it is laid out anew as a whole.
func (p *patch) gaps(i int) []extent {
	s := p.segs[i]
	if s.Type != elf.PT_LOAD || s.Flags&elf.PF_W != 0 && !p.hasStrings(s) || s.Filesz != s.Memsz || s.Filesz == 0 || i == p.own {
		return nil
	}
	end := min(p.size, int64(s.Off)+p.reach(i))
	used := append(slices.Clone(p.used), p.reserved)
	for j, o := range p.segs {
		if o.Type == elf.PT_LOAD && j != i && o.Filesz > 0 {
			used = append(used, extent{offset(o.Off), offset(o.Off + o.Filesz)})
		}
	}
	var gaps []extent
	at := offset(s.Off)
	for _, u := range append(sorted(used), extent{offset(end), offset(end)}) {
		if at > offset(s.Off+s.Filesz) {
			break // what comes now is another's
		}
		if u.to <= at {
			continue
		}
		if to := min(u.from, offset(end)); to > at {
			gaps = append(gaps, extent{at, to})
		}
		at = u.to
	}
	return gaps
}

// hasStrings reports whether the string table is in a segment.
func (p *patch) hasStrings(s Segment) bool {
	at, ok := p.dyn.value(elf.DT_STRTAB)
	return ok && s.Vaddr <= at && at-s.Vaddr < s.Filesz
}

// reach is how many bytes segment i may have before its last page is another's. Pages are those of
// the largest size at which the two do not share one already: on larger ones the file cannot run.
func (p *patch) reach(i int) int64 {
	s := p.segs[i]
	reach := uint64(p.size)
	for _, o := range p.segs {
		if o.Type != elf.PT_LOAD || o.Vaddr <= s.Vaddr {
			continue
		}
		page := p.pageAlign()
		for page > max(p.in.MaxAlign(), minPage) && o.Vaddr&^(page-1) < s.Vaddr+s.Memsz {
			page /= 2
		}
		reach = min(reach, max(o.Vaddr&^(page-1), s.Vaddr)-s.Vaddr)
	}
	return int64(max(reach, s.Filesz))
}

// segmentOf returns the index of the PT_LOAD whose file range holds the byte before end, or -1.
func (p *patch) segmentOf(end offset) int {
	return slices.IndexFunc(p.segs, func(s Segment) bool {
		return s.Type == elf.PT_LOAD && offset(s.Off) < end && end <= offset(s.Off+s.Filesz)
	})
}

// freeBehind reports whether the n bytes at off, where something ends, are free to grow into.
func (p *patch) freeBehind(off offset, n int64) bool {
	i := p.segmentOf(off)
	if i < 0 {
		return false
	}
	for _, g := range p.gaps(i) {
		if g.from <= off && off+offset(n) <= g.to {
			return p.unused(off, n)
		}
	}
	return false
}

// unused reports whether the n bytes at off, which no header claims, look unused in the image too:
// all zero, or the filling that patchelf leaves in a place it vacated ('X' up to 0.14, then 'Z').
func (p *patch) unused(off offset, n int64) bool {
	if off < 0 || n < 0 || int64(off) > p.size || n > p.size-int64(off) {
		return false
	}
	b := make([]byte, n)
	return readFull(p.img, b, int64(off)) == nil && len(bytes.TrimLeft(b, "\x00XZ")) == 0
}

// find returns a free place for n bytes in a read-only segment, at the end of one before between
// the tables of one.
func (p *patch) find(n int64, align uint64) (off offset, segment int, ok bool) {
	for _, atEnd := range []bool{true, false} {
		for i, s := range p.segs {
			for _, g := range p.gaps(i) {
				if (g.to > offset(s.Off+s.Filesz)) != atEnd {
					continue
				}
				at := alignUp(s.Vaddr+uint64(g.from)-s.Off, align) - s.Vaddr + s.Off
				if at+uint64(n) <= uint64(g.to) && p.unused(offset(at), n) {
					return offset(at), i, true
				}
			}
		}
	}
	return 0, 0, false
}

// claim takes the range for segment i, which grows when the range reaches behind its end.
func (p *patch) claim(i int, e extent) {
	p.used = sorted(append(p.used, e))
	s := &p.segs[i]
	s.Filesz = max(s.Filesz, uint64(e.to)-s.Off)
	s.Memsz = s.Filesz
}

// release makes a range free that was in use.
func (p *patch) release(e extent) {
	var used []extent
	for _, u := range p.used {
		if u.from < e.from {
			used = append(used, extent{u.from, min(u.to, e.from)})
		}
		if u.to > e.to {
			used = append(used, extent{max(u.from, e.to), u.to})
		}
	}
	p.used = sorted(used)
}

// alignUp rounds v up to a multiple of align, a power of two.
func alignUp(v, align uint64) uint64 {
	return (v + align - 1) &^ (align - 1)
}
