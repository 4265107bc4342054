package closure

import "slices"

// scope is one breadth-first list of objects: what a program loads at start, or an object that is
// opened at run time with what it needs (glibc elf/dl-deps.c: _dl_map_object_deps).
type scope struct {
	*process
	list []*Loaded
}

// add puts an object at the end.
func (s *scope) add(l *Loaded) {
	if l.scope != s {
		l.scope = s
		s.list = append(s.list, l)
	}
}

// load goes through the needs breadth first: the next object's needs in order, what they bring going
// to the end.
func (s *scope) load() error {
	done := map[*Loaded]bool{}
	for i := 0; i < len(s.list); {
		l := s.list[i]
		if done[l] {
			i++
			continue
		}
		done[l] = true
		if err := s.ask(l); err != nil {
			return err
		}
		for _, n := range l.needs {
			if n.To != nil {
				s.add(n.To)
			}
		}
		if err := s.filter(l, i); err != nil { // a filtee goes before i and is looked at next
			return err
		}
	}
	return nil
}

// ask resolves the DT_NEEDED entries of one object, once in a process.
func (p *process) ask(l *Loaded) error {
	if l.asked {
		return nil
	}
	l.asked = true
	needed := l.Object.Info.Needed
	l.needs = make([]*Need, 0, len(needed))
	all := make([]Need, len(needed))
	for i, name := range needed {
		if slices.Contains(needed[:i], name) {
			continue // a second entry finds what the first one brought
		}
		n := &all[i]
		*n = Need{Name: name, From: l, by: l, parent: l, process: p}
		p.m.Needs = append(p.m.Needs, n)
		l.needs = append(l.needs, n)
		if err := p.resolve(n); err != nil {
			return err
		}
	}
	return nil
}

// filter resolves DT_FILTER and DT_AUXILIARY of the i-th object, of which musl knows neither: the
// filtee goes right before it, from further behind as well; one that is before it already stays
// (glibc elf/dl-deps.c). An auxiliary one may be missing.
func (s *scope) filter(l *Loaded, i int) error {
	info := l.Object.Info
	if len(info.Filter)+len(info.Auxiliary) == 0 || s.m.Loader.Kind != LoaderGlibc {
		return nil
	}
	if l.filters == nil {
		if err := s.askFilters(l); err != nil {
			return err
		}
	}
	for _, n := range l.filters {
		if n.To == nil {
			continue
		}
		at := slices.Index(s.list, n.To)
		if at >= 0 && at <= i {
			continue
		}
		if at > i {
			s.list = slices.Delete(s.list, at, at+1)
		}
		n.To.scope = s
		s.list = slices.Insert(s.list, i, n.To)
		i++
	}
	return nil
}

func (p *process) askFilters(l *Loaded) error {
	for k, name := range slices.Concat(l.Object.Info.Filter, l.Object.Info.Auxiliary) {
		n := &Need{Name: name, From: l, by: l, parent: l, process: p}
		if err := p.resolve(n); err != nil {
			return err
		}
		if n.To != nil || k < len(l.Object.Info.Filter) {
			p.m.Needs = append(p.m.Needs, n)
			l.filters = append(l.filters, n)
		}
	}
	return nil
}
