package elfpatch

import (
	"cmp"
	"debug/elf"
	"slices"
)

// symbolPlan is what an edit does to the dynamic symbols, by their numbers in the input.
type symbolPlan struct {
	old     []string          // the names they have
	at      []uint64          // where those stand in the string table
	to      []string          // the names they get; "" where they keep theirs
	cleared []int             // whose version goes
	shared  map[string]uint64 // new names that a symbol which keeps its own has already
}

// planSymbols decides which symbols get another name or lose their version. It returns nil when none
// does.
func (p *patch) planSymbols() (*symbolPlan, error) {
	e := p.edit
	at, ok := p.dyn.value(elf.DT_SYMTAB)
	if len(e.ClearVersions)+len(e.RenameSymbols) == 0 || !ok {
		return nil, nil
	}
	count, exact := p.dynsymCount()
	if !exact {
		return nil, unsupported("the file does not say how many dynamic symbols it has, so they cannot be edited")
	}
	table, err := p.at(vaddr(at), count*p.layout().sym)
	if err != nil {
		return nil, damage(p.dyn.off, "DT_SYMTAB", err)
	}
	names, err := p.nameTable()
	if err != nil {
		return nil, err
	}
	s := &symbolPlan{
		old: make([]string, count), at: make([]uint64, count), to: make([]string, count), shared: map[string]uint64{},
	}
	found := false
	for i := range s.old {
		s.at[i] = uint64(p.get32(table[int64(i)*p.layout().sym:]))
		if s.old[i], err = names.at(s.at[i]); err != nil {
			return nil, err
		}
		if to := e.RenameSymbols[s.old[i]]; to != s.old[i] && i > 0 {
			s.to[i], found = to, found || to != ""
		}
		if slices.Contains(e.ClearVersions, s.old[i]) && p.hasVersion(i) {
			s.cleared = append(s.cleared, i)
		}
	}
	if !found && len(s.cleared) == 0 {
		return nil, nil
	}
	s.share()
	return s, nil
}

// hasVersion reports whether symbol i has a version or wants one.
func (p *patch) hasVersion(i int) bool {
	at, ok := p.dyn.value(elf.DT_VERSYM)
	if !ok {
		return false
	}
	b, err := p.at(vaddr(at+2*uint64(i)), 2)
	return err != nil || p.get16(b) > verNdxGlobal // what cannot be read is told of when it is cleared
}

// share finds the new names that other symbols have already.
func (s *symbolPlan) share() {
	for _, to := range s.to {
		if to != "" {
			s.shared[to] = 0
		}
	}
	for i, name := range s.old {
		if _, ok := s.shared[name]; ok && s.to[i] == "" {
			s.shared[name] = s.at[i]
		}
	}
}

func (s *symbolPlan) count() int {
	if s == nil {
		return 0
	}
	return len(s.to)
}

// newName is the name that symbol i gets; false where it keeps its own.
func (s *symbolPlan) newName(i int) (string, bool) {
	if i >= s.count() || s.to[i] == "" {
		return "", false
	}
	return s.to[i], true
}

// name is the name of symbol i as it will be.
func (s *symbolPlan) name(i int) string { return cmp.Or(s.to[i], s.old[i]) }

// renames reports whether a symbol from number first on gets another name.
func (s *symbolPlan) renames(first int) bool {
	return slices.ContainsFunc(s.to[min(first, len(s.to)):], func(to string) bool { return to != "" })
}

// putNames finds a place for the new names of symbols: that of an equal name, the first hole in the
// frozen part that holds it, or the end of the table. The short ones come first, so a hole that is
// too small for one is so for all that follow, and all together cost one pass.
func (t *strtab) putNames(s *symbolPlan, end int) {
	if s == nil {
		return
	}
	var names []string
	for name, at := range s.shared {
		if at != 0 {
			t.place[name] = at
		}
		if _, ok := t.place[name]; !ok {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(len(a)-len(b), cmp.Compare(a, b)) })
	holes := t.sweep()
	for _, name := range names {
		n := offset(len(name) + 1)
		for len(holes) > 0 && holes[0].to-holes[0].from < n {
			holes = holes[1:]
		}
		if len(holes) > 0 {
			t.set(int(holes[0].from), name)
			holes[0].from += n
			continue
		}
		t.set(end, name)
		end += len(name) + 1
	}
}

// writeSymbols writes the names and versions of symbols, and the hash tables of the names.
func (p *patch) writeSymbols(s *symbolPlan, strings *strtab) error {
	if s == nil {
		return nil
	}
	if err := p.clearVersions(s.cleared); err != nil || !s.renames(0) {
		return err
	}
	at, _ := p.dyn.value(elf.DT_SYMTAB)
	size := int(p.layout().sym)
	table, err := p.current(vaddr(at), int64(len(s.to)*size))
	if err != nil {
		return damage(p.dyn.off, "DT_SYMTAB", err)
	}
	for i, to := range s.to {
		if to != "" {
			p.order.PutUint32(table[i*size:], uint32(strings.place[to]))
		}
	}
	if err := p.writeAt(vaddr(at), table); err != nil {
		return err
	}
	order, err := p.rehashGNU(s)
	if err != nil {
		return err
	}
	if err := p.rehashSysV(s, order); err != nil || order == nil {
		return err
	}
	return p.reorderSymbols(table, order)
}

// clearVersions makes symbols have no version and want none.
func (p *patch) clearVersions(symbols []int) error {
	at, ok := p.dyn.value(elf.DT_VERSYM)
	if !ok {
		return nil
	}
	for _, i := range symbols {
		v := vaddr(at + 2*uint64(i))
		b, err := p.current(v, 2)
		if err != nil {
			return damage(p.dyn.off, "DT_VERSYM", err)
		}
		if p.order.Uint16(b) == 0 {
			continue // VER_NDX_LOCAL
		}
		p.order.PutUint16(b, verNdxGlobal)
		if err := p.writeAt(v, b); err != nil {
			return err
		}
	}
	return nil
}
