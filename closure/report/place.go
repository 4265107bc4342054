package report

import (
	"math"
	"strings"
)

// The picture's measures, in pixels.
const (
	fontSize   = 12.0
	rowHeight  = 24.0
	gapRows    = 6.0  // between two branches
	gapColumn  = 46.0 // from the widest label of a column to the next column
	margin     = 24.0
	titleSize  = 64.0 // what stands above the graph
	titleFont  = 23.0 // as wide as 19 in bold
	legendSize = 52.0 // below it
	maxRadius  = 10.0
	minRadius  = 2.5
	maxLabel   = 34 // characters
	alone      = 3  // up to so many leaves stand in the rows of the tree, more in a panel
)

// box is where a node is drawn: x and y are its circle's centre, and right is where its label ends.
type box struct {
	x, y, r, right float64
	label          string
	aside          string  // a second, fainter text behind the label
	panel          *panel  // the panel that it is in
	trunk          float64 // where the lines to its children go up and down
}

// panel holds the leaves of one node, in columns: what brings nothing else needs no line of its own.
type panel struct {
	of         *node
	nodes      []*node
	x, y, w, h float64
}

// placer lays a graph out as a tree from left to right. Every branch has rows of its own, so that
// nothing can overlap; columns are the steps from the program.
type placer struct {
	*graph
	columns []float64         // left edges
	leaves  map[*node][]*node // of each node that has a panel
	inPanel map[*node]bool
	panels  []*panel
}

// place lays the graph out.
func (g *graph) place() {
	p := &placer{graph: g, leaves: map[*node][]*node{}, inPanel: map[*node]bool{}}
	p.choosePanels()
	p.sizes()
	p.setColumns()
	bottom := p.branch(g.nodes[0], margin+titleSize)
	g.panels, g.height = p.panels, bottom+margin+legendSize
	g.width = max(g.legendWidth(), 2*margin+width(g.shownTitle())*titleFont, 2*margin+width(g.summary())*(fontSize+1))
	for _, n := range g.nodes {
		g.width = max(g.width, n.right+margin)
	}
	for _, p := range g.panels {
		g.width = max(g.width, p.x+p.w+margin)
	}
}

// sizes gives each node its circle, whose area is the object's size, and its label.
func (p *placer) sizes() {
	largest := int64(1)
	for _, n := range p.nodes {
		if n.object != nil {
			largest = max(largest, n.object.Size)
		}
	}
	for _, n := range p.nodes {
		n.r = minRadius + 2
		if n.object != nil {
			n.r = max(minRadius, maxRadius*math.Sqrt(float64(n.object.Size)/float64(largest)))
		}
		n.label = short(n.name, maxLabel)
		n.aside = n.role()
		if store := short(n.store, maxLabel); n.flagged() && store != "" {
			n.aside = strings.TrimSuffix(store+", "+n.aside, ", ")
		}
	}
}

// labelWidth is how far a node's texts reach from its centre.
func (n *node) labelWidth() float64 {
	w := maxRadius + 6 + width(n.label)*fontSize
	if n.aside != "" {
		w += 8 + width(n.aside)*(fontSize-1.5)
	}
	if n.flagged() || n.kind == isProgram {
		w += 8
	}
	return w
}

// choosePanels decides what stands in panels: leaves that nothing is wrong with, where there are many.
func (p *placer) choosePanels() {
	for _, n := range p.nodes {
		var leaves []*node
		for _, c := range n.children {
			if len(c.children) == 0 && !c.flagged() {
				leaves = append(leaves, c)
			}
		}
		if len(leaves) > alone {
			p.leaves[n] = leaves
			for _, l := range leaves {
				p.inPanel[l] = true
			}
		}
	}
}

// setColumns makes each column as wide as what stands in it in the rows of the tree.
func (p *placer) setColumns() {
	var widest []float64
	for _, n := range p.nodes {
		for len(widest) <= n.depth+1 {
			widest = append(widest, 0)
		}
		if len(n.children) > 0 {
			widest[n.depth] = max(widest[n.depth], n.labelWidth())
		}
	}
	x := margin + maxRadius + 4
	for _, w := range widest {
		p.columns = append(p.columns, x)
		x += w + gapColumn
	}
}

// branch places a node and what it brought from the height top on, and tells where that ends.
func (p *placer) branch(n *node, top float64) (bottom float64) {
	n.x = p.columns[n.depth]
	n.right = n.x + n.labelWidth()
	n.trunk = p.columns[n.depth+1] - maxRadius - 22
	y, first, last := top, math.Inf(1), math.Inf(-1)
	for _, c := range n.children {
		if !p.inPanel[c] {
			y = p.branch(c, y)
			first, last = min(first, c.y), max(last, c.y)
		}
	}
	if leaves := p.leaves[n]; leaves != nil {
		panel := p.panel(n, leaves, y)
		first, last = min(first, panel.middle()), max(last, panel.middle())
		y = panel.y + panel.h + gapRows
	}
	if y == top {
		n.y = top + rowHeight/2
		return top + rowHeight
	}
	n.y = (first + last) / 2
	if first == last {
		n.y = first
	}
	return max(y, top+rowHeight)
}

// panel places leaves in columns below each other.
func (p *placer) panel(of *node, leaves []*node, top float64) *panel {
	const inset = 8
	box := &panel{of: of, nodes: leaves, x: p.columns[of.depth+1] - maxRadius - inset, y: top + gapRows/2}
	columns := min(4, (len(leaves)+4)/5)
	rows := (len(leaves) + columns - 1) / columns
	x := box.x + inset + maxRadius
	for at := 0; at < len(leaves); at += rows {
		widest := 0.0
		for i, n := range leaves[at:min(at+rows, len(leaves))] {
			n.panel, n.x, n.y = box, x, box.y+inset/2+rowHeight*(float64(i)+0.5)
			n.right = x + n.labelWidth()
			widest = max(widest, n.labelWidth())
		}
		x += widest + 2*maxRadius
	}
	box.w = x - maxRadius - box.x
	box.h = float64(rows)*rowHeight + inset
	p.panels = append(p.panels, box)
	return box
}

// middle is the height at which the line to a panel ends.
func (b *panel) middle() float64 { return b.y + min(b.h/2, rowHeight) }
