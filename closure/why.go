package closure

import (
	"math"
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
	return newChainFinder(m.edges(), m.Program(), l).reason(limit)
}

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
		if sp, _, ok := ParseStorePath(c.StoreDir, file); ok &&
			(name == sp.String() || name == sp.Digest+"-"+sp.Name || name == sp.Name || name == sp.PName() || name == sp.Package()) {
			return true
		}
	}
	return false
}

// chainFinder finds the chains from the program to one object.
type chainFinder struct {
	from, to *Loaded
	out      map[*Loaded][]*Need // needs by requester, of objects from which to can be reached
	far      map[*Loaded]int     // how many needs it is to the object, at least
}

func newChainFinder(edges []*Need, from, to *Loaded) *chainFinder {
	in, out := map[*Loaded][]*Need{}, map[*Loaded][]*Need{}
	for _, n := range edges {
		if n.To != nil && n.From != n.To {
			in[n.To] = append(in[n.To], n)
		}
	}
	far := map[*Loaded]int{to: 0}
	for queue := []*Loaded{to}; len(queue) > 0; queue = queue[1:] {
		for _, n := range in[queue[0]] {
			if _, ok := far[n.From]; !ok {
				far[n.From] = far[queue[0]] + 1
				queue = append(queue, n.From)
			}
		}
	}
	for _, n := range edges {
		if _, ok := far[n.To]; ok && n.To != nil && n.From != to && n.From != n.To && n.To != from {
			out[n.From] = append(out[n.From], n)
		}
	}
	return &chainFinder{from, to, out, far}
}

// maxSteps bounds the chains that are begun: circles of needs can make most of them end nowhere.
const maxSteps = 1 << 18

// reason lists the chains by their lengths. Each that is begun is sorted by the length that it has at
// least in the end, so the first that end are the shortest.
func (c *chainFinder) reason(limit int) Reason {
	r := Reason{Loaded: c.to, Name: c.to.Path}
	far, ok := c.far[c.from]
	if !ok {
		return r // ld.so, which nobody needs
	}
	byLength := make([][]*link, far+1)
	byLength[far] = []*link{{at: c.from}}
	steps := 0
	for length := 0; length < len(byLength); length++ {
		for len(byLength[length]) > 0 { // the last first, so that one ends before others are begun
			last := len(byLength[length]) - 1
			l := byLength[length][last]
			byLength[length] = byLength[length][:last]
			if l.at == c.to {
				if r.Chains = append(r.Chains, l.chain()); len(r.Chains) == limit {
					r.More, r.Least = c.more(limit)
					return r
				}
				continue
			}
			for _, n := range slices.Backward(c.out[l.at]) {
				if steps++; steps > maxSteps || l.has(n.To) {
					continue
				}
				total := l.length + 1 + c.far[n.To]
				for len(byLength) <= total {
					byLength = append(byLength, nil)
				}
				byLength[total] = append(byLength[total], &link{l, n, n.To, l.length + 1})
			}
		}
	}
	r.Least = steps > maxSteps
	return r
}

// link is the end of a chain that was begun.
type link struct {
	before *link
	need   *Need
	at     *Loaded
	length int
}

func (l *link) has(o *Loaded) bool {
	for ; l != nil; l = l.before {
		if l.at == o {
			return true
		}
	}
	return false
}

func (l *link) chain() []*Need {
	chain := make([]*Need, l.length)
	for ; l.need != nil; l = l.before {
		chain[l.length-1] = l.need
	}
	return chain
}

// more counts all chains, less those listed. Needs that close a circle are left out of the count,
// which is then a lower bound.
func (c *chainFinder) more(listed int) (more uint64, least bool) {
	counts := map[*Loaded]uint64{c.to: 1}
	open := map[*Loaded]bool{}
	var count func(l *Loaded) uint64
	count = func(l *Loaded) uint64 {
		if n, ok := counts[l]; ok {
			return n
		}
		open[l] = true
		var sum uint64
		for _, n := range c.out[l] {
			if open[n.To] {
				least = true
				continue
			}
			one := count(n.To)
			if sum += one; sum < one {
				sum, least = math.MaxUint64, true
			}
		}
		open[l] = false
		counts[l] = sum
		return sum
	}
	all := count(c.from)
	return all - min(all, uint64(listed)), least
}
