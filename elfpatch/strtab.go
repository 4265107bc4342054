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
	data   []byte            // the table as it will be, never shorter than it was
	size   int               // its size in the input (DT_STRSZ)
	live   []bool            // bytes that some string uses
	place  map[string]uint64 // where each wanted string is
	frozen int               // behind this there is nothing but strings that may move

	reserved extent // a string that dies and is not overwritten
}

// newStrtab reads the table and marks what symbols and versions use of it.
func (p *patch) newStrtab(versions *verPlan, symbols *symbolPlan) (*strtab, error) {
	base, _ := p.dyn.value(elf.DT_STRTAB)
	size, ok := p.dyn.value(elf.DT_STRSZ)
	if !ok || size == 0 || size > uint64(p.size) {
		return nil, unsupported("the dynamic section has no usable DT_STRSZ")
	}
	raw, err := p.at(vaddr(base), int64(size))
	if err != nil {
		return nil, unsupported("the string table: %v", err)
	}
	if raw[size-1] != 0 || raw[0] != 0 {
		return nil, unsupported("the string table does not begin and end with NUL")
	}
	t := &strtab{data: bytes.Clone(raw), size: int(size), live: make([]bool, size), place: map[string]uint64{}}
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
	if p.sharesStrings() {
		for i := range t.live {
			t.live[i] = true
		}
	}
	t.reserve(p.oldRunPath())
	for t.frozen = len(t.live); t.frozen > 0 && !t.live[t.frozen-1]; t.frozen-- {
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

// reserve keeps the string at offset at, which dies, from being overwritten in this edit: patchelf
// leaves it filled with 'X', and who looks for that in the file shall find it.
func (t *strtab) reserve(at uint64) {
	t.reserved = extent{offset(at), offset(at)}
	for t.reserved.to < offset(len(t.live)) && !t.live[t.reserved.to] && t.data[t.reserved.to] != 0 {
		t.live[t.reserved.to] = true
		t.reserved.to++
	}
}

// free undoes reserve, but for what a string that was placed has of it.
func (t *strtab) free() {
	clear(t.live[t.reserved.from:t.reserved.to])
	for _, at := range t.place {
		t.mark(at)
	}
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

// mark says that the string at offset o is in use. A string in use is marked to its NUL, so the
// first marked byte ends the walk and all marks together cost one pass.
func (t *strtab) mark(o uint64) {
	for ; o < uint64(len(t.live)) && !t.live[o]; o++ {
		t.live[o] = true
		if t.data[o] == 0 {
			return
		}
	}
}

// arrange finds a place for each string that the entries and the needed versions name, and for the
// new names of symbols.
func (t *strtab) arrange(entries []entry, versions *verPlan, symbols *symbolPlan) {
	var texts []string
	want := func(text string, at uint64) {
		if at < uint64(t.frozen) && cString(t.data[at:]) == text {
			t.place[text] = at
			t.mark(at)
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

// put places one string, at best where it stands already; end is the end of what is placed behind
// the frozen part. It returns the new end.
func (t *strtab) put(text string, end int) int {
	b := append([]byte(text), 0)
	if at := bytes.Index(t.data[:end], b); at >= 0 {
		t.place[text] = uint64(at)
		t.mark(uint64(at))
		return end
	}
	at := t.hole(len(b))
	if at < 0 {
		at, end = end, end+len(b)
	}
	t.set(at, text)
	return end
}

// set writes a string at offset at, where nothing lives.
func (t *strtab) set(at int, text string) {
	if more := at + len(text) + 1 - len(t.data); more > 0 {
		t.data, t.live = append(t.data, make([]byte, more)...), append(t.live, make([]bool, more)...)
	}
	copy(t.data[at:], text)
	t.data[at+len(text)] = 0
	t.place[text] = uint64(at)
	t.mark(uint64(at))
}

// hole returns the smallest run of dead bytes in the frozen part that holds n, or -1. A run begins
// behind a NUL, since every live string is marked with its own.
func (t *strtab) hole(n int) int {
	best, room := -1, 0
	for i := 0; i < t.frozen; i++ {
		start := i
		for i < t.frozen && !t.live[i] {
			i++
		}
		if size := i - start; size >= n && (best < 0 || size < room) {
			best, room = start, size
		}
	}
	return best
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
	}
	for i := range symbols.count() {
		if _, ok := symbols.newName(i); ok {
			t.fill(symbols.at[i], len(symbols.old[i]), false)
		}
	}
}

func (t *strtab) fill(at uint64, n int, searchList bool) {
	for i := int(at); i < int(at)+n && i < t.size; i++ {
		switch {
		case t.live[i]:
		case searchList:
			t.data[i] = 'X'
		case t.data[i] != 'X':
			t.data[i] = 0
		}
	}
}
