package elfpatch

import (
	"bytes"
	"debug/elf"
	"slices"
)

// A resolution cache is a note that says where each needed name is found, for a loader that reads it
// before it looks along the run path (patchelf 0.19, --build-resolution-cache). It is true only of the
// needed names and the run path that it was made for.
const (
	cacheOwner   = "NixOS"
	cacheType    = 0x63a86cb6
	cacheSection = ".note.nixos.ldcache"
)

// theCache stands for a tag in the block of the note, which none leads to.
const theCache = elf.DynTag(-3)

// Cache is the resolution cache of the file: for each needed name the name and a list of places, each
// ending in NUL, and a NUL at last; "" when there is none.
func (i *Info) Cache() string {
	if n := cacheNote(i.Notes); n != nil {
		return string(n.Desc)
	}
	return ""
}

func cacheNote(notes []Note) *Note {
	for i := range notes {
		if n := &notes[i]; n.Name == cacheOwner && n.Type == cacheType {
			return n
		}
	}
	return nil
}

// applyCache makes the cache of out what it shall be: a new one, or none where what it was made for
// changes.
func (e *Edit) applyCache(in, out *Info) {
	_, listed := in.SearchList()
	_, lists := out.SearchList()
	stale := listed != lists || in.RunPath != out.RunPath || in.RPath != out.RPath || !slices.Equal(in.Needed, out.Needed)
	if e.Cache == "" && !stale {
		return
	}
	out.Notes = slices.DeleteFunc(slices.Clone(in.Notes), func(n Note) bool { return n.Name == cacheOwner && n.Type == cacheType })
	if e.Cache != "" {
		out.Notes = append(out.Notes, Note{Name: cacheOwner, Type: cacheType, Desc: []byte(e.Cache)})
	}
}

// placeCache takes the old note out and makes the new one wait for a place.
func (p *patch) placeCache() error {
	if p.in.Cache() == p.want.Cache() {
		return nil
	}
	if p.in.Cache() != "" {
		if err := p.dropCache(); err != nil {
			return err
		}
	}
	if p.want.Cache() == "" {
		return nil
	}
	if err := p.freeHeader(); err != nil {
		return err
	}
	p.segs[p.nullHeader()] = Segment{Type: elf.PT_NOTE, Flags: elf.PF_R, Align: 4}
	b := &block{tag: theCache, section: p.addCacheSection(), align: 4, data: p.encodeCache(p.want.Cache())}
	if !p.settleAll([]*block{b}) {
		p.blocks = append(p.blocks, b)
	}
	return nil
}

// encodeCache is the note of a cache (gABI 5, "Note Section").
func (h *header) encodeCache(desc string) []byte {
	b := h.u32(nil, uint32(len(cacheOwner)+1), uint32(len(desc)), cacheType)
	b = append(b, cacheOwner+"\x00\x00\x00"+desc...)
	return append(b, make([]byte, -len(b)&3)...)
}

// cacheBlock is the note as it is; nil when there is none, or other notes share its header.
func (p *patch) cacheBlock() *block {
	note := cacheNote(p.in.Notes)
	if note == nil {
		return nil
	}
	size := uint64(len(p.encodeCache(string(note.Desc))))
	for _, s := range p.file.segments {
		if s.Type == elf.PT_NOTE && s.Off == note.Off && s.Filesz == size {
			old := extent{offset(s.Off), offset(s.Off + s.Filesz)}
			return &block{tag: theCache, section: p.sectionAt(vaddr(s.Vaddr), elf.SHT_NOTE), old: old, align: 4}
		}
	}
	return nil
}

// dropCache clears the note, its program header and its section header. The section header stays, as
// one of no section, so that the others keep their numbers.
func (p *patch) dropCache() error {
	b := p.cacheBlock()
	if b == nil {
		return unsupported("the resolution cache shares its PT_NOTE with other notes, so it cannot be taken out")
	}
	p.clear(b.old)
	p.release(b.old)
	if i := p.cacheHeader(b.old); i >= 0 {
		p.segs[i] = Segment{}
	}
	if b.section >= 0 {
		p.sections[b.section] = section{}
	}
	p.relay = p.inOwn(b)
	return nil
}

