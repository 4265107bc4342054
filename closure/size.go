package closure

import (
	"cmp"
	"slices"
)

// Part is a part of a closure and what it weighs: an object, or a store path with the objects in it.
type Part struct {
	Path     string    // the object's path, or the store path; of an object outside the store its path
	Objects  []*Object // in the order in which they were first loaded
	Size     int64     // bytes of these
	Retained int64     // bytes that would go away if no need led here: of this part, and of all that it holds
	// Holder is the nearest other part without which this one would not be there: every chain of needs to
	// here leads through it. nil where there is none.
	Holder *Part
	Held   []*Part // those that this part is the holder of, the heaviest first
}

// ByObject weighs the objects of all processes, the largest first.
func (c *Closure) ByObject() []*Part {
	return c.parts(func(o *Object) string { return o.Path })
}

// ByStorePath weighs the store paths that objects are in, the largest first. Other files of a store path
// are not counted: no need brings them.
func (c *Closure) ByStorePath() []*Part {
	return c.parts(func(o *Object) string { return cmp.Or(c.storeOf(o.Path), o.Path) })
}

// parts weighs objects, those with one name together. What one process needs and what another does is one
// graph, as it is one bundle.
func (c *Closure) parts(name func(*Object) string) []*Part {
	list := []*Part{{}} // the first stands for who starts the programs
	index := map[string]int{}
	at := func(o *Object) int {
		n := name(o)
		if _, ok := index[n]; !ok {
			index[n] = len(list)
			list = append(list, &Part{Path: n})
		}
		return index[n]
	}
	for _, o := range c.Objects {
		p := list[at(o)]
		p.Objects = append(p.Objects, o)
		p.Size += o.Size
	}
	out := make([][]int, len(list))
	for _, m := range c.LinkMaps {
		program := at(m.Program().Object)
		out[0] = append(out[0], program)
		if m.Interp != nil {
			out[program] = append(out[program], at(m.Interp.Object)) // the kernel brings it for the program
		}
		for _, n := range m.edges() {
			if n.To != nil {
				from := at(n.From.Object)
				out[from] = append(out[from], at(n.To.Object))
			}
		}
	}
	return weigh(list, out)
}

// weigh fills in who holds what.
func weigh(list []*Part, out [][]int) []*Part {
	dom := dominators(out)
	order, _ := backwards(out)
	for _, p := range list {
		p.Retained = p.Size
	}
	for _, n := range slices.Backward(order) { // what is held stands behind its holder
		if holder := dom[n]; n != 0 && holder != 0 {
			list[n].Holder = list[holder]
			list[holder].Retained += list[n].Retained
			list[holder].Held = append(list[holder].Held, list[n])
		}
	}
	for _, p := range list {
		SortParts(p.Held, func(p *Part) int64 { return p.Retained })
	}
	SortParts(list[1:], func(p *Part) int64 { return p.Size })
	return list[1:]
}

// SortParts puts parts in the order of a weight, the heaviest first, and of equal ones by their paths.
func SortParts(parts []*Part, weight func(*Part) int64) {
	slices.SortFunc(parts, func(a, b *Part) int {
		return cmp.Or(cmp.Compare(weight(b), weight(a)), cmp.Compare(a.Path, b.Path))
	})
}
