package report

import (
	"math"
	"strings"
)

// edge draws an edge that is not the tree's, with an arrow. It goes up and down between two columns, where no label is:
// into the target's left side or, from columns further on, into its right side. The lane keeps edges to
// several targets apart.
func (s *svg) edge(class string, l link, lane int) {
	way, arrow := l.way(float64(lane%4) * 3)
	end := way[len(way)-1]
	d := rounded(way)
	s.f(`<g class="edge `+class+`" data-from="%d" data-to="%d"><title>%s</title>`, l.from.index, l.to.index, l.tip())
	s.f(`<path class="halo" d="%s"/><path class="way" d="%s"/>`, d, d)
	s.f(`<path class="head" d="M%s %sl%s -4v8z"/></g>`+"\n", num(end.x+7*arrow), num(end.y), num(-7*arrow))
}

// point of a picture.
type point struct{ x, y float64 }

// way is the corners of an edge, and in which direction it ends: 1 to the right.
func (l *link) way(lane float64) ([]point, float64) {
	a, b := l.from, l.to
	left := func(n *node) float64 { return n.x - maxRadius - 7 }
	channel := func(n *node) float64 { return n.x - maxRadius - 18 - lane }
	end := point{left(b) - 6, b.y}
	switch {
	case a.depth == b.depth:
		return []point{{left(a), a.y}, {channel(b), a.y}, {channel(b), b.y}, end}, 1
	case a.depth == b.depth-1:
		return []point{{a.right + 3, a.y}, {channel(b), a.y}, {channel(b), b.y}, end}, 1
	case a.depth < b.depth:
		between := b.y - math.Copysign(rowHeight/2, b.y-a.y)
		return []point{{a.right + 3, a.y}, {a.trunk - lane, a.y}, {a.trunk - lane, between}, {channel(b), between}, {channel(b), b.y}, end}, 1
	}
	return []point{{left(a), a.y}, {channel(a), a.y}, {channel(a), b.y}, {b.right + 9, b.y}}, -1
}

// rounded is the path along some corners.
func rounded(way []point) number {
	const round = 7.0
	var d strings.Builder
	d.WriteString("M" + xy(way[0]))
	for i := 1; i < len(way)-1; i++ {
		before, at, after := way[i-1], way[i], way[i+1]
		r := min(round, distance(before, at)/2, distance(at, after)/2)
		d.WriteString("L" + xy(toward(at, before, r)) + "Q" + xy(at) + " " + xy(toward(at, after, r)))
	}
	d.WriteString("L" + xy(way[len(way)-1]))
	return number(d.String())
}

func xy(p point) string { return string(num(p.x)) + " " + string(num(p.y)) }

func distance(a, b point) float64 { return math.Hypot(b.x-a.x, b.y-a.y) }

// toward is the point at a distance from a on the way to b.
func toward(a, b point, d float64) point {
	whole := distance(a, b)
	if whole == 0 {
		return a
	}
	return point{a.x + (b.x-a.x)*d/whole, a.y + (b.y-a.y)*d/whole}
}

// tip is what an edge says when it is pointed at.
func (l *link) tip() string {
	if l.count == 0 {
		return l.from.name + " wants " + l.to.path
	}
	verb := " reach "
	if l.count == 1 {
		verb = " reaches "
	}
	return count(l.count, "reference", "references") + " of " + l.from.name + " to " + l.names + verb + l.to.path
}
