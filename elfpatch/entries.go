package elfpatch

import (
	"debug/elf"
	"fmt"
	"slices"
)

// entry is one entry of the dynamic section as it will be.
type entry struct {
	dynEntry
	named bool   // val is an offset into the string table, and
	text  string // this is the string it shall name
	was   int    // its index in the input; -1 for a new one
}

// Tags of the dynamic section that hold a string and that this package may place anew.
var stringTags = []elf.DynTag{elf.DT_NEEDED, elf.DT_SONAME, elf.DT_RPATH, elf.DT_RUNPATH, elf.DT_FILTER, elf.DT_AUXILIARY}

// dtMIPSRldMapRel holds the distance from its own entry to a word of the loader
// (glibc sysdeps/mips/dl-debug.h), so it changes when its entry moves.
const dtMIPSRldMapRel = elf.DynTag(0x70000035)

// dtMIPSXHash is the GNU hash table of MIPS, which maps its symbols to those of DT_SYMTAB
// (binutils include/elf/mips.h).
const dtMIPSXHash = elf.DynTag(0x70000036)

// planDynamic decides the entries of the dynamic section, the strings they name and what becomes of
// the symbols. It returns nil when the edit leaves all alone.
func (p *patch) planDynamic() (*strtab, error) {
	symbols, err := p.planSymbols()
	if err != nil || symbols == nil && dynamicDiffers(p.in, p.want) == "" {
		return nil, err
	}
	old, err := p.oldEntries()
	if err != nil {
		return nil, err
	}
	p.entries = p.editEntries(old)
	versions, err := p.planVersions(symbols)
	if err != nil {
		return nil, err
	}
	if err := p.fitEntries(); err != nil {
		return nil, err
	}
	strings, err := p.newStrtab(versions, symbols)
	if err != nil {
		return nil, err
	}
	strings.arrange(p.entries, versions, symbols)
	strings.fillDead(old, versions, symbols)
	if strings.text.err != nil {
		return nil, fmt.Errorf("the string table: %w", strings.text.err)
	}
	if err := p.writeVersions(strings, versions); err != nil {
		return nil, err
	}
	return strings, p.writeSymbols(symbols, strings)
}

// oldEntries is the dynamic section of the input, with its strings.
func (p *patch) oldEntries() ([]entry, error) {
	var old []entry
	for i, d := range p.dyn.entries {
		e := entry{dynEntry: d, was: i}
		if d.tag == unknownTag {
			return nil, unsupported("a tag of the dynamic section does not fit in 32 bits")
		}
		if slices.Contains(stringTags, d.tag) {
			var err error
			if e.text, err = p.str(d.val); err != nil {
				return nil, err
			}
			e.named = true
		}
		old = append(old, e)
	}
	return old, nil
}

// editEntries makes the wished list of entries. New needed names go before the first; another tag
// that had no entry goes last. Everything else keeps its order.
func (p *patch) editEntries(old []entry) []entry {
	list := p.editNeeded(old)
	if e := p.edit; e.Soname != "" {
		list = setText(list, elf.DT_SONAME, e.Soname, elf.DT_SONAME)
	}
	switch {
	case !p.edit.editsRunPath():
	case p.want.HasRPath:
		list = setText(list, elf.DT_RPATH, p.want.RPath, elf.DT_RPATH, elf.DT_RUNPATH)
	case p.want.HasRunPath:
		list = setText(list, elf.DT_RUNPATH, p.want.RunPath, elf.DT_RPATH, elf.DT_RUNPATH)
	default:
		list = slices.DeleteFunc(list, func(e entry) bool { return e.tag == elf.DT_RPATH || e.tag == elf.DT_RUNPATH })
	}
	if p.edit.NoDefaultLib {
		list = setNumber(list, elf.DT_FLAGS_1, uint64(p.want.DynFlags1))
	}
	if p.want.Debug && !p.in.Debug {
		list = setNumber(list, elf.DT_DEBUG, 0)
	}
	return list
}

// setNumber gives a tag its value; of several the last counts.
func setNumber(list []entry, tag elf.DynTag, v uint64) []entry {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].tag == tag {
			list[i].val = v
			return list
		}
	}
	return append(list, entry{dynEntry: dynEntry{tag, v}, was: -1})
}

// editNeeded applies the three edits of DT_NEEDED.
func (p *patch) editNeeded(old []entry) []entry {
	var list, added []entry
	first, seen := -1, 0
	for _, e := range old {
		if e.tag == elf.DT_NEEDED {
			if first < 0 {
				first = len(list)
			}
			seen++
			if !p.edit.keepsNeeded(p.in.Needed, seen-1) {
				continue
			}
			e.text = p.edit.renamed(e.text)
		}
		list = append(list, e)
	}
	for _, name := range p.want.Needed[:len(p.want.Needed)-countTag(list, elf.DT_NEEDED)] {
		added = append(added, entry{dynEntry: dynEntry{tag: elf.DT_NEEDED}, named: true, text: name, was: -1})
	}
	return slices.Insert(list, max(first, 0), added...)
}

