package report

import (
	"path"

	"github.com/nixbundle/nixbundle/closure"
)

// page is what the page's script knows. Nodes and findings are named by their indices in their program's lists;
// -1 is none.
type page struct {
	Programs []pageProgram `json:"programs"`
	Parts    []pagePart    `json:"parts"` // store paths, the largest first
	Kinds    []pageKind    `json:"kinds"` // those that findings are of
}

// pageKind tells of a kind of findings.
type pageKind struct {
	Kind  closure.Kind `json:"kind"`
	Title string       `json:"title"`
	What  string       `json:"what"`
	Help  string       `json:"help"`
}

type pageProgram struct {
	Name     string        `json:"name"`
	Path     string        `json:"path"`
	Summary  string        `json:"summary"`
	Nodes    []pageNode    `json:"nodes"`
	Needs    []pageNeed    `json:"needs"`
	Findings []pageFinding `json:"findings"`
}

type pageNode struct {
	Name     string  `json:"name"`
	Kind     kind    `json:"kind"`
	Role     string  `json:"role"`
	Path     string  `json:"path"`
	File     string  `json:"file"`
	Store    string  `json:"store"`
	Soname   string  `json:"soname"`
	RunPath  string  `json:"runPath"`
	RPath    string  `json:"rpath"`
	Why      string  `json:"why"`
	Size     int64   `json:"size"`
	Retained int64   `json:"retained"`
	Severity string  `json:"severity"`
	Findings []int   `json:"findings"`
	Parent   int     `json:"parent"`
	X        float64 `json:"x"`
	Y        float64 `json:"y"`
	Right    float64 `json:"right"`
}

type pageNeed struct {
	From int    `json:"from"`
	To   int    `json:"to"`
	Name string `json:"name"`
	Rule string `json:"rule"`
}

type pageFinding struct {
	Kind     closure.Kind `json:"kind"`
	Severity string       `json:"severity"`
	Name     string       `json:"name"`
	What     string       `json:"what"`
	Advice   string       `json:"advice"`
	Copies   []pageCopy   `json:"copies"`
	Users    []pageUser   `json:"users"`
}

type pageCopy struct {
	Node   int      `json:"node"`
	Path   string   `json:"path"`
	Label  string   `json:"label"`
	Kept   bool     `json:"kept"`
	Chains [][]int  `json:"chains"`
	Tried  []string `json:"tried"`
}

type pageUser struct {
	Node       int    `json:"node"`
	Name       string `json:"name"`
	References int    `json:"references"`
	Names      string `json:"names"`
}

type pagePart struct {
	Name    string       `json:"name"`
	Size    int64        `json:"size"`
	Objects []pageObject `json:"objects"` // the largest first
}

type pageObject struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	Size  int64  `json:"size"`
	Nodes []int  `json:"nodes"` // in each program
}

// page gathers it.
func (r *Report) page() page {
	if len(r.graphs) == 0 {
		return page{Programs: []pageProgram{}, Parts: []pagePart{}, Kinds: []pageKind{}}
	}
	weights := map[*closure.Object]*closure.Part{}
	for _, p := range r.closure.ByObject() {
		for _, o := range p.Objects {
			weights[o] = p
		}
	}
	p := page{Programs: []pageProgram{}, Parts: r.parts(weights), Kinds: r.kinds()}
	for _, g := range r.graphs {
		p.Programs = append(p.Programs, g.page(weights))
	}
	return p
}

func (g *graph) page(weights map[*closure.Object]*closure.Part) pageProgram {
	p := pageProgram{
		Name: g.title, Path: closure.Visible(g.m.Asked), Summary: g.summary(),
		Nodes: []pageNode{}, Needs: []pageNeed{}, Findings: []pageFinding{},
	}
	for _, n := range g.nodes {
		p.Nodes = append(p.Nodes, n.page(weights))
	}
	for _, l := range g.needs {
		p.Needs = append(p.Needs, pageNeed{l.from.index, l.to.index, closure.Visible(l.need.Name), l.need.Rule.String()})
	}
	for i := range g.found {
		p.Findings = append(p.Findings, g.found[i].page(g))
	}
	return p
}

