package bundle

import (
	"crypto/sha256"
	"io/fs"
	"slices"

	"github.com/nixbundle/nixbundle/closure"
)

// digest is a SHA-256.
type digest = [sha256.Size]byte

// twins finds the files that can share one copy of their bytes.
type twins struct {
	entries []Entry
	sizes   []int64                         // of the entries that are files; -1 for others
	keep    func(a, b *closure.Object) bool // Plan.Apart
	hash    func(i int) (digest, error)
}

// looks is what files must have in common before their bytes are worth comparing: a hard link has
// one mode.
type looks struct {
	size int64
	mode fs.FileMode
}

// find gives for each entry the index of the earlier one that it repeats, or -1, and the digests of
// those it had to read. Only files that look alike and may be merged are read.
func (t *twins) find() (first []int, sums map[int]digest, err error) {
	first, sums = make([]int, len(t.sizes)), map[int]digest{}
	alike := map[looks][]int{}
	for i, size := range t.sizes {
		first[i] = -1
		if size > 0 {
			k := looks{size, t.entries[i].Mode.Perm()}
			alike[k] = append(alike[k], i)
		}
	}
	for i := range t.sizes {
		group := alike[looks{t.sizes[i], t.entries[i].Mode.Perm()}]
		if t.sizes[i] <= 0 || !t.mergeable(i, group) {
			continue
		}
		if sums[i], err = t.hash(i); err != nil {
			return nil, nil, err
		}
	}
	// Beyond this point no file is read.
	t.merge(first, sums)
	return first, sums, nil
}

// mergeable reports whether any of a group may be merged with entry i.
func (t *twins) mergeable(i int, group []int) bool {
	for _, j := range group {
		if i != j && !t.apart(i, j) {
			return true
		}
	}
	return false
}

// merge fills first. Files that are merged become one file to the loader, so each must be mergeable
// with all that share the copy already.
func (t *twins) merge(first []int, sums map[int]digest) {
	type content struct {
		looks
		sum digest
	}
	shared := map[content][][]int{}
	for i := range first {
		sum, hashed := sums[i]
		if !hashed {
			continue
		}
		k := content{looks{t.sizes[i], t.entries[i].Mode.Perm()}, sum}
		if s := t.fitting(i, shared[k]); s >= 0 {
			first[i] = shared[k][s][0]
			shared[k][s] = append(shared[k][s], i)
		} else {
			shared[k] = append(shared[k], []int{i})
		}
	}
}

// fitting is the first set of files with which entry i may be merged, or -1.
func (t *twins) fitting(i int, sets [][]int) int {
	for s, set := range sets {
		fits := true
		for _, j := range set {
			fits = fits && !t.apart(i, j)
		}
		if fits {
			return s
		}
	}
	return -1
}

// apart reports whether two entries must stay two files: the loader knows files by inode (glibc
// elf/dl-load.c: _dl_map_object_from_fd), and in one process one inode is one object.
func (t *twins) apart(i, j int) bool {
	a, b := t.entries[i].Object, t.entries[j].Object
	return a != nil && b != nil && t.keep != nil && t.keep(a, b)
}

// apart reports whether two objects share a link map. What libraries load that any program may open shares all.
func apart(c *closure.Closure) func(a, b *closure.Object) bool {
	in, anywhere := map[*closure.Object][]int{}, map[*closure.Object]bool{}
	for _, m := range c.Libraries {
		for _, o := range m.All() {
			anywhere[o] = true
		}
	}
	for i, m := range c.LinkMaps {
		for _, o := range m.All() {
			in[o] = append(in[o], i)
		}
	}
	return func(a, b *closure.Object) bool {
		if a != b && (anywhere[a] || anywhere[b]) {
			return true
		}
		for _, i := range in[a] {
			if a != b && slices.Contains(in[b], i) {
				return true
			}
		}
		return false
	}
}
