package elfpatch

import (
	"debug/elf"
	"slices"
)

// verPlan is what an edit does to the version tables.
type verPlan struct {
	old     []verNeedRecord // the DT_VERNEED records of the input
	kept    []verNeedRecord // those that stay
	names   []uint64        // string offsets that the version tables go on to use
	files   []verFile       // vn_file of each kept record, as it shall be
	dropped []uint16        // version indexes whose record goes
	pruned  bool            // a kept record wants fewer versions
}

// verFile is one vn_file: the string it shall name, and the one it names.
type verFile struct {
	text string
	val  uint64
}

// planVersions decides which records of DT_VERNEED stay and what their vn_file becomes: it must
// stay the name of a needed object (glibc elf/dl-version.c: _dl_check_map_versions). When no
// record stays, DT_VERNEED and DT_VERNEEDNUM go. A version that only symbols wanted which want none now
// goes too: the loader would ask for it all the same.
func (p *patch) planVersions(symbols *symbolPlan) (*verPlan, error) {
	records, err := p.verNeedRecords()
	if err != nil {
		return nil, err
	}
	unused, err := p.unusedVersions(symbols)
	if err != nil {
		return nil, err
	}
	v := &verPlan{old: records}
	p.want.VerNeeds = nil
	for _, r := range records {
		was := len(r.aux)
		if len(unused) > 0 {
			r = r.without(unused)
		}
		v.pruned = v.pruned || len(r.aux) < was
		if p.edit.dropsVersions(r.File, p.in.Needed) || len(r.aux) == 0 && was > 0 {
			for _, version := range r.Versions {
				v.dropped = append(v.dropped, version.Index)
			}
			continue
		}
		v.kept = append(v.kept, r)
		v.files = append(v.files, verFile{text: p.edit.renamed(r.File), val: r.file})
		p.want.VerNeeds = append(p.want.VerNeeds, VerNeed{File: p.edit.renamed(r.File), Versions: r.Versions})
		for _, aux := range r.aux {
			v.names = append(v.names, aux.name)
		}
	}
	if len(records) > 0 && len(v.kept) == 0 {
		p.dropVersionTags()
	}
	defs, err := p.verDefNames()
	v.names = append(v.names, defs...)
	return v, err
}

// dropVersionTags drops the tags of DT_VERNEED, and DT_VERSYM where no version is left that it could name:
// the loader has no list of versions then and looks into it all the same (glibc elf/do-rel.h:
// elf_dynamic_do_Rel, l_versions).
func (p *patch) dropVersionTags() {
	gone := []elf.DynTag{elf.DT_VERNEED, elf.DT_VERNEEDNUM}
	if _, defines := p.dyn.value(elf.DT_VERDEF); !defines {
		gone = append(gone, elf.DT_VERSYM)
	}
	p.entries = slices.DeleteFunc(p.entries, func(e entry) bool { return slices.Contains(gone, e.tag) })
	for i := range p.sections {
		s := &p.sections[i]
		needs := elf.SectionType(s.typ) == elf.SHT_GNU_VERNEED
		if needs || elf.SectionType(s.typ) == elf.SHT_GNU_VERSYM && len(gone) == 3 {
			s.typ, s.info = uint32(elf.SHT_PROGBITS), 0
			p.dropFromOwn(s)
		}
	}
}

// dropFromOwn makes a section of what an earlier edit appended empty, and that laid out anew.
func (p *patch) dropFromOwn(s *section) {
	if !p.inOwn(&block{old: extent{s.off, s.off + offset(min(s.size, uint64(p.size)))}}) {
		return
	}
	own := p.file.segments[p.own]
	s.off, s.addr, s.size, p.relay = offset(own.Off), vaddr(own.Vaddr), 0, true
}

// unusedVersions lists the version indexes that symbols whose version goes want, and no other symbol.
func (p *patch) unusedVersions(symbols *symbolPlan) (map[uint16]bool, error) {
	at, ok := p.dyn.value(elf.DT_VERSYM)
	if symbols == nil || len(symbols.cleared) == 0 || !ok {
		return nil, nil
	}
	versym, err := p.at(vaddr(at), 2*int64(symbols.count()))
	if err != nil {
		return nil, damage(p.dyn.off, "DT_VERSYM", err)
	}
	index := func(i int) uint16 { return p.order.Uint16(versym[2*i:]) &^ versymHidden }
	unused := map[uint16]bool{}
	for _, i := range symbols.cleared {
		unused[index(i)] = true
	}
	for i, cleared := 0, symbols.cleared; i < symbols.count(); i++ {
		if len(cleared) > 0 && cleared[0] == i { // they ascend
			cleared = cleared[1:]
			continue
		}
		delete(unused, index(i))
	}
	return unused, nil
}

// without is the record without the versions of some indexes.
func (r verNeedRecord) without(unused map[uint16]bool) verNeedRecord {
	all, aux := r.Versions, r.aux
	r.Versions, r.aux = nil, nil
	for i, v := range all {
		if !unused[v.Index] {
			r.Versions, r.aux = append(r.Versions, v), append(r.aux, aux[i])
		}
	}
	return r
}