func (n *node) page(weights map[*closure.Object]*closure.Part) pageNode {
	p := pageNode{
		Name: n.name, Kind: n.kind, Role: n.role(), Path: n.path, Store: n.store, Severity: severityName(n.severity),
		Findings: append([]int{}, n.findings...), Parent: indexOf(n.parent), X: rounded10(n.x), Y: rounded10(n.y), Right: rounded10(n.right),
	}
	if o := n.object; o != nil {
		p.File, p.Soname, p.Size = closure.Visible(o.Path), closure.Visible(o.Info.Soname), o.Size
		if part := weights[o]; part != nil { // a copy that is not loaded has none
			p.Retained = part.Retained
		}
		p.RunPath, p.RPath = closure.Visible(o.Info.RunPath), closure.Visible(o.Info.RPath)
	}
	if n.loaded != nil && n.loaded.By != nil {
		p.Why = closure.Visible(n.loaded.By.Rule.String())
	}
	return p
}

func indexOf(n *node) int {
	if n == nil {
		return -1
	}
	return n.index
}

func rounded10(v float64) float64 { return float64(int(v*10+0.5)) / 10 }

func (f *found) page(g *graph) pageFinding {
	p := pageFinding{
		Kind: f.Kind, Severity: f.Severity.String(), Name: closure.Visible(f.Name), What: closure.Visible(f.What), Advice: closure.Visible(f.Advice),
		Copies: []pageCopy{}, Users: []pageUser{},
	}
	for i := range f.Copies {
		p.Copies = append(p.Copies, f.copyPage(g, i))
	}
	for i, u := range f.Users {
		p.Users = append(p.Users, pageUser{indexOf(f.users[i]), closure.Visible(path.Base(u.From.Path)), u.References, closure.Visible(u.Names)})
	}
	return p
}

func (f *found) copyPage(g *graph, i int) pageCopy {
	c := &f.Copies[i]
	p := pageCopy{Node: indexOf(f.copies[i]), Path: closure.Visible(c.Path), Label: f.State(c), Kept: c.Kept, Chains: [][]int{}, Tried: []string{}}
	for _, chain := range c.Chains {
		nodes := []int{}
		for _, n := range chain {
			if from := g.at[n.From]; from != nil {
				nodes = append(nodes, from.index)
			}
		}
		if p.Node >= 0 {
			nodes = append(nodes, p.Node)
		}
		p.Chains = append(p.Chains, nodes)
	}
	for _, t := range c.Tried {
		p.Tried = append(p.Tried, closure.Visible(t.Path+": "+t.Why))
	}
	return p
}

// kinds are those of the findings that there are.
func (r *Report) kinds() []pageKind {
	has := map[closure.Kind]bool{}
	for _, g := range r.graphs {
		for i := range g.found {
			has[g.found[i].Kind] = true
		}
	}
	list := []pageKind{}
	for _, k := range closure.Kinds() {
		if has[k.Kind] {
			list = append(list, pageKind{k.Kind, k.Title, k.What, k.Help})
		}
	}
	return list
}

// parts are the store paths with their objects.
func (r *Report) parts(weights map[*closure.Object]*closure.Part) []pagePart {
	parts := []pagePart{}
	for _, p := range r.closure.ByStorePath() {
		part := pagePart{Name: closure.Visible(r.partName(p.Path)), Size: p.Size, Objects: []pageObject{}}
		var objects []*closure.Part
		for _, o := range p.Objects {
			objects = append(objects, weights[o])
		}
		closure.SortParts(objects, func(p *closure.Part) int64 { return p.Size })
		for _, o := range objects {
			part.Objects = append(part.Objects, r.object(o))
		}
		parts = append(parts, part)
	}
	return parts
}

func (r *Report) partName(p string) string {
	if name := storeName(r.closure.StoreDir, p); name != "" {
		return name
	}
	return path.Base(p)
}

func (r *Report) object(p *closure.Part) pageObject {
	o := pageObject{Name: closure.Visible(path.Base(p.Path)), File: closure.Visible(p.Path), Size: p.Size, Nodes: []int{}}
	for _, g := range r.graphs {
		n := g.byFile[p.Objects[0]]
		o.Nodes = append(o.Nodes, indexOf(n))
	}
	return o
}
