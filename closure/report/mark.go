package report

import (
	"path"

	"github.com/nixbundle/nixbundle/closure"
)

// mark puts a finding into the graph: it colours the copies, adds those that are not in the process, and
// draws whose references go astray. What is only worth knowing is listed and colours nothing.
func (g *graph) mark(f *closure.Finding) {
	index := len(g.found)
	here := found{Finding: f}
	var kept *node
	for i := range f.Copies {
		n := g.copyOf(f, &f.Copies[i])
		here.copies = append(here.copies, n)
		if n == nil {
			continue
		}
		n.note(index, f.Severity)
		if f.Copies[i].Kept && kept == nil {
			kept = n
		}
	}
	clash := kept != nil && f.Chosen() && f.Severity <= closure.Warning
	if clash {
		kept.kept = true
	}
	for _, u := range f.Users {
		from := g.at[u.From]
		here.users = append(here.users, from)
		if from == nil {
			continue
		}
		from.note(index, fine)
		if clash && from != kept {
			from.astray += u.References
			g.astray = append(g.astray, link{
				from: from, to: kept, severity: f.Severity, count: u.References, names: closure.Visible(u.Names),
			})
		}
	}
	g.found = append(g.found, here)
}

// note notes that a finding is about a node.
func (n *node) note(finding int, s closure.Severity) {
	for _, known := range n.findings {
		if known == finding {
			return
		}
	}
	n.findings = append(n.findings, finding)
	if s <= closure.Warning {
		n.severity = min(n.severity, s)
	}
}

// copyOf is the node of a finding's copy: nil for one that is not in the process and only worth knowing.
func (g *graph) copyOf(f *closure.Finding, c *closure.Copy) *node {
	if c.Object == nil {
		return g.absent[c.Path]
	}
	if n := g.byFile[c.Object]; n != nil {
		return n
	}
	if f.Severity > closure.Warning {
		return nil
	}
	n := g.absent[c.Object.Path]
	if n == nil {
		n = &node{
			kind: isGhost, object: c.Object, name: closure.Visible(path.Base(c.Path)),
			path: closure.Visible(c.Path), store: g.store(c.Path, c.Object),
		}
		g.absent[c.Object.Path] = n
		g.add(n, g.wanter(c, 0))
	}
	for i := range c.Chains {
		if from := g.wanter(c, i); from != nil {
			g.want(link{from: from, to: n, severity: f.Severity})
		}
	}
	return n
}

// wanter is the node that a copy's chain of needs ends at.
func (g *graph) wanter(c *closure.Copy, i int) *node {
	if i >= len(c.Chains) || len(c.Chains[i]) == 0 {
		return nil
	}
	return g.at[c.Chains[i][len(c.Chains[i])-1].From]
}

// want adds an edge to a copy that is not kept, once.
func (g *graph) want(l link) {
	for _, w := range g.wanted {
		if w.from == l.from && w.to == l.to {
			return
		}
	}
	g.wanted = append(g.wanted, l)
}
