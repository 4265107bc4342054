package report

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// Report is what there is to draw of a closure. It is not changed by being written.
type Report struct {
	closure *closure.Closure
	graphs  []*graph
}

// New makes the report of a closure and of what was found in it: [closure.Check], [closure.Judge], or what of
// theirs is not accepted. A finding counts for each program whose path it has. Neither may be changed
// as long as the report is used.
func New(c *closure.Closure, findings []closure.Finding) *Report {
	r := &Report{closure: c}
	for _, m := range c.LinkMaps {
		if len(m.Loaded) == 0 {
			continue // nobody walked it
		}
		g := newGraph(c, m)
		for i := range findings {
			if f := &findings[i]; f.Program == m.Program().Path {
				g.mark(f)
			}
		}
		r.graphs = append(r.graphs, g)
	}
	r.nameGraphs()
	for _, g := range r.graphs {
		g.place()
	}
	return r
}

// nameGraphs titles each graph with its program's name, or where two have the same with the path.
func (r *Report) nameGraphs() {
	count := map[string]int{}
	for _, g := range r.graphs {
		count[path.Base(g.m.Asked)]++
	}
	for _, g := range r.graphs {
		name := g.m.Asked
		if count[path.Base(name)] == 1 {
			name = path.Base(name)
		}
		g.title = closure.Visible(name)
	}
}

// Format is a form that a report can be written in.
type Format string

// The formats.
const (
	SVG     Format = "svg"     // a picture that browsers show, light and dark
	DOT     Format = "dot"     // text for Graphviz
	Mermaid Format = "mermaid" // text that GitHub and others draw
	HTML    Format = "html"    // a page to look around in
)

// Formats are all of them.
func Formats() []Format { return []Format{SVG, DOT, Mermaid, HTML} }

// ParseFormat reads the name of a format.
func ParseFormat(name string) (Format, error) {
	if f := Format(name); slices.Contains(Formats(), f) {
		return f, nil
	}
	return "", fmt.Errorf("format %q: it is svg, dot, mermaid or html", name)
}

// FormatOf is the format that the ending of a file's name stands for: .svg, .dot or .gv, .mmd or .mermaid, .html or .htm.
func FormatOf(file string) (Format, error) {
	switch ending := strings.ToLower(path.Ext(file)); ending {
	case ".svg":
		return SVG, nil
	case ".dot", ".gv":
		return DOT, nil
	case ".mmd", ".mermaid":
		return Mermaid, nil
	case ".html", ".htm":
		return HTML, nil
	}
	return "", fmt.Errorf("%s: its ending is not .svg, .dot, .gv, .mmd or .html", file)
}

// Write writes the report in a format. The error is that of w, or that there is no such format.
func (r *Report) Write(w io.Writer, f Format) error {
	switch f {
	case SVG:
		return r.WriteSVG(w)
	case DOT:
		return r.WriteDOT(w)
	case Mermaid:
		return r.WriteMermaid(w)
	case HTML:
		return r.WriteHTML(w)
	}
	_, err := ParseFormat(string(f))
	return err
}

// writing gives text to a writer and keeps the first error, which bufio does.
func writing(w io.Writer, write func(*bufio.Writer)) error {
	out := bufio.NewWriter(w)
	write(out)
	return out.Flush()
}
