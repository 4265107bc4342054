package closure

import (
	"io/fs"
	"strings"
)

// Holders know what holds a store path that no need brings. The zero value knows nothing.
type Holders struct {
	Root       fs.FS       // to look into store paths; nil for not
	References *References // Nix's; nil where they are not known
	Mentions   []Mention   // of the closure's files, which may name a store path or a file in it
}

// Held is why a store path is in Nix's closure of a program though no need brings it.
type Held struct {
	StorePath string
	Role      Role // what it is that a bundle can do without
	Own       bool // it is what the program is in
	Mentions  []Mention
	Chains    [][]Reference // chains of references from the program's store path to it, the shortest first
	More      uint64        // how many further chains there are
	Least     bool          // More is only a lower bound
}

// WhyHeld gives what holds each store path that a name means: a path in the store, or the name of a store
// path in Nix's closure of the program, with or without the version. What nothing holds is left out. limit
// bounds the chains that are listed for one store path.
func (c *Closure) WhyHeld(m *LinkMap, name string, by Holders, limit int) []Held {
	var held []Held
	graph := c.graph(m, by.References)
	for _, path := range c.meant(name, graph) {
		h := Held{StorePath: path, Role: c.Role(by.Root, path)}
		for _, at := range by.Mentions {
			if at.Path == path || strings.HasPrefix(at.Path, path+"/") {
				h.Mentions = append(h.Mentions, at)
			}
		}
		h.Chains, h.More, h.Least = newChainFinder(graph, "", path).chains(limit)
		for i, chain := range h.Chains {
			h.Chains[i] = chain[1:] // less the way to the program's own
			h.Own = h.Own || len(chain) == 1
		}
		if h.Own {
			h.Chains, h.More, h.Least = nil, 0, false
		}
		if h.Own || len(h.Mentions)+len(h.Chains) > 0 {
			held = append(held, h)
		}
	}
	return held
}

// graph is the references below a program, behind those that lead from "" to the store paths it is in.
func (c *Closure) graph(m *LinkMap, r *References) []Reference {
	var graph []Reference
	roots := c.storeRoots(m)
	for _, root := range roots {
		graph = append(graph, Reference{To: root})
	}
	if r == nil {
		return graph
	}
	needs := c.storeNeeds()
	records, _ := r.below(roots)
	for _, record := range records {
		for _, to := range record.References {
			graph = append(graph, Reference{record.Path, to, needs[[2]string{record.Path, to}]})
		}
	}
	return graph
}

// meant are the store paths that a name means: the one that it is a path in, or those of a graph.
func (c *Closure) meant(name string, graph []Reference) []string {
	if path := c.storeOf(name); path != "" {
		return []string{path}
	}
	var paths []string
	seen := map[string]bool{}
	for _, r := range graph {
		sp, rest, ok := ParseStorePath(c.StoreDir, r.To)
		if ok && rest == "" && !seen[r.To] && sp.Means(name) {
			seen[r.To] = true
			paths = append(paths, r.To)
		}
	}
	return paths
}