// cacheHeader is the index of the PT_NOTE over a range, that of a note without a place yet being empty.
func (p *patch) cacheHeader(at extent) int {
	return slices.IndexFunc(p.segs, func(s Segment) bool {
		return s.Type == elf.PT_NOTE && offset(s.Off) == at.from && int64(s.Filesz) == at.size()
	})
}

// pointCache makes PT_NOTE say where the note is.
func (p *patch) pointCache(b *block, off offset, addr vaddr) {
	if i := p.cacheHeader(b.old); i >= 0 {
		s := &p.segs[i]
		s.Off, s.Vaddr, s.Paddr = uint64(off), uint64(addr), uint64(addr)
		s.Filesz, s.Memsz = uint64(b.size()), uint64(b.size())
	}
}

// addCacheSection gives the note a section header: one of no section, or a new one behind the others,
// whose numbers debug files name. It is -1 where there are none.
func (p *patch) addCacheSection() int {
	if len(p.sections) == 0 {
		return -1
	}
	s := section{typ: uint32(elf.SHT_NOTE), flags: uint64(elf.SHF_ALLOC), addralign: 4}
	for i := 1; i < len(p.sections); i++ {
		if p.sections[i] == (section{}) {
			p.sections[i] = s
			return i
		}
	}
	p.sections = append(p.sections, s)
	return len(p.sections) - 1
}

// nameCacheSection gives the section header of the note its name, and where the names or the headers
// grow for it lays both out behind all else.
func (p *patch) nameCacheSection() error {
	i := slices.IndexFunc(p.sections, func(s section) bool {
		return elf.SectionType(s.typ) == elf.SHT_NOTE && s.name == 0 && elf.SectionFlag(s.flags)&elf.SHF_ALLOC != 0
	})
	if i < 0 || p.want.Cache() == "" || p.in.Cache() == p.want.Cache() {
		return nil
	}
	if p.shstrndx <= 0 || p.shstrndx >= len(p.sections) || len(p.sections) >= int(elf.SHN_LORESERVE) {
		return unsupported("the section headers have no table of names that could take another")
	}
	names := &p.sections[p.shstrndx]
	table, err := p.read(names.off, int64(min(names.size, uint64(p.size)+1)))
	if err != nil {
		return damage(names.off, "section names", err)
	}
	at := bytes.Index(table, []byte("\x00"+cacheSection+"\x00")) + 1
	if at == 0 {
		at = len(table)
		p.clear(extent{names.off, names.off + offset(len(table))})
		table = append(slices.Clone(table), cacheSection+"\x00"...)
		if names.off, err = p.appendLoose(table); err != nil {
			return err
		}
		names.size = uint64(len(table))
	}
	p.sections[i].name = uint32(at)
	if len(p.sections) > p.shnum {
		return p.moveSections()
	}
	return nil
}

// appendLoose adds bytes that nothing maps to the end of the image and returns where they are.
func (p *patch) appendLoose(b []byte) (offset, error) {
	off, err := p.imageEnd(-1)
	if err == nil {
		p.extend(uint64(off), b)
	}
	return off, err
}

// moveSections lays the section headers out behind all else.
func (p *patch) moveSections() error {
	p.clear(extent{p.shoff, p.shoff + offset(int64(p.shnum)*p.layout().shdr)})
	var table []byte
	for _, s := range p.sections {
		table = append(table, p.encodeSection(s)...)
	}
	at, err := p.appendLoose(table)
	if err != nil {
		return err
	}
	count := offset(60)
	if p.class == elf.ELFCLASS32 {
		count = 48
	}
	p.writeSectionsPlace(at)
	n := make([]byte, 2)
	p.order.PutUint16(n, uint16(len(p.sections)))
	p.img.write(count, n)
	return nil
}
