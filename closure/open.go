package closure

import (
	"fmt"
	"slices"
)

// open opens at run time what the options say of this process (glibc elf/dl-open.c:
// dl_open_worker), in their order, but for what an object opens that is opened later itself. A library that
// is not found is no error: the program sees dlopen fail.
func (p *process) open(asked string) error {
	var waiting []Opened
	for _, o := range p.opts.Opened {
		if o.By == "" && p.m.Launch == nil {
			continue // a library that is walked by itself is no program
		}
		if o.Program == "" || o.Program == asked || o.Program == p.m.Program().Path {
			waiting = append(waiting, o)
		}
	}
	for opened := -1; opened < len(p.m.Opened); {
		opened = len(p.m.Opened)
		var later []Opened
		for _, o := range waiting {
			by := p.called(o.By)
			if by == nil {
				later = append(later, o)
				continue
			}
			if err := p.openOne(o, by); err != nil {
				return err
			}
		}
		waiting = later
	}
	for _, o := range waiting {
		if o.Program != "" {
			return fmt.Errorf("%s: opens %s, but is no object in the process of %s", o.By, o.Name, asked)
		}
	}
	return nil
}

// called finds an object of the process by a path, a needed name or a soname.
func (p *process) called(name string) *Loaded {
	if name == "" {
		return p.m.Program()
	}
	for _, l := range p.all {
		if l.Path == name || l.Object.Path == name || l.Object.Info.Soname == name || slices.Contains(l.Names, name) {
			return l
		}
	}
	return nil
}

// openOne opens one library: its name is searched for the caller, which it does not get for its
// loader, so that its own needs see the program's DT_RPATH but none of the caller's (glibc
// elf/dl-load.c: _dl_map_object, __RTLD_CALLMAP). musl searches as the program does, whoever calls.
func (p *process) openOne(o Opened, by *Loaded) error {
	n := &Need{Name: o.Name, From: by, by: by, process: p}
	if p.m.Loader.Kind == LoaderMusl {
		n.by, n.parent = p.m.Program(), p.m.Program()
	}
	at := &Open{Opened: o, Need: n}
	p.m.Opened = append(p.m.Opened, at)
	p.opening = at
	at.Err = p.resolve(n)
	if at.Err == nil && n.To != nil {
		s := &scope{process: p}
		s.add(n.To)
		at.Err = s.load()
		at.Scope = s.list
	}
	p.opening = nil
	if _, stops := at.Err.(*LoadError); at.Err != nil && !stops {
		return at.Err
	}
	return nil
}

// maybe reports whether it is a guess that an object comes into the process.
func (l *Loaded) maybe() bool { return l.Opened != nil && l.Opened.Maybe }

// mayNotHappen reports whether a finding has to do with what may never be opened.
func mayNotHappen(f *Finding, m *LinkMap) bool {
	guessed := map[*Object]bool{}
	for _, l := range m.objects() {
		if l.maybe() {
			guessed[l.Object] = true
		}
	}
	for _, c := range f.Copies {
		if guessed[c.Object] {
			return true
		}
		for _, chain := range c.Chains {
			if slices.ContainsFunc(chain, func(n *Need) bool { return n.From.maybe() }) {
				return true
			}
		}
	}
	return slices.ContainsFunc(f.Users, func(u User) bool { return u.From.maybe() })
}

// opened finds what a process opens at run time and does not get.
func (j *judge) opened() error {
	for _, o := range j.m.Opened {
		f := Finding{Kind: KindMissing, Severity: Warning, Name: o.Name,
			Copies: []Copy{{Path: o.Name, Chains: chains([]*Need{o.Need}), Tried: o.Need.Tried}}}
		switch {
		case o.Err != nil:
			f.What = fmt.Sprintf("%s opens %s at run time, which fails: %v", who([]*Need{o.Need}), o.Name, o.Err)
		case o.Need.To == nil:
			f.What = fmt.Sprintf("%s opens %s at run time, and nothing answers", who([]*Need{o.Need}), o.Name)
			f.Advice = "put the library where its caller's run path leads, or leave out the feature that opens it"
		default:
			continue
		}
		j.add(f)
	}
	return nil
}
