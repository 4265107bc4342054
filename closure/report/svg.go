package report

import (
	"bufio"
	_ "embed"
	"fmt"
	"html"
	"io"
	"strings"
)

// graphStyle colours a picture, light and dark. It has no custom properties: not every program that shows
// SVG knows them.
//
//go:embed page/graph.css
var graphStyle string

// WriteSVG writes one picture that has a graph of each program below the other. It has no script, takes nothing
// from elsewhere, and tells what it shows in titles. Its colours follow the reader's light or dark mode.
func (r *Report) WriteSVG(w io.Writer) error {
	return writing(w, func(out *bufio.Writer) {
		wide, high := 0.0, 0.0
		for _, g := range r.graphs {
			wide, high = max(wide, g.width), high+g.height
		}
		s := &svg{out}
		s.f(`<svg xmlns="http://www.w3.org/2000/svg" class="graph" viewBox="0 0 %s %s" width="%s" height="%s" role="img">`+"\n",
			num(wide), num(high), num(wide), num(high))
		s.f("<title>%s</title>\n<style>%s</style>\n", "what the loader loads, and what it mixes up", strings.TrimSpace(graphStyle))
		s.f(`<rect class="paper" width="%s" height="%s"/>`+"\n", num(wide), num(high))
		top := 0.0
		for _, g := range r.graphs {
			s.f(`<g transform="translate(0 %s)">`+"\n", num(top))
			s.graph(g)
			s.f("</g>\n")
			top += g.height
		}
		s.f("</svg>\n")
	})
}

// svg writes SVG.
type svg struct{ *bufio.Writer }

// f writes formatted text; every string among the arguments is text and is escaped.
func (s *svg) f(format string, args ...any) {
	for i, arg := range args {
		switch v := arg.(type) {
		case number:
			args[i] = string(v)
		case string:
			if v != strings.TrimSpace(graphStyle) {
				args[i] = html.EscapeString(v)
			}
		}
	}
	fmt.Fprintf(s, format, args...)
}

// number is a length as it stands in SVG.
type number string

func num(v float64) number {
	return number(strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.1f", v), "0"), "."))
}

// graph draws one graph with its title.
func (s *svg) graph(g *graph) {
	s.f(`<text class="name" x="%s" y="36">%s</text>`+"\n", num(margin), g.shownTitle())
	s.f(`<text class="muted" x="%s" y="56">%s</text>`+"\n", num(margin), g.summary())
	s.body(g)
}

// body draws lines, then nodes, then what goes astray above all.
func (s *svg) body(g *graph) {
	for _, p := range g.panels {
		s.f(`<rect class="panel" x="%s" y="%s" width="%s" height="%s" rx="8"/>`+"\n", num(p.x), num(p.y), num(p.w), num(p.h))
		s.trunk("", p.of, -1, p.x, p.middle())
	}
	for _, n := range g.nodes {
		if n.parent != nil && n.panel == nil {
			s.trunk(lineClass(n), n.parent, n.index, n.x-n.r-3, n.y)
		}
	}
	for i, l := range g.wanted {
		if l.to.parent != l.from {
			s.edge("wanted "+severityName(l.severity), l, i)
		}
	}
	for _, n := range g.nodes {
		s.node(n)
	}
	for i, l := range g.astray {
		s.edge("astray "+severityName(l.severity), l, i)
	}
	s.legend(g)
}

// lineClass is how the line to a node looks.
func lineClass(n *node) string {
	switch n.kind {
	case isGhost, isMissing:
		return " " + strings.TrimSpace("lacks "+classWord(n))
	case isOpened:
		return " opens"
	}
	return ""
}

// trunk draws the line from a node to what it brought: along the row, then down a common trunk, with round corners. It leads
// to the node to, or where that is -1 to the panel.
func (s *svg) trunk(class string, from *node, to int, x, y float64) {
	const round = 8
	start, trunk := from.right+4, from.trunk
	if d := y - from.y; d > 1 || d < -1 {
		r, sign := min(round, max(d, -d)/2), 1.0
		if d < 0 {
			sign = -1
		}
		s.f(`<path class="line%s" data-of="%d" data-to="%d" d="M%s %sH%sQ%s %s %s %sV%sQ%s %s %s %sH%s"/>`+"\n", class, from.index, to, num(start), num(from.y), num(trunk-r),
			num(trunk), num(from.y), num(trunk), num(from.y+sign*r), num(y-sign*r), num(trunk), num(y), num(trunk+r), num(y), num(x))
		return
	}
	s.f(`<path class="line%s" data-of="%d" data-to="%d" d="M%s %sH%s"/>`+"\n", class, from.index, to, num(start), num(from.y), num(x))
}

// node draws one object: a circle whose area is its size, and its name.
func (s *svg) node(n *node) {
	s.f(`<g class="node %s%s" data-node="%d"><title>%s</title>`, string(n.kind), classes(n), n.index, n.tip())
	if n.flagged() || n.kind == isProgram {
		left := n.x - maxRadius - 5
		s.f(`<rect class="pill" x="%s" y="%s" width="%s" height="%s" rx="10"/>`, num(left), num(n.y-10), num(n.right-left), num(20))
	}
	s.f(`<circle cx="%s" cy="%s" r="%s"/>`, num(n.x), num(n.y), num(n.r))
	s.f(`<text x="%s" y="%s">%s`, num(n.x+maxRadius+6), num(n.y+4), n.label)
	if n.aside != "" {
		s.f(`<tspan class="aside" dx="8">%s</tspan>`, n.aside)
	}
	s.f("</text></g>\n")
}

// classes are those of a node beside its kind.
func classes(n *node) string {
	class := ""
	if n.loaded == nil {
		class = " absent"
	}
	if word := classWord(n); word != "" {
		class += " " + word
	}
	if n.kept {
		class += " kept"
	}
	if n.astray > 0 {
		class += " user"
	}
	return class
}

// tip is what a node says when it is pointed at.
func (n *node) tip() string {
	text := n.path
	if n.object != nil {
		text += "\n" + bytesText(n.object.Size)
	}
	if role := n.role(); role != "" {
		text += "\n" + role
	}
	return text
}
