package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteMermaid writes a flow chart of all programs, one subgraph each, as GitHub and GitLab draw it in a block
// marked mermaid. It has the needs that brought objects, and what findings are about: more would be past what they draw.
func (r *Report) WriteMermaid(w io.Writer) error {
	return writing(w, func(out *bufio.Writer) {
		fmt.Fprint(out, "flowchart LR\n")
		m := &mermaid{Writer: out}
		for i, g := range r.graphs {
			m.program = i
			m.graph(g)
		}
		fmt.Fprint(out, "  classDef program fill:#eef3fd,stroke:#2456c7,color:#1d2433\n"+
			"  classDef error fill:#fff1f0,stroke:#d92d20,color:#1d2433\n"+
			"  classDef warning fill:#fff6ea,stroke:#c4660a,color:#1d2433\n"+
			"  classDef absent fill:#ffffff,stroke:#d92d20,color:#1d2433,stroke-dasharray:4 3\n")
		for i := range r.graphs {
			fmt.Fprintf(out, "  style p%d fill:none,stroke:#c5cdda\n", i)
		}
		for _, l := range m.red {
			fmt.Fprintf(out, "  linkStyle %d stroke:#d92d20,stroke-width:2px,color:#b42318\n", l)
		}
	})
}

// mermaid writes one graph of several. Edges have no names: styles count them.
type mermaid struct {
	*bufio.Writer
	program int
	edges   int
	red     []int
}

func (m *mermaid) graph(g *graph) {
	fmt.Fprintf(m, "  subgraph p%d [%s]\n    direction LR\n", m.program, quoteMermaid(g.title+": "+g.summary()))
	for _, n := range g.nodes {
		fmt.Fprintf(m, "    %s[%s]%s\n", m.id(n), quoteMermaid(n.lines()...), mermaidClass(n))
	}
	for _, n := range g.nodes[1:] {
		switch n.kind {
		case isGhost: // among those who want it
		case isOpened, isMissing:
			m.edge(n.parent, n, "-.->", false)
		default:
			m.edge(n.parent, n, "-->", false)
		}
	}
	for _, l := range g.wanted {
		m.edge(l.from, l.to, "-.->|wants|", true)
	}
	for _, l := range g.astray {
		m.edge(l.from, l.to, "==>|"+quoteMermaid(count(l.count, "reference", "references"))+"|", true)
	}
	fmt.Fprint(m, "  end\n")
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
