package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteDOT writes a graph of all programs for Graphviz, one cluster each, with all needs: those that did not
// bring an object are faint and do not pull at the layout.
func (r *Report) WriteDOT(w io.Writer) error {
	return writing(w, func(out *bufio.Writer) {
		fmt.Fprint(out, "digraph nixbundle {\n  rankdir=LR;\n"+
			"  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f5f7fa\", color=\"#c5cdda\", fontname=\"Helvetica\", fontsize=11];\n"+
			"  edge [color=\"#8894ab\", fontname=\"Helvetica\", fontsize=9, arrowsize=0.6];\n")
		for i, g := range r.graphs {
			dot{out, i}.graph(g)
		}
		fmt.Fprint(out, "}\n")
	})
}

// dot writes one graph of several.
type dot struct {
	*bufio.Writer
	program int
}

func (d dot) graph(g *graph) {
	fmt.Fprintf(d, "  subgraph cluster_%d {\n    label=%s; labeljust=l; color=\"#c5cdda\"; style=rounded; fontname=\"Helvetica\";\n",
		d.program, quoteDOT(g.title, g.summary()))
	for _, n := range g.nodes {
		fmt.Fprintf(d, "    %s [label=%s, tooltip=%s%s];\n", d.id(n), quoteDOT(n.lines()...), quoteDOT(n.path), dotStyle(n))
	}
	for i := range g.needs {
		l := &g.needs[i]
		switch {
		case !l.brings():
			d.edge(l, "color=\"#dde2ea\", constraint=false")
		case l.opens:
			d.edge(l, "style=dotted")
		default:
			d.edge(l, "")
		}
	}
	for _, n := range g.nodes {
		if n.loaded != nil && n.loaded.By == nil && n.parent != nil {
			d.edge(&link{from: n.parent, to: n}, "") // the kernel brings the program's loader
		}
	}
	for i := range g.wanted {
		d.edge(&g.wanted[i], "color=\"#d92d20\", style=dashed")
	}
	for i := range g.astray {
		l := &g.astray[i]
		d.edge(l, "color=\"#d92d20\", penwidth=2, constraint=false, label="+quoteDOT(count(l.count, "reference", "references"))+
			", fontcolor=\"#b42318\", tooltip="+quoteDOT(l.tip()))
	}
	fmt.Fprint(d, "  }\n")
}

func (d dot) id(n *node) string { return fmt.Sprintf("p%dn%d", d.program, n.index) }

func (d dot) edge(l *link, style string) {
	if style != "" {
		style = " [" + style + "]"
	}
	fmt.Fprintf(d, "    %s -> %s%s;\n", d.id(l.from), d.id(l.to), style)
}

// lines are what a node says, where there is room for lines.
func (n *node) lines() []string {
	lines := []string{n.name}
	if n.flagged() && n.store != "" {
		lines = append(lines, n.store)
	}
	if role := n.role(); role != "" {
		lines = append(lines, role)
	}
	if n.object != nil {
		lines = append(lines, bytesText(n.object.Size))
	}
	return lines
}

// dotStyle is how a node looks.
func dotStyle(n *node) string {
	fill := map[string]string{"error": "#fff1f0", "warning": "#fff6ea"}[classWord(n)]
	switch {
	case n.kind == isGhost, n.kind == isMissing:
		return `, style="rounded,dashed", color="#d92d20"`
	case fill != "":
		return fmt.Sprintf(", fillcolor=%q, color=\"#d92d20\"", fill)
	case n.kind == isProgram:
		return `, fillcolor="#eef3fd", color="#2456c7"`
	case n.kind == isOpened:
		return `, style="rounded,dotted"`
	}
	return ""
}

// quoteDOT writes lines of text as one quoted string of the DOT language, in which only the quote must be escaped
// (graphviz.org/doc/info/lang.html); a label reads further escapes that begin with a backslash (escString).
func quoteDOT(lines ...string) string {
	text := strings.Join(lines, "\x00")
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x00", `\n`, "&", "&amp;").Replace(text) + `"`
}
