package elfpatch

import (
	"debug/elf"
	"slices"
)

// insertSegment adds a PT_LOAD behind the last one, in the program header that freeHeader found.
func (p *patch) insertSegment(s Segment) {
	i := p.nullHeader()
	p.segs = slices.Delete(p.segs, i, i+1)
	at := 0
	for i, o := range p.segs {
		if o.Type == elf.PT_LOAD {
			at = i + 1
		}
	}
	p.segs = slices.Insert(p.segs, at, s)
}

// mendProperty has PT_GNU_PROPERTY lead to the property note again, which patchelf up to 0.14 moves without it: a
// program that gets a start stub would not be started. Where there is no such note the header goes.
func (p *patch) mendProperty() {
	i := p.headerOf(elf.PT_GNU_PROPERTY)
	if i < 0 || p.segs[i].Filesz > maxProperty {
		return
	}
	if ok, err := p.hasProperty(p.segs[i]); ok || err != nil {
		return
	}
	p.segs[i] = Segment{}
	for _, s := range p.segs {
		if s.Type != elf.PT_NOTE {
			continue
		}
		if ok, err := p.hasProperty(s); ok && err == nil {
			p.segs[i] = s
			p.segs[i].Type = elf.PT_GNU_PROPERTY
			return
		}
	}
}

func (p *patch) nullHeader() int { return p.headerOf(elf.PT_NULL) }

// freeHeader makes a program header PT_NULL, or adds one behind the table. The table itself never
// moves: before Linux 5.18 AT_PHDR was right only in the first segment, and strip and objcopy write it
// behind the ELF header wherever it was, and then what stands in its way somewhere else (binutils
// bfd/elf.c: assign_file_positions_for_load_sections, "lma adjusted"). So where no header is redundant and
// the build id begins within one header of the table's end, the build id makes room, in the first page.
func (p *patch) freeHeader() error {
	if i := p.redundantHeader(); i >= 0 {
		p.segs[i] = Segment{}
		return nil
	}
	p.releaseVacated()
	size := p.layout().phdr * int64(p.headers)
	end := p.headerTable().to
	if len(p.segs)+p.headers >= pnXNum || !p.freeBehind(end, size) && !p.makeRoom(end, size) && !p.shiftSections(end, size) {
		return errNoHeader
	}
	p.claim(p.segmentOf(end), extent{end, end + offset(size)})
	for i := range p.segs {
		if s := &p.segs[i]; s.Type == elf.PT_PHDR {
			s.Filesz, s.Memsz = s.Filesz+uint64(size), s.Memsz+uint64(size)
		}
	}
	p.segs = append(p.segs, make([]Segment, p.headers)...)
	return nil
}

// shiftSections frees n bytes at end by moving the section headers up, where Go puts them: right behind the
// program headers, in the first page, with room behind them.
func (p *patch) shiftSections(end offset, n int64) bool {
	old := extent{p.shoff, p.shoff + offset(int64(p.shnum)*p.layout().shdr)}
	if p.sections == nil || old.from < end || old.from >= end+offset(n) || !p.unused(end, int64(old.from-end)) {
		return false
	}
	by := offset(alignUp(uint64(end)+uint64(n)-uint64(old.from), uint64(p.layout().word)))
	if !p.freeBehind(old.to, int64(by)) {
		return false
	}
	p.claim(p.segmentOf(old.to), extent{old.to, old.to + by})
	p.release(extent{end, old.from + by})
	p.shift = by
	return true
}

var errNoHeader = unsupported("the file must grow, and no program header is free for the new segment")

// releaseVacated makes the places free that blocks left.
func (p *patch) releaseVacated() {
	for _, e := range p.vacated {
		p.release(e)
	}
}

// dropHeader takes back the program headers that freeHeader added when nothing needs them any more.
func (p *patch) dropHeader() {
	size := uint64(p.layout().phdr)
	for last := len(p.segs) - 1; last >= len(p.segments) && p.segs[last].Type == elf.PT_NULL; last-- {
		p.segs = p.segs[:last]
		for i := range p.segs {
			if s := &p.segs[i]; s.Type == elf.PT_PHDR {
				s.Filesz, s.Memsz = s.Filesz-size, s.Memsz-size
			}
		}
	}
}

// redundantHeader returns the index of a program header that nothing reads, or -1:
//   - PT_NULL;
//   - a PT_NOTE over the range of PT_GNU_PROPERTY or of another PT_NOTE: kernel and glibc read the
//     property by its own header (glibc sysdeps/x86/dl-prop.h, Linux fs/binfmt_elf.c);
//   - PT_INTERP without a path in a shared object;
//   - PT_PHDR in a shared object, where the loader finds the table by e_phoff in the first PT_LOAD
//     (glibc elf/dl-map-segments.h: _dl_map_segments), and in a program of fixed addresses, whose load
//     address is 0 without it (glibc elf/rtld.c: rtld_setup_main_map; musl ldso/dynlink.c: __dls3). A
//     position-independent program learns its load address by it.
func (p *patch) redundantHeader() int {
	if i := p.nullHeader(); i >= 0 {
		return i
	}
	for i, s := range p.segs {
		if s.Type == elf.PT_NOTE && p.noteRepeated(i) {
			return i
		}
	}
	if p.typ == elf.ET_EXEC {
		return p.headerOf(elf.PT_PHDR)
	}
	runs := p.entry != 0 && len(p.in.Needed) == 0 // mold gives every shared object an entry
	if p.in.Interp != "" || p.in.Stub != nil || runs || p.in.DynFlags1&elf.DF_1_PIE != 0 {
		return -1
	}
	if i := p.headerOf(elf.PT_INTERP); i >= 0 {
		return i
	}
	return p.headerOf(elf.PT_PHDR)
}

// headerOf returns the index of the first program header of a type, or -1.
func (p *patch) headerOf(typ elf.ProgType) int {
	return slices.IndexFunc(p.segs, func(s Segment) bool { return s.Type == typ })
}

// noteRepeated reports whether PT_NOTE i has the range of another header of notes.
func (p *patch) noteRepeated(i int) bool {
	for j, s := range p.segs {
		if j != i && isNotes(s) && s.Off == p.segs[i].Off && s.Filesz == p.segs[i].Filesz {
			return true
		}
	}
	return false
}
