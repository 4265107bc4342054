package closure

import (
	"path"
	"slices"
)

// Reason is why one object is in a process.
type Reason struct {
	Loaded *Loaded   // nil for a name that nothing answers
	Name   string    // its path, or the name
	Chains [][]*Need // chains of needs from the program to it, the shortest first
	More   uint64    // how many further chains there are
	Least  bool      // More is only a lower bound: some needs go in a circle
	Users  []*Loaded // for a symbol: whose references to it reach this object
}

// Why gives every chain of needs that brings a library: one object for each that name means, which is
// a path, a needed name, a soname, a file name, or a store path or its name. limit bounds the chains
// that are listed for one object. No object stands in a chain twice.
func (c *Closure) Why(m *LinkMap, name string, limit int) []Reason {
	var reasons []Reason
	edges := m.edges()
	missing := map[string]int{}
	for _, n := range edges {
		if n.To == nil && n.Name == name {
			if _, ok := missing[name]; !ok {
				missing[name] = len(reasons)
				reasons = append(reasons, Reason{Name: name})
			}
			r := &reasons[missing[name]]
			if r.Chains = append(r.Chains, Chain(n)); len(r.Chains) > limit {
				r.Chains, r.More, r.Least = r.Chains[:limit], r.More+1, true
			}
		}
	}
	for _, l := range m.objects() {
		if l != m.Program() && c.Means(l, name) {
			reasons = append(reasons, c.reasonFor(m, l, limit))
		}
	}
	return reasons
}

// WhySymbol gives every chain of needs that brings an object which references to a symbol reach: one
// reason for each such object, in the order of its first reference. limit is as in Why.
func (c *Closure) WhySymbol(b *Bindings, symbol string, limit int) []Reason {
	var reasons []Reason
	for ref := range b.All() {
		if ref.Symbol != symbol || ref.To == nil {
			continue
		}
		i := slices.IndexFunc(reasons, func(r Reason) bool { return r.Loaded == ref.To })
		if i < 0 {
			i = len(reasons)
			reasons = append(reasons, c.reasonFor(b.Map, ref.To, limit))
		}
		if r := &reasons[i]; !slices.Contains(r.Users, ref.From) {
			r.Users = append(r.Users, ref.From)
		}
	}
	return reasons
}

func (c *Closure) reasonFor(m *LinkMap, l *Loaded, limit int) Reason {
	if l == m.Program() {
		return Reason{Loaded: l, Name: l.Path}
	}
	r := Reason{Loaded: l, Name: l.Path}
	answered := slices.DeleteFunc(m.edges(), func(n *Need) bool { return n.To == nil })
	r.Chains, r.More, r.Least = newChainFinder(answered, m.Program(), l).chains(limit) // none for ld.so that nobody needs
	return r
}

func (n *Need) ends() (from, to *Loaded) { return n.From, n.To }

// objects are all objects of the process, those opened at run time last.
func (m *LinkMap) objects() []*Loaded {
	all := append([]*Loaded{}, m.inProcess()...)
	for _, o := range m.Opened {
		for _, l := range o.Scope {
			if l.Opened == o {
				all = append(all, l)
			}
		}
	}
	return all
}

// edges are all needs of the process, preloads first and what is opened at run time last.
func (m *LinkMap) edges() []*Need {
	edges := append(append([]*Need{}, m.Preloads...), m.Needs...)
	for _, o := range m.Opened {
		edges = append(edges, o.Need)
	}
	return edges
}

// Means reports whether a name means an object: its path, a name that a need found it by, its soname,
// its file name, its store path, or that store path's name with or without the version.
func (c *Closure) Means(l *Loaded, name string) bool {
	for _, n := range append([]string{l.Path, l.Object.Path, l.Object.Info.Soname}, l.Names...) {
		if n != "" && (n == name || path.Base(n) == name) {
			return true
		}
	}
	for _, file := range []string{l.Path, l.Object.Path} {
		if sp, _, ok := ParseStorePath(c.StoreDir, file); ok && sp.Means(name) {
			return true
		}
	}
	return false
}
