package report

import (
	"cmp"
	"slices"

	"github.com/nixbundle/nixbundle/closure"
)

// foremost are the nodes that matter most, up to so many, each with all that lead to it from the program: those that
// have an error, then whose references go astray, then those with a warning, then those near the program.
func (g *graph) foremost(most int) map[*node]bool {
	nodes := slices.Clone(g.nodes)
	slices.SortStableFunc(nodes, func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.weight(), b.weight()), cmp.Compare(a.depth, b.depth))
	})
	drawn := map[*node]bool{g.nodes[0]: true}
	for _, n := range nodes {
		chain := 0
		for at := n; !drawn[at]; at = at.parent {
			chain++
		}
		if len(drawn)+chain > most {
			continue // one that is nearer may still have its place
		}
		for at := n; !drawn[at]; at = at.parent {
			drawn[at] = true
		}
	}
	return drawn
}

// weight is less for what matters more.
func (n *node) weight() int {
	switch {
	case n.severity == closure.Error:
		return 0
	case n.astray > 0:
		return 1
	case n.flagged():
		return 2
	}
	return 3
}

// undrawn is how many nodes hang below one that are not drawn, and below none that is nearer to them.
func (g *graph) undrawn(n *node, drawn map[*node]bool) int {
	sum := 0
	for _, c := range n.children {
		if !drawn[c] {
			sum += 1 + g.undrawn(c, drawn)
		}
	}
	return sum
}
