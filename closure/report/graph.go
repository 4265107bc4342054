package report

import (
	"path"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// graph is one process: its objects, what brought each, and what findings say of them.
type graph struct {
	closure *closure.Closure
	m       *closure.LinkMap
	title   string  // the program as it was asked for: a wrapper, and not what it starts
	nodes   []*node // the program first, the loaded ones in load order, then those that are not there
	needs   []link  // all that objects need or open, in the order in which the loader asks
	astray  []link  // references that reach another copy than their own, once for each pair
	wanted  []link  // needs of a copy that is not kept
	found   []found
	panels  []*panel
	width   float64
	height  float64

	at     map[*closure.Loaded]*node
	byFile map[*closure.Object]*node
	absent map[string]*node // by name or path
}

// node is one object of a process, or one that it lacks.
type node struct {
	index    int
	kind     kind
	object   *closure.Object // nil where nothing answers
	loaded   *closure.Loaded // nil for what is not in the process
	name     string          // by which people know it
	path     string          // as opened
	store    string          // package and version of its store path; "" outside the store
	parent   *node           // who brought it first; nil for the program
	children []*node
	depth    int
	kept     bool // a copy that stands in the way of another
	astray   int  // how many of its references do not reach what they were linked with
	severity closure.Severity
	findings []int // indices into graph.found

	box
}

// kind of a node.
type kind string

const (
	isProgram kind = "program"
	isObject  kind = "object"
	isOpened  kind = "opened"  // loaded at run time
	isGhost   kind = "ghost"   // a copy that is wanted and not kept
	isMissing kind = "missing" // nothing answers the name
)

// fine is the severity of a node that no finding is about.
const fine = closure.Note + 1

// flagged reports whether a node is one to look at.
func (n *node) flagged() bool { return n.severity <= closure.Warning || n.loaded == nil }

// link is an edge of a graph.
type link struct {
	from, to *node
	need     *closure.Need    // of a need
	opens    bool             // it is opened at run time
	severity closure.Severity // of a finding's edge
	count    int              // references that go astray
	names    string           // their names, grouped
}

// found is a finding and the nodes that it is about.
type found struct {
	*closure.Finding
	copies []*node // of each of its copies
	users  []*node // of each of its users
}

// shownTitle is as much of it as a picture shows.
func (g *graph) shownTitle() string { return short(g.title, 60) }

// newGraph makes the graph of a link map, which findings are then put into.
func newGraph(c *closure.Closure, m *closure.LinkMap) *graph {
	g := &graph{
		closure: c, m: m, at: map[*closure.Loaded]*node{}, byFile: map[*closure.Object]*node{}, absent: map[string]*node{},
	}
	for _, l := range m.Loaded {
		g.load(l, isObject)
	}
	g.nodes[0].kind = isProgram
	if m.Interp != nil {
		g.load(m.Interp, isObject)
	}
	for _, o := range m.Opened {
		for _, l := range o.Scope {
			g.load(l, isOpened)
		}
	}
	for _, n := range m.Preloads {
		g.need(n, false)
	}
	for _, n := range m.Needs {
		g.need(n, false)
	}
	for _, o := range m.Opened {
		g.need(o.Need, true)
	}
	return g
}

// load adds an object of the process. Who brought it is there already: the walk is breadth first.
func (g *graph) load(l *closure.Loaded, k kind) {
	if g.at[l] != nil || g.byFile[l.Object] != nil {
		return
	}
	n := &node{kind: k, object: l.Object, loaded: l, name: closure.Visible(nameOf(l)), path: closure.Visible(l.Path), store: g.store(l.Path, l.Object)}
	g.at[l], g.byFile[l.Object] = n, n
	var parent *node
	if l.By != nil {
		parent = g.at[l.By.From]
	}
	g.add(n, parent)
}

// add adds a node below the one that brought it, the program where none is known.
func (g *graph) add(n, parent *node) {
	n.index, n.severity = len(g.nodes), fine
	if parent == nil && len(g.nodes) > 0 {
		parent = g.nodes[0]
	}
	if parent != nil {
		n.parent, n.depth = parent, parent.depth+1
		parent.children = append(parent.children, n)
	}
	g.nodes = append(g.nodes, n)
}

// nameOf is the name by which an object was asked for, where that is no path; else its file's.
func nameOf(l *closure.Loaded) string {
	if l.By != nil && !strings.Contains(l.By.Name, "/") {
		return l.By.Name
	}
	return path.Base(l.Path)
}

// store is package and version of the store path that a file lies in, by the path it was opened by or else by its own.
func (g *graph) store(opened string, o *closure.Object) string {
	name := storeName(g.closure.StoreDir, opened)
	if name == "" && o != nil {
		name = storeName(g.closure.StoreDir, o.Path)
	}
	return name
}

// storeName is package and version of a store path, without the machine that it is cross-compiled for; "" outside the store.
func storeName(storeDir, file string) string {
	sp, _, ok := closure.ParseStorePath(storeDir, file)
	if !ok {
		return ""
	}
	if v := sp.Version(); v != "" {
		return sp.Package() + "-" + v
	}
	return sp.Package()
}

// need adds an edge, and a node for what nothing answers.
func (g *graph) need(n *closure.Need, opens bool) {
	from := g.at[n.From]
	if from == nil {
		return // its file could not be loaded after all
	}
	var to *node
	if n.To != nil {
		to = g.byFile[n.To.Object]
	} else {
		to = g.lacking(n.Name, from)
	}
	if to != nil {
		g.needs = append(g.needs, link{from: from, to: to, need: n, opens: opens})
	}
}

// lacking is the node of a name that nothing answers.
func (g *graph) lacking(name string, by *node) *node {
	if n := g.absent[name]; n != nil {
		return n
	}
	n := &node{kind: isMissing, name: closure.Visible(name), path: closure.Visible(name)}
	g.absent[name] = n
	g.add(n, by)
	return n
}

// brings reports whether a need is the one that brought the object.
func (l *link) brings() bool {
	return l.need != nil && (l.to.loaded != nil && l.to.loaded.By == l.need || l.to.loaded == nil && l.to.parent == l.from)
}

// others is how many needs are not those that brought an object.
func (g *graph) others() int {
	count := 0
	for i := range g.needs {
		if !g.needs[i].brings() {
			count++
		}
	}
	return count
}
