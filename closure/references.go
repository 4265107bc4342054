package closure

import (
	"io/fs"
	"maps"
	"slices"

	"github.com/nixbundle/nixbundle/closure/nixdb"
)

// References is Nix's own graph: a store path refers to those whose digests stand in its files. What a
// program needs is most often a small part of what it refers to.
type References struct {
	records map[string]nixdb.Record
}

// Reference is one store path that stands in another's files.
type Reference struct {
	From, To string // store paths
	Need     bool   // an object in From also needs one in To
}

func (r Reference) ends() (from, to string) { return r.From, r.To }

// NewReferences is the graph of some records.
func NewReferences(records []nixdb.Record) *References {
	r := &References{map[string]nixdb.Record{}}
	for _, record := range records {
		r.records[record.Path] = record
	}
	return r
}

// ReadReferences reads Nix's closure of the programs out of the database in a root. The error is
// fs.ErrNotExist where there is none, and a [*nixdb.FormatError] where it is damaged.
func ReadReferences(root fs.FS, c *Closure) (*References, error) {
	records, err := nixdb.Read(root, nixdb.File, c.storeRoots(c.LinkMaps...))
	if err != nil {
		return nil, err
	}
	return NewReferences(records), nil
}

// storeRoots are the store paths that programs are in, as asked for and with links resolved.
func (c *Closure) storeRoots(maps ...*LinkMap) []string {
	var roots []string
	for _, m := range maps {
		for _, file := range []string{m.Asked, m.Program().Object.Path} {
			if sp := c.storeOf(file); sp != "" && !slices.Contains(roots, sp) {
				roots = append(roots, sp)
			}
		}
	}
	return roots
}

// storeOf is the store path that a file is in; "" outside the store.
func (c *Closure) storeOf(file string) string {
	if sp, _, ok := ParseStorePath(c.StoreDir, file); ok {
		return sp.String()
	}
	return ""
}

// below gives the records of paths and of all that these refer to, sorted by path, and the paths without
// one.
func (r *References) below(paths []string) (records []nixdb.Record, unknown []string) {
	seen := map[string]bool{}
	var queue []string
	add := func(paths []string) {
		for _, p := range paths {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	for add(paths); len(queue) > 0; queue = queue[1:] {
		add(r.records[queue[0]].References)
	}
	for _, p := range slices.Sorted(maps.Keys(seen)) {
		if record, ok := r.records[p]; ok {
			records = append(records, record)
		} else {
			unknown = append(unknown, p)
		}
	}
	return records, unknown
}

// storeNeeds are the pairs of store paths of which an object in the first needs one in the second.
func (c *Closure) storeNeeds() map[[2]string]bool {
	needs := map[[2]string]bool{}
	for _, m := range c.LinkMaps {
		for _, n := range m.edges() {
			if n.To != nil {
				needs[[2]string{c.storeOf(n.From.Object.Path), c.storeOf(n.To.Object.Path)}] = true
			}
		}
		if m.Interp != nil {
			needs[[2]string{c.storeOf(m.Program().Object.Path), c.storeOf(m.Interp.Object.Path)}] = true
		}
	}
	return needs
}
