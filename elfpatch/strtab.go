package elfpatch

import (
	"bytes"
	"cmp"
	"debug/elf"
	"slices"
)

// strtab is the dynamic string table while it is edited. What symbols and versions name stays
// where it is; what only the dynamic section and vn_file name may be placed anew.
type strtab struct {
	text   *tableText        // never shorter than it was
	place  map[string]uint64 // where each wanted string is
	frozen int               // behind this there is nothing but strings that may move
	behind map[string]bool   // those of them that are wanted
	liveness
}

// newStrtab reads the table and marks what symbols and versions use of it.
func (p *patch) newStrtab(versions *verPlan, symbols *symbolPlan) (*strtab, error) {
	base, _ := p.dyn.value(elf.DT_STRTAB)
	size, ok := p.dyn.value(elf.DT_STRSZ)
	if !ok || size == 0 || size > uint64(p.size) {
		return nil, unsupported("the dynamic section has no usable DT_STRSZ")
	}
	off, err := p.offset(vaddr(base), int64(size))
	if err != nil {
		return nil, unsupported("the string table: %v", err)
	}
	t := &strtab{
		text: newTableText(p.img, off, int(size)), place: map[string]uint64{}, behind: map[string]bool{},
		liveness: liveness{starts: make([]uint64, size/64+1)},
	}
	if first, last := t.text.byte(0), t.text.byte(t.text.size-1); t.text.err == nil && (first != 0 || last != 0) {
		return nil, unsupported("the string table does not begin and end with NUL")
	}
	t.mark(0)
	for _, e := range p.dyn.entries {
		if !isNumberTag(e.tag) && !slices.Contains(stringTags, e.tag) {
			t.mark(e.val)
		}
	}
	for _, name := range versions.names {
		t.mark(name)
	}
	err = p.symbolNames(func(i int, name uint64) {
		if _, ok := symbols.newName(i); !ok {
			t.mark(name)
		}
	})
	if err != nil {
		return nil, err
	}
	t.closed = p.sharesStrings()
	t.reserve(p.oldRunPath())
	t.frozen = t.text.size
	if !t.closed {
		t.frozen = t.stringEnd(t.last)
	}
	return t, nil
}

// oldRunPath is where the search list stands that a longer one replaces; 0 when there is none.
func (p *patch) oldRunPath() uint64 {
	old, _ := p.in.SearchList()
	if list, _ := p.want.SearchList(); len(list) <= len(old) || old == "" {
		return 0
	}
	if p.in.HasRunPath {
		at, _ := p.dyn.value(elf.DT_RUNPATH)
		return at
	}
	at, _ := p.dyn.value(elf.DT_RPATH)
	return at
}

// sharesStrings reports whether something else than what this package knows names strings of the
// table: a section of another type that is linked to it, as the .gnu.liblist of prelink.
func (p *patch) sharesStrings() bool {
	at, _ := p.dyn.value(elf.DT_STRTAB)
	table := p.sectionAt(vaddr(at), elf.SHT_STRTAB)
	known := []elf.SectionType{elf.SHT_DYNSYM, elf.SHT_DYNAMIC, elf.SHT_GNU_VERNEED, elf.SHT_GNU_VERDEF}
	return table > 0 && slices.ContainsFunc(p.sections, func(s section) bool {
		return s.link == uint32(table) && !slices.Contains(known, elf.SectionType(s.typ))
	})
}

// isNumberTag reports whether the value of a tag is surely no string offset. What this package does
// not know is taken for a string, which costs nothing but room.
func isNumberTag(tag elf.DynTag) bool {
	switch tag {
	case elf.DT_CONFIG, elf.DT_DEPAUDIT, elf.DT_AUDIT:
		return false
	}
	return tag <= dtRelr+1 || tag >= 0x6ffffd00 && tag < 0x70000000
}

// arrange finds a place for each string that the entries and the needed versions name, and for the
// new names of symbols.
func (t *strtab) arrange(entries []entry, versions *verPlan, symbols *symbolPlan) {
	var texts []string
	want := func(text string, at uint64) {
		if at < uint64(t.frozen) && t.text.holds(int(at), text) {
			t.place[text] = at
			t.mark(at)
		}
		if at >= uint64(t.frozen) {
			t.behind[text] = true
		}
		texts = append(texts, text)
	}
	for _, e := range entries {
		if e.named {
			want(e.text, e.val)
		}
	}
	for _, v := range versions.files {
		want(v.text, v.val)
	}
	// Long ones first, so that a string finds the one it ends.
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	end := t.frozen
	for _, text := range slices.Compact(texts) {
		if _, ok := t.place[text]; !ok {
			end = t.put(text, end)
		}
	}
	t.putNames(symbols, end)
	t.free()
}

// put places one string: where it stands already, in the tail if there is room, in a hole of the
// frozen part, and else behind all; end is the end of what is placed behind the frozen part. It
// returns the new end.
func (t *strtab) put(text string, end int) int {
	n := len(text) + 1
	if at := t.find(text, end); at >= 0 {
		t.place[text] = uint64(at)
		t.mark(uint64(at))
		t.use(at, at+n)
		return end
	}
	at := end
	if end+n > t.text.size {
		at = t.hole(n, end)
	}
	t.set(at, text)
	if at == end {
		return end + n
	}
	t.use(at, at+n)
	return end
}

// find is where a string stands, maybe as the end of another, or -1. One that stands behind the
// frozen part was not in there when it was placed.
func (t *strtab) find(text string, end int) int {
	from := 0
	if t.behind[text] {
		from = t.frozen
	}
	return t.text.index(append([]byte(text), 0), from, end)
}

// set writes a string at offset at, where nothing lives.
func (t *strtab) set(at int, text string) {
	t.text.write(at, append([]byte(text), 0))
	t.place[text] = uint64(at)
	t.mark(uint64(at))
}

// fillDead clears what died: with 'X' where it was a search list, as patchelf does, so that no scan
// for store paths finds it; else with NUL.
func (t *strtab) fillDead(old []entry, versions *verPlan, symbols *symbolPlan) {
	for _, e := range old {
		if e.named {
			t.fill(e.val, len(e.text), e.tag == elf.DT_RPATH || e.tag == elf.DT_RUNPATH)
		}
	}
	for _, v := range versions.old {
		t.fill(v.file, len(v.File), false)
		for i, aux := range v.aux {
			t.fill(aux.name, len(v.Versions[i].Name), false)
		}
	}
	for i := range symbols.count() {
		if _, ok := symbols.newName(i); ok {
			t.fill(symbols.at[i], len(symbols.old[i]), false)
		}
	}
}

func (t *strtab) fill(at uint64, n int, searchList bool) {
	from, to := int(at), min(int(at)+n, t.text.size)
	if from >= to {
		return
	}
	was := make([]byte, to-from)
	t.text.read(was, from)
	now, live := bytes.Clone(was), t.closed || t.begins(t.text.nulBefore(from)+1, from) < from
	for i := range now {
		live = t.closed || t.begins(from+i, from+i+1) == from+i || live && (i == 0 || was[i-1] != 0)
		switch {
		case live:
		case searchList:
			now[i] = 'X'
		case now[i] != 'X':
			now[i] = 0
		}
	}
	if !bytes.Equal(now, was) {
		t.text.write(from, now)
	}
}
