package closure

import (
	"debug/elf"
	"errors"
	"math/bits"
	"runtime"

	"github.com/nixbundle/nixbundle/elfpatch"
)

const (
	stbWeak   = elf.STB_WEAK
	stbUnique = elf.SymBind(10) // STB_GNU_UNIQUE
)

// A binder binds all references of some objects of a scope. The loader takes each reference through
// the hash tables of the scope, one after the other; here one table holds the symbols of them all.
type binder struct {
	scope  []*bound
	loader *Loader
	exact  bool // an unversioned definition counts only where the object has none of the version
	table  hashTable
}

func newBinder(scope []*bound, loader *Loader) *binder {
	return &binder{scope: scope, loader: loader, exact: loader.does(exactFirst), table: newHashTable(scope)}
}

// candidate is a symbol that a lookup may come across.
type candidate struct {
	elfpatch.Hashed
	object int32
}

// hashTable has the symbols of a scope by the hashes of their names: those of one bucket side by
// side, in the order of the scope and, of one object, in that of its own table.
type hashTable struct {
	shift int
	start []int32 // by bucket; one more at the end
	all   []candidate
}

// newHashTable counts the symbols of each bucket, then puts them in; several runs of objects side by
// side, each with its own place in every bucket.
func newHashTable(scope []*bound) hashTable {
	n := 0
	for _, o := range scope {
		n += o.symbols.HashCount()
	}
	t := hashTable{shift: 32 - min(bits.Len(uint(n)), 31), all: make([]candidate, n)}
	buckets := 1 << (32 - t.shift)
	runs := min(runtime.GOMAXPROCS(0), maxRuns)
	next := make([][]int32, runs) // by run and bucket: how many, then where the next one goes
	parallel(runs, func(r int) {
		next[r] = make([]int32, buckets)
		for i := r * len(scope) / runs; i < (r+1)*len(scope)/runs; i++ {
			for hash := range scope[i].symbols.Hashes() {
				next[r][t.home(hash)]++
			}
		}
	})
	t.start = make([]int32, buckets+1)
	total := int32(0)
	for bucket := range buckets {
		for r := range next {
			next[r][bucket], total = total, total+next[r][bucket]
		}
		t.start[bucket+1] = total
	}
	parallel(runs, func(r int) {
		for i := r * len(scope) / runs; i < (r+1)*len(scope)/runs; i++ {
			symbols := scope[i].symbols
			for hash, symbol := range symbols.Hashes() {
				at := &next[r][t.home(hash)]
				t.all[*at] = candidate{symbols.Hashed(hash, symbol), int32(i)}
				*at++
			}
		}
	})
	return t
}

const maxRuns = 8

// home is the bucket of a hash; the multiplier spreads what shares its low bits.
func (t *hashTable) home(hash uint32) uint32 { return hash * 0x9e3779b1 >> t.shift }

// bucket has every symbol of a hash, among others.
func (t *hashTable) bucket(hash uint32) []candidate {
	i := t.home(hash)
	return t.all[t.start[i]:t.start[i+1]]
}

// bind binds all references, object by object.
func (b *binder) bind() error {
	errs := make([]error, len(b.scope))
	parallel(len(b.scope), func(i int) {
		if b.scope[i].binds {
			errs[i] = b.bindObject(int32(i))
		}
	})
	return firstError(errs)
}

// maxLookups bounds the symbols that the references of one object are compared with: many names of
// one hash are quickly made. Real objects have some thousands to a few millions.
const maxLookups = 1 << 27

// bindObject binds the references of one object.
func (b *binder) bindObject(self int32) error {
	o, looked := b.scope[self], 0
	refs := o.symbols.References()
	o.to = make([]target, len(refs))
	for k := range refs {
		if k%fetched == 0 {
			b.fetch(refs[k:min(k+fetched, len(refs))])
		}
		q := newQuery(o.symbols, &refs[k], self)
		bucket := b.table.bucket(q.ref.Hash)
		if looked += len(bucket) * (1 + len(q.ref.Name)/64); looked > maxLookups {
			return &BindError{Object: o.loaded.Object, Err: errors.New("too many symbols share the hash of what it refers to")}
		}
		o.to[k] = b.answer(bucket, &q)
	}
	return nil
}