// setText gives the entries of tags one string: the first becomes tag, the others go.
func setText(list []entry, tag elf.DynTag, text string, tags ...elf.DynTag) []entry {
	var out []entry
	found := false
	for _, e := range list {
		if slices.Contains(tags, e.tag) {
			if found {
				continue
			}
			e.tag, e.text, found = tag, text, true
		}
		out = append(out, e)
	}
	if !found {
		out = append(out, entry{dynEntry: dynEntry{tag: tag}, named: true, text: text, was: -1})
	}
	return out
}

func countTag(list []entry, tag elf.DynTag) int {
	n := 0
	for _, e := range list {
		if e.tag == tag {
			n++
		}
	}
	return n
}

// fitEntries makes the entries fit in PT_DYNAMIC, whose spare DT_NULL entries the linker left for
// this (GNU ld, gold and mold leave 5; lld none). Before the section moves it drops what nothing needs.
func (p *patch) fitEntries() error {
	spare, err := p.spareEntries()
	if err != nil {
		return err
	}
	room := len(p.dyn.entries) + spare
	for _, droppable := range []func([]entry, int) bool{isHint, isRepeated} {
		for i := len(p.entries) - 1; i >= 0 && len(p.entries) > room; i-- {
			if droppable(p.entries, i) {
				p.entries = slices.Delete(p.entries, i, i+1)
			}
		}
	}
	if len(p.entries) > room {
		return p.moveDynamic(len(p.entries))
	}
	return nil
}

// spareEntries counts the entries behind the terminating DT_NULL that are DT_NULL too. Their values
// mean nothing: meson leaves some behind.
func (p *patch) spareEntries() (int, error) {
	size := p.layout().dyn
	used := int64(len(p.dyn.entries)+1) * size
	rest, err := p.read(p.dyn.off+offset(used), int64(p.dyn.room)*size-used)
	if err != nil {
		return 0, err
	}
	n := 0
	for ; len(rest) >= int(size) && p.dynEntry(rest).tag == elf.DT_NULL; rest = rest[size:] {
		n++
	}
	return n, nil
}

// isHint reports whether entry i only speeds relocation up: DT_RELACOUNT and DT_RELCOUNT say how
// many relative relocations come first (glibc elf/dynamic-link.h treats none as 0).
func isHint(list []entry, i int) bool {
	return list[i].tag == elf.DT_RELACOUNT || list[i].tag == elf.DT_RELCOUNT
}

// isRepeated reports whether entry i says what a bit of DT_FLAGS says too (gABI 5, DF_SYMBOLIC,
// DF_TEXTREL, DF_BIND_NOW).
func isRepeated(list []entry, i int) bool {
	bits := map[elf.DynTag]elf.DynFlag{
		elf.DT_SYMBOLIC: elf.DF_SYMBOLIC, elf.DT_TEXTREL: elf.DF_TEXTREL, elf.DT_BIND_NOW: elf.DF_BIND_NOW,
	}
	bit, ok := bits[list[i].tag]
	return ok && slices.ContainsFunc(list, func(e entry) bool {
		return e.tag == elf.DT_FLAGS && elf.DynFlag(e.val)&bit != 0
	})
}

// keepEntries makes the entries those of the input where the edit is not about them.
func (p *patch) keepEntries() {
	if p.entries != nil {
		return
	}
	for i, d := range p.dyn.entries {
		p.entries = append(p.entries, entry{dynEntry: d, was: i})
	}
}

// setValue changes the value of a tag that is there.
func (p *patch) setValue(tag elf.DynTag, v uint64) {
	p.keepEntries()
	for i := range p.entries {
		if p.entries[i].tag == tag {
			p.entries[i].val = v
		}
	}
}

// writeDynamic writes the dynamic section, where it is or where it went, and clears the entries that
// became free.
func (p *patch) writeDynamic(strings *strtab) {
	if p.entries == nil {
		return
	}
	b := p.encodeEntries(p.entries, p.dynAddr, strings)
	if p.dynOff != p.dyn.off {
		p.leaveDynamic(strings)
		p.put(p.dynOff, append(b, make([]byte, p.dynSize-int64(len(b)))...))
		return
	}
	b = append(b, make([]byte, int(p.layout().dyn)*max(1, len(p.dyn.entries)+1-len(p.entries)))...)
	p.put(p.dyn.off, b)
}