// verDefNames lists the string offsets of all names in DT_VERDEF: each version's own and those of
// its predecessors.
func (f *file) verDefNames() ([]uint64, error) {
	at, ok := f.dyn.value(elf.DT_VERDEF)
	if !ok {
		return nil, nil
	}
	var names []uint64
	for range maxVersions {
		b, err := f.at(vaddr(at), verDefSize)
		if err != nil {
			return nil, f.verError("DT_VERDEF", err)
		}
		aux := at + uint64(f.order.Uint32(b[12:]))
		for range f.order.Uint16(b[6:]) {
			a, err := f.at(vaddr(aux), verDefAuxSize)
			if err != nil || len(names) > maxVersions {
				return nil, f.verError("DT_VERDEF", firstError(err, errTooMany))
			}
			names = append(names, uint64(f.order.Uint32(a)))
			next := f.order.Uint32(a[4:])
			if next == 0 {
				break
			}
			aux += uint64(next)
		}
		next := f.order.Uint32(b[16:])
		if next == 0 {
			return names, nil
		}
		at += uint64(next)
	}
	return nil, f.verError("DT_VERDEF", errTooMany)
}

// writeVersions links the kept records and names their files. The first record of the chain stays
// at its place, for DT_VERNEED names it: when it goes, the next kept one is written there.
func (p *patch) writeVersions(strings *strtab, v *verPlan) error {
	if len(v.kept) < len(v.old) {
		if err := p.clearVersyms(v.dropped); err != nil {
			return err
		}
		p.setVerNeedNum(len(v.kept))
	}
	place := func(i int) vaddr {
		if i == 0 {
			return v.old[0].addr
		}
		return v.kept[i].addr
	}
	for i, r := range v.kept {
		raw, err := p.at(r.addr, verNeedSize)
		if err != nil {
			return err
		}
		b := slices.Clone(raw)
		p.order.PutUint32(b[4:], uint32(strings.place[v.files[i].text]))
		p.order.PutUint32(b[8:], p.order.Uint32(b[8:])+uint32(r.addr-place(i)))
		p.order.PutUint32(b[12:], 0)
		if i+1 < len(v.kept) {
			p.order.PutUint32(b[12:], uint32(place(i+1)-place(i)))
		}
		if v.pruned {
			p.order.PutUint16(b[2:], uint16(len(r.aux)))
			p.order.PutUint32(b[8:], uint32(r.aux[0].addr-place(i)))
			if err := p.linkVersions(r.aux); err != nil {
				return err
			}
		}
		if err := p.writeAt(place(i), b); err != nil {
			return err
		}
	}
	return nil
}

// linkVersions makes each version of a record lead to the next (vna_next).
func (p *patch) linkVersions(aux []verNeedAux) error {
	for i, a := range aux {
		next := make([]byte, 4)
		if i+1 < len(aux) {
			p.order.PutUint32(next, uint32(aux[i+1].addr-a.addr))
		}
		const vnaNext = 12
		if err := p.writeAt(a.addr+vnaNext, next); err != nil {
			return err
		}
	}
	return nil
}

// setVerNeedNum says in the dynamic section and in the section header how many records there are.
func (p *patch) setVerNeedNum(n int) {
	p.setValue(elf.DT_VERNEEDNUM, uint64(n))
	at, _ := p.dyn.value(elf.DT_VERNEED)
	if i := p.sectionAt(vaddr(at), elf.SHT_GNU_VERNEED); i >= 0 {
		p.sections[i].info = uint32(n)
	}
}

// clearVersyms makes every symbol that wants a dropped version want none: VER_NDX_GLOBAL.
func (p *patch) clearVersyms(dropped []uint16) error {
	at, ok := p.dyn.value(elf.DT_VERSYM)
	if !ok {
		return nil
	}
	count, exact := p.dynsymCount()
	if !exact {
		return unsupported("the file does not say how many dynamic symbols it has, so DT_VERSYM cannot be edited")
	}
	b, err := p.current(vaddr(at), 2*count)
	if err != nil {
		return unsupported("DT_VERSYM: %v", err)
	}
	gone := map[uint16]bool{}
	for _, index := range dropped {
		gone[index] = true
	}
	for i := 0; i < len(b); i += 2 {
		if gone[p.order.Uint16(b[i:])&^versymHidden] {
			p.order.PutUint16(b[i:], verNdxGlobal)
		}
	}
	return p.writeAt(vaddr(at), b)
}

// current reads at an address of the input what the plan has made of it so far.
func (p *patch) current(v vaddr, n int64) ([]byte, error) {
	off, err := p.offset(v, n)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	return b, readFull(p.img, b, int64(off))
}

// writeAt writes at an address.
func (p *patch) writeAt(v vaddr, b []byte) error {
	off, err := p.offset(v, int64(len(b)))
	if err != nil {
		return err
	}
	p.img.write(off, b)
	return nil
}