// fetched is how many references' candidates are fetched at a time.
const fetched = 64

// fetch brings the first candidates of some references and their names near the processor: memory
// answers many requests in the time of one, if none has to wait for another.
func (b *binder) fetch(refs []elfpatch.Reference) {
	var at [fetched]int32
	for i := range refs {
		at[i] = b.table.start[b.table.home(refs[i].Hash)]
	}
	var found [fetched]*candidate
	for i := range refs {
		if int(at[i]) < len(b.table.all) && b.table.all[at[i]].Hash == refs[i].Hash {
			found[i] = &b.table.all[at[i]]
		}
	}
	for _, c := range found {
		if c != nil {
			b.scope[c.object].symbols.HasName(&c.Hashed, "_")
		}
	}
}

// answer is what a reference reaches.
func (b *binder) answer(bucket []candidate, q *query) target {
	own := target{object: q.self, symbol: q.ref.Symbol}
	if b.bindsOwn(q) {
		own.own = true
		return own
	}
	var c *candidate
	if b.loader.Kind == LoaderMusl {
		c = b.lookupMusl(bucket, q)
	} else {
		c = b.lookupGlibc(bucket, q)
	}
	switch {
	case q.toSelf:
		return own
	case c == nil:
		return target{object: -1}
	}
	return target{object: c.object, symbol: c.Symbol, unique: c.Bind() == stbUnique, alone: alone(bucket, q.ref.Hash)}
}

// alone reports whether the symbols of a hash are surely of one object.
func alone(bucket []candidate, hash uint32) bool {
	object := int32(-1)
	for i := range bucket {
		if c := &bucket[i]; c.Hash == hash {
			if object >= 0 && c.object != object {
				return false
			}
			object = c.object
		}
	}
	return true
}

// bindsOwn reports whether a reference is bound without a lookup: the symbol is local or, but not
// for musl, hidden (glibc elf/dl-reloc.c: RESOLVE_MAP; musl ldso/dynlink.c: do_relocs).
func (b *binder) bindsOwn(q *query) bool {
	return q.bind == elf.STB_LOCAL || b.loader.Kind != LoaderMusl && hides(q.vis)
}

func hides(v elf.SymVis) bool { return v == elf.STV_HIDDEN || v == elf.STV_INTERNAL }

// candidatesOf are those of a reference that is looked up: the symbols of its name.
func (b *binder) candidatesOf(object, ref int) []candidate {
	q := query{self: int32(object), ref: &b.scope[object].symbols.References()[ref]}
	var named []candidate
	for _, c := range b.table.bucket(q.ref.Hash) {
		if b.named(&c, &q) {
			named = append(named, c)
		}
	}
	return named
}

// named reports whether a symbol has the name that is looked up.
func (b *binder) named(c *candidate, q *query) bool {
	switch {
	case q.ref == nil:
		return true
	case c.Hash != q.ref.Hash:
		return false
	case c.object == q.self && c.Symbol == q.ref.Symbol:
		return true
	}
	return b.scope[c.object].symbols.HasName(&c.Hashed, q.ref.Name)
}

// query is one lookup.
type query struct {
	self       int32               // who asks
	ref        *elfpatch.Reference // what is asked for; nil where all candidates have the name
	class      elfpatch.Class
	version    string
	hiddenNeed bool // bit 15 of vna_other
	bind       elf.SymBind
	vis        elf.SymVis
	symbolic   bool
	toSelf     bool // the answer is the reference itself
}

func newQuery(symbols *elfpatch.Symbols, ref *elfpatch.Reference, self int32) query {
	q := query{self: self, ref: ref, class: ref.Class, symbolic: symbols.Symbolic && self != 0}
	q.bind, q.vis = symbols.Reach(int(ref.Symbol))
	q.version, q.hiddenNeed = symbols.Wanted(int(ref.Symbol))
	return q
}
