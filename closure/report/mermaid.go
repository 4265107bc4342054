package report

import (
	"fmt"
	"io"
	"strings"
)

// What GitHub and GitLab draw of one chart: more than so many edges or characters is an error in place of the picture
// (mermaid.js.org/config/schema-docs/config.html, maxEdges and maxTextSize; a page may not raise them).
const (
	mermaidEdges = 500
	mermaidText  = 50000
)

// WriteMermaid writes a flow chart of all programs, one subgraph each, as GitHub and GitLab draw it in a block
// marked mermaid. It has the needs that brought objects, and what findings are about. Of what would be past what
// they draw, it has what is wrong and what stands next to the program; the others are counted where they hang. A chart of several hundred programs is past it all the same.
func (r *Report) WriteMermaid(w io.Writer) error {
	most := 0
	for _, g := range r.graphs {
		most = max(most, len(g.nodes))
	}
	text, edges := r.mermaid(most)
	for most = min(most, mermaidEdges); most > 1 && (edges > mermaidEdges || len(text) > mermaidText); most = most * 3 / 4 {
		text, edges = r.mermaid(most)
	}
	_, err := io.WriteString(w, text)
	return err
}

// mermaid is the chart with the nodes of each program that matter most, so many, and how many edges it has.
func (r *Report) mermaid(most int) (text string, edges int) {
	var b strings.Builder
	m := &mermaid{Builder: &b}
	b.WriteString("flowchart LR\n")
	for i, g := range r.graphs {
		m.program = i
		m.graph(g, g.foremost(most))
	}
	b.WriteString("  classDef program fill:#eef3fd,stroke:#2456c7,color:#1d2433\n" +
		"  classDef error fill:#fff1f0,stroke:#d92d20,color:#1d2433\n" +
		"  classDef warning fill:#fff6ea,stroke:#c4660a,color:#1d2433\n" +
		"  classDef absent fill:#ffffff,stroke:#d92d20,color:#1d2433,stroke-dasharray:4 3\n")
	for i := range r.graphs {
		fmt.Fprintf(&b, "  style p%d fill:none,stroke:#c5cdda\n", i)
	}
	for _, l := range m.red {
		fmt.Fprintf(&b, "  linkStyle %d stroke:#d92d20,stroke-width:2px,color:#b42318\n", l)
	}
	return b.String(), m.edges
}

// mermaid writes one graph of several. Edges have no names: styles count them.
type mermaid struct {
	*strings.Builder
	program int
	edges   int
	red     []int
}

// graph writes those nodes of a graph that are drawn.
func (m *mermaid) graph(g *graph, drawn map[*node]bool) {
	fmt.Fprintf(m, "  subgraph p%d [%s]\n    direction LR\n", m.program, quoteMermaid(g.title+": "+g.summary()))
	for _, n := range g.nodes {
		if drawn[n] {
			fmt.Fprintf(m, "    %s[%s]%s\n", m.id(n), quoteMermaid(n.lines()...), mermaidClass(n))
		}
	}
	for _, n := range g.nodes {
		if !drawn[n] {
			continue
		}
		if left := g.undrawn(n, drawn); left > 0 {
			fmt.Fprintf(m, "    %sx(%s)\n", m.id(n), quoteMermaid(count(left, "more object", "more objects")))
		}
	}
	m.tree(g, drawn)
	for _, l := range g.wanted {
		if drawn[l.from] && drawn[l.to] {
			m.edge(l.from, l.to, "-.->|wants|", true)
		}
	}
	for _, l := range g.astray {
		if drawn[l.from] && drawn[l.to] {
			m.edge(l.from, l.to, "==>|"+quoteMermaid(count(l.count, "reference", "references"))+"|", true)
		}
	}
	fmt.Fprint(m, "  end\n")
}

// tree writes the edges from each node to what it brought.
func (m *mermaid) tree(g *graph, drawn map[*node]bool) {
	for _, n := range g.nodes[1:] {
		switch {
		case !drawn[n], n.kind == isGhost: // which is among those who want it
		case n.kind == isOpened, n.kind == isMissing:
			m.edge(n.parent, n, "-.->", false)
		default:
			m.edge(n.parent, n, "-->", false)
		}
	}
	for _, n := range g.nodes {
		if drawn[n] && g.undrawn(n, drawn) > 0 {
			m.edges++
			fmt.Fprintf(m, "    %s --> %[1]sx\n", m.id(n))
		}
	}
}

func (m *mermaid) id(n *node) string { return fmt.Sprintf("p%dn%d", m.program, n.index) }

func (m *mermaid) edge(from, to *node, arrow string, red bool) {
	if red {
		m.red = append(m.red, m.edges)
	}
	m.edges++
	fmt.Fprintf(m, "    %s %s %s\n", m.id(from), arrow, m.id(to))
}

func mermaidClass(n *node) string {
	switch {
	case n.kind == isGhost, n.kind == isMissing:
		return ":::absent"
	case classWord(n) != "":
		return ":::" + classWord(n)
	case n.kind == isProgram:
		return ":::program"
	}
	return ""
}

// quoteMermaid writes lines of text as one quoted text of a flow chart. Everything that is a sign of the language, of
// Markdown, which it reads in texts, or of HTML becomes an entity with its number
// (mermaid.js.org/syntax/flowchart.html, "Entity codes to escape characters").
func quoteMermaid(lines ...string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, line := range lines {
		if i > 0 {
			b.WriteString("<br/>")
		}
		for _, r := range line {
			switch {
			case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r > '~', strings.ContainsRune(" .-+,:/·", r):
				b.WriteRune(r)
			case r == '\\':
				b.WriteRune('⧵') // it makes a new line of a backslash and an n, however they are written
			default:
				fmt.Fprintf(&b, "#%d;", r)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}
