package elfpatch

import (
	"debug/elf"
	"io"
	"slices"
	"sort"
)

// Place is what an offset of an ELF file is in.
type Place struct {
	Section string // the name of the section, where there are section headers
	Mapped  bool   // it is in a PT_LOAD: the program has it in memory
	Symbol  string // the smallest symbol that covers it, of .symtab or, in a stripped file, of .dynsym
	Use     Use
}

// Use is what the kernel or the loader reads the text at a place for.
type Use string

// What a place is read for.
const (
	UseNone    Use = ""         // nothing
	UseInterp  Use = "interp"   // PT_INTERP
	UseNeeded  Use = "needed"   // DT_NEEDED, or one of DT_FILTER, DT_AUXILIARY, DT_AUDIT and DT_DEPAUDIT
	UseSoname  Use = "soname"   // DT_SONAME
	UseRunPath Use = "run-path" // DT_RUNPATH or DT_RPATH
	// UseDead is a text in the dynamic string table that no entry of the dynamic section names: what an
	// earlier edit has left, or a part of a symbol's name. The loader opens neither.
	UseDead Use = "dead"
)

// ReadPlaces tells of offsets of the ELF file src of size bytes, which ascend, what they are in. Section
// headers and symbols that do not hold together are none; other errors are those of [Read]. Its memory does
// not grow with the file.
func ReadPlaces(src io.ReaderAt, size int64, offs []int64) ([]Place, error) {
	f, err := open(src, size)
	if err != nil {
		return nil, err
	}
	p := &places{file: f, offs: offs, list: make([]Place, len(offs)), left: maxPlaceWork}
	p.addrs = make([]placeAddr, 0, len(offs))
	sections := decodeSections(f.pager, &f.header)
	p.findMapped()
	p.findSections(sections)
	p.findUses()
	if err := p.findSymbols(sections); err != nil {
		return nil, err
	}
	return p.list, nil
}

// places is one run of ReadPlaces.
type places struct {
	*file
	offs  []int64
	list  []Place
	addrs []placeAddr // by address
	left  int         // how many more steps a file of overlapping ranges may cost
}

// placeAddr is the address of one of the places, and of the symbols that cover it the smallest so far.
type placeAddr struct {
	addr  uint64
	place int
	size  uint64 // 0 while there is none
	name  uint32
}

const (
	maxPlaceWork  = 1 << 26
	maxSymbolName = 4096 // bytes of a symbol's name that are read
)

// cover calls do with those of the places that are in n bytes of the file at off.
func (p *places) cover(off, n uint64, do func(i int)) {
	first := sort.Search(len(p.offs), func(i int) bool { return uint64(p.offs[i]) >= off })
	for i := first; i < len(p.offs) && uint64(p.offs[i])-off < n && p.left > 0; i++ {
		p.left--
		do(i)
	}
}

func (p *places) findMapped() {
	addr := make([]uint64, len(p.offs))
	for _, s := range p.segments {
		if s.Type == elf.PT_LOAD {
			p.cover(s.Off, s.Filesz, func(i int) {
				p.list[i].Mapped, addr[i] = true, s.Vaddr+(uint64(p.offs[i])-s.Off)
			})
		}
	}
	for i, place := range p.list {
		if place.Mapped {
			p.addrs = append(p.addrs, placeAddr{addr: addr[i], place: i})
		}
	}
	slices.SortStableFunc(p.addrs, func(a, b placeAddr) int {
		if a.addr < b.addr {
			return -1
		}
		return min(1, int(min(a.addr-b.addr, 1)))
	})
}

func (p *places) findSections(sections []section) {
	names, err := p.sectionNames(sections)
	if err != nil {
		return
	}
	for _, s := range sections {
		if elf.SectionType(s.typ) == elf.SHT_NOBITS || s.typ == 0 || int64(s.name) >= int64(len(names)) {
			continue
		}
		name := ""
		p.cover(uint64(s.off), s.size, func(i int) {
			if name == "" {
				name = cString(names[s.name:])
			}
			p.list[i].Section = name
		})
	}
}

