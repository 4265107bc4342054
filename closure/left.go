package closure

import (
	"cmp"
	"slices"
)

// NixClosure is what Nix's closure of the programs holds, beside what their processes load.
type NixClosure struct {
	StorePaths int        // how many
	NarSize    int64      // bytes of all, as Nix archives
	Brought    int64      // bytes of the objects in them that processes load
	Left       []LeftPath // what of each store path stays behind, the most first
	Unknown    []string   // store paths that are referred to and of which nothing is known: the records are not whole
}

// LeftPath is a store path that is wholly or partly left behind.
type LeftPath struct {
	StorePath string
	NarSize   int64 // bytes, as a Nix archive
	Brought   int64 // bytes of the objects in it that processes load
}

// Left is how many bytes stay behind.
func (l LeftPath) Left() int64 { return max(l.NarSize-l.Brought, 0) }

// LeftBehind is how many bytes stay behind.
func (n *NixClosure) LeftBehind() int64 {
	var sum int64
	for _, l := range n.Left {
		sum += l.Left()
	}
	return sum
}

// NixClosure sets Nix's closure of the programs beside their own.
func (c *Closure) NixClosure(r *References) *NixClosure {
	brought := map[string]int64{}
	for _, o := range c.Objects {
		brought[c.storeOf(o.Path)] += o.Size
	}
	records, unknown := r.below(c.storeRoots(c.LinkMaps...))
	n := &NixClosure{StorePaths: len(records), Unknown: unknown}
	for _, record := range records {
		n.NarSize += record.NarSize
		n.Brought += brought[record.Path]
		n.Left = append(n.Left, LeftPath{record.Path, record.NarSize, brought[record.Path]})
	}
	slices.SortFunc(n.Left, func(a, b LeftPath) int {
		return cmp.Or(cmp.Compare(b.Left(), a.Left()), cmp.Compare(a.StorePath, b.StorePath))
	})
	return n
}
