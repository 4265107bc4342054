package closure

import (
	"debug/elf"
	"fmt"
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// underlinked notes objects that use what nothing they need brings: it works while others bring it.
func (j *judge) underlinked() error {
	if j.bindings == nil || len(j.bindings.objects) == 0 {
		return nil
	}
	e := newExpecter(j.bindings)
	for i, o := range e.objects[1:] { // the program needs all
		uses := map[int32]*usage{}
		var order []int32
		for k, ref := range o.refs() {
			to := o.to[k]
			if to.own || to.object < 0 || e.closureOf(o.loaded)[to.object] > 0 || !e.strangers(i+1, k, to) {
				continue
			}
			if s := o.symbols.Symbol(int(ref.Symbol)); s.Bind != elf.STB_WEAK {
				if uses[to.object] == nil {
					uses[to.object] = newUsage()
					order = append(order, to.object)
				}
				uses[to.object].add(s.Name, s.Version, true)
			}
		}
		if order == nil {
			continue
		}
		f := Finding{
			Kind: KindUnderlinked, Severity: Note, Name: base(o.loaded),
			Copies: []Copy{{Object: o.loaded.Object, Path: o.loaded.Path, Kept: true, Chains: chainOf(o.loaded)}},
			Advice: "link it with what it uses",
		}
		var parts []string
		slices.Sort(order)
		for _, at := range order {
			parts = append(parts, fmt.Sprintf("%s of %s", uses[at].groups, base(e.objects[at].loaded)))
		}
		f.What = fmt.Sprintf("%s uses %s without needing it: it works where something else brings it", base(o.loaded), join(parts))
		j.add(f)
	}
	return nil
}

// strangers reports whether nothing that an object needs defines what its reference k reaches.
func (e *expecter) strangers(object, k int, to target) bool {
	if to.alone {
		return true
	}
	ranks := e.closureOf(e.objects[object].loaded)
	return !slices.ContainsFunc(e.binder.candidatesOf(object, k), func(c candidate) bool {
		return c.Defined() && ranks[c.object] > 0
	})
}

// unused notes needs by which nothing is bound. A library that does something by being there, or that
// stands for those that it needs itself, is none; nor is the C library, with which all are linked.
func (j *judge) unused() error {
	if j.bindings == nil || len(j.bindings.objects) == 0 {
		return nil
	}
	e := newExpecter(j.bindings)
	for _, o := range e.objects {
		if !o.binds || InLibc(o.loaded.Object.Info) {
			continue
		}
		reached := o.reached()
		var names []string
		for _, n := range o.loaded.needs {
			if n.To == nil || n.To == o.loaded || InLibc(n.To.Object.Info) || actsAlone(n.To.Object.Info) {
				continue
			}
			if i, ok := e.place[n.To]; ok && !reached[i] && !e.standsFor(o, n.To, reached) && !j.robbed(o.loaded, n.To) {
				names = append(names, n.Name)
			}
		}
		if names != nil {
			j.add(Finding{
				Kind: KindUnused, Severity: Note, Name: base(o.loaded),
				Copies: []Copy{{Object: o.loaded.Object, Path: o.loaded.Path, Kept: true, Chains: chainOf(o.loaded)}},
				What:   fmt.Sprintf("%s needs %s and uses nothing of it", base(o.loaded), join(names)),
				Advice: "link it with -Wl,--as-needed",
			})
		}
	}
	return nil
}

// robbed reports whether an object's references to a library reach another one.
func (j *judge) robbed(from, library *Loaded) bool {
	return slices.ContainsFunc(j.rebounds, func(r *rebound) bool { return r.wanted == library && r.users[from] != nil })
}

// reached are the objects, by place, that an object's references reach.
func (o *bound) reached() map[int32]bool {
	reached := map[int32]bool{}
	for _, to := range o.to {
		if !to.own {
			reached[to.object] = true
		}
	}
	return reached
}

// actsAlone reports whether a library does something when it is loaded: it has more functions to call
// then than the one of every object's start files, or it takes room in every thread.
func actsAlone(info *elfpatch.Info) bool {
	tls := slices.ContainsFunc(info.Segments, func(s elfpatch.Segment) bool { return s.Type == elf.PT_TLS })
	return info.Inits > 1 || tls
}

// standsFor reports whether an object reaches something that it needs only through a library.
func (e *expecter) standsFor(o *bound, library *Loaded, reached map[int32]bool) bool {
	for at, rank := range e.closureOf(library) {
		direct := slices.ContainsFunc(o.loaded.needs, func(n *Need) bool { return n.To == e.objects[at].loaded })
		if rank > 0 && reached[int32(at)] && !direct && e.objects[at] != o {
			return true
		}
	}
	return false
}