// findUses finds what is in PT_INTERP and in the dynamic string table. A string there ends at its NUL; the
// end of one may be the whole of another.
func (p *places) findUses() {
	if t := &p.dyn.strings; t.present && t.hasSize {
		n := min(t.size, uint64(p.size))
		if off, err := p.file.offset(t.addr, int64(n)); err == nil {
			p.findStrings(uint64(off), n)
		}
	}
	if s := p.segment(elf.PT_INTERP); s != nil {
		p.cover(s.Off, s.Filesz, func(i int) { p.list[i].Use = UseInterp })
	}
}

func (p *places) findStrings(off, n uint64) {
	inside := 0
	p.cover(off, n, func(i int) {
		p.list[i].Use = UseDead
		inside++
	})
	for _, e := range p.dyn.entries {
		use, ok := stringUse(e.tag)
		if !ok || inside == 0 || e.val >= n {
			continue
		}
		p.cover(off+e.val, uint64(p.stringLen(off+e.val, n-e.val)), func(i int) { p.list[i].Use = use })
	}
}

// stringLen is the length of the string at an offset, which has at most n bytes.
func (p *places) stringLen(off, n uint64) int {
	b, err := p.read(offset(off), int64(min(n, maxSearchList)))
	if err != nil {
		return 0
	}
	return len(cString(b))
}

// maxSearchList is how much of a string is looked at, bytes: run paths of nixpkgs have some 10,000.
const maxSearchList = 1 << 20

func stringUse(tag elf.DynTag) (Use, bool) {
	switch tag {
	case elf.DT_NEEDED, elf.DT_FILTER, elf.DT_AUXILIARY, dtAudit, dtDepAudit:
		return UseNeeded, true
	case elf.DT_SONAME:
		return UseSoname, true
	case elf.DT_RPATH, elf.DT_RUNPATH:
		return UseRunPath, true
	}
	return UseNone, false
}

// findSymbols names the smallest symbol that covers each place: of .symtab, or else of .dynsym.
func (p *places) findSymbols(sections []section) error {
	if len(p.addrs) == 0 {
		return nil
	}
	for _, typ := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
		for _, s := range sections {
			if elf.SectionType(s.typ) == typ && int64(s.link) < int64(len(sections)) {
				return p.readSymbols(s, sections[s.link])
			}
		}
	}
	return nil
}

// readSymbols looks through one symbol table, whose names are in another section.
func (p *places) readSymbols(table, names section) error {
	unit := p.layout().sym
	if table.off < 0 || int64(table.off) > p.size {
		return nil
	}
	n := int64(min(table.size, uint64(p.size-int64(table.off)))) / unit * unit
	err := p.chunks(table.off, n, unit, func(b []byte) error {
		for ; len(b) > 0; b = b[unit:] {
			p.addSymbol(b)
		}
		return nil
	})
	if err != nil {
		return damage(table.off, "symbol table", err)
	}
	for _, a := range p.addrs {
		if a.size > 0 && uint64(a.name) < names.size {
			n := min(names.size-uint64(a.name), maxSymbolName)
			at := names.off + offset(a.name)
			if b, err := p.read(at, min(int64(n), max(0, p.size-int64(at)))); err == nil {
				p.list[a.place].Symbol = cString(b)
			}
		}
	}
	return nil
}

// addSymbol notes one symbol for the places that it covers.
func (p *places) addSymbol(b []byte) {
	var s Symbol
	name := p.symbol(&s, b)
	switch {
	case !s.Defined() || s.Size == 0 || name == 0 || s.Section >= elf.SHN_LORESERVE && s.Section != elf.SHN_XINDEX:
		return
	case s.Type == elf.STT_TLS || s.Type == elf.STT_SECTION || s.Type == elf.STT_FILE:
		return
	}
	first := sort.Search(len(p.addrs), func(i int) bool { return p.addrs[i].addr >= s.Value })
	for i := first; i < len(p.addrs) && p.addrs[i].addr-s.Value < s.Size && p.left > 0; i++ {
		p.left--
		if a := &p.addrs[i]; a.size == 0 || s.Size < a.size {
			a.size, a.name = s.Size, name
		}
	}
}
