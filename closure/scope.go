package closure

import (
	"debug/elf"
	"slices"
)

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

// load goes through the dependencies breadth first: the next object's in order, what its needs bring going to
// the end.
func (s *scope) load() error {
	done := map[*Loaded]bool{}
	for i := 0; i < len(s.list); {
		l := s.list[i]
		if done[l] {
			i++
			continue
		}
		done[l] = true
		if err := s.follow(l, i); err != nil { // a filtee goes before i and is looked at next
			return err
		}
	}
	return nil
}

// dependency is a DT_NEEDED, DT_FILTER or DT_AUXILIARY entry of an object.
type dependency struct {
	Need
	tag   elf.DynTag
	asked bool // once in a process
}

// dependencies are those of one object. musl knows no filters.
func (p *process) dependencies(l *Loaded) []*dependency {
	if l.deps != nil {
		return l.deps
	}
	l.deps = []*dependency{}
	info := l.Object.Info
	all := make([]dependency, len(info.Needed)+len(info.Filter)+len(info.Auxiliary))
	for tag, name := range info.Dependencies() {
		if tag != elf.DT_NEEDED && p.m.Loader.Kind != LoaderGlibc {
			continue
		}
		if tag == elf.DT_NEEDED && slices.ContainsFunc(l.needs, func(n *Need) bool { return n.Name == name }) {
			continue // a second entry finds what the first one brought
		}
		d := &all[len(l.deps)]
		*d = dependency{Need: Need{Name: name, From: l, by: l, parent: l, process: p}, tag: tag}
		l.deps = append(l.deps, d)
		if tag == elf.DT_NEEDED {
			l.needs = append(l.needs, &d.Need)
		}
	}
	return l.deps
}

// follow goes through the dependencies of the i-th object (glibc elf/dl-deps.c: _dl_map_object_deps): what
// is needed goes to the end, and a filtee right before the object, from further behind as well; one that is before
// it already stays. An auxiliary one may be missing.
func (s *scope) follow(l *Loaded, i int) error {
	for _, d := range s.dependencies(l) {
		if err := s.ask(d); err != nil {
			return err
		}
		switch {
		case d.To == nil:
		case d.tag == elf.DT_NEEDED:
			s.add(d.To)
		default:
			i = s.insert(d.To, l, i)
		}
	}
	return nil
}

// ask resolves a dependency, once in a process.
func (p *process) ask(d *dependency) error {
	if d.asked {
		return nil
	}
	d.asked = true
	if d.tag == elf.DT_NEEDED {
		p.m.Needs = append(p.m.Needs, &d.Need)
		return p.resolve(&d.Need)
	}
	err := p.resolve(&d.Need)
	if _, stops := err.(*LoadError); stops && d.tag == elf.DT_AUXILIARY {
		err = nil
	}
	if err == nil && (d.To != nil || d.tag == elf.DT_FILTER) {
		p.m.Needs = append(p.m.Needs, &d.Need)
	}
	return err
}

// insert puts a filtee before the i-th object, its filter, and gives the filter's place after that. It stands
// before the filter as well where names are compared.
func (s *scope) insert(filtee, filter *Loaded, i int) int {
	at := slices.Index(s.list, filtee)
	if at >= 0 && at <= i {
		return i
	}
	if at > i {
		s.list = slices.Delete(s.list, at, at+1)
	}
	filtee.scope = s
	s.list = slices.Insert(s.list, i, filtee)
	s.moveBefore(filtee, filter)
	return i + 1
}
