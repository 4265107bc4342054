package closure

import (
	"debug/elf"
	"errors"

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
	exact  bool            // an unversioned definition counts only where the object has none of the version
	copies map[string]bool // the names that the program copies; nil where the loader does not look at that
	table  hashTable
}

func newBinder(scope []*bound, loader *Loader) *binder {
	b := &binder{scope: scope, loader: loader, exact: loader.does(exactFirst), table: newHashTable(scope)}
	if len(scope) > 0 && loader.does(protectedCopied) {
		b.copies = map[string]bool{}
		for _, ref := range scope[0].symbols.References() {
			if ref.Class == elfpatch.ClassCopy {
				b.copies[ref.Name] = true
			}
		}
	}
	return b
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
// one hash are quickly made. Real objects have some thousands, and very large ones a few millions.
const maxLookups = 1 << 25

// bindObject binds the references of one object.
func (b *binder) bindObject(self int32) error {
	o, looked, own := b.scope[self], 0, new([1]candidate)
	refs := o.symbols.References()
	o.to = make([]target, len(refs))
	for k := range refs {
		if k%fetched == 0 {
			b.fetch(refs[k:min(k+fetched, len(refs))])
		}
		q := newQuery(o.symbols, &refs[k], self)
		bucket := b.candidates(self, q.ref, own)
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
	var buckets [fetched][]candidate
	for i := range refs {
		if hash := refs[i].Hash; b.table.wanted.has(hash) {
			buckets[i] = b.table.bucket(hash)
		}
	}
	for i := range refs {
		if len(buckets[i]) > 0 && buckets[i][0].Hash != refs[i].Hash {
			buckets[i] = nil
		}
	}
	for _, bucket := range buckets {
		if len(bucket) > 0 {
			b.scope[bucket[0].object].symbols.HasName(&bucket[0].Hashed, "_")
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

// candidates are the symbols of a reference's hash, and maybe others; one that the table leaves out goes
// to own.
func (b *binder) candidates(self int32, ref *elfpatch.Reference, own *[1]candidate) []candidate {
	if b.table.wanted.has(ref.Hash) {
		return b.table.bucket(ref.Hash)
	}
	own[0] = candidate{b.scope[self].symbols.Hashed(ref.Hash, ref.Symbol), self}
	return own[:]
}

// candidatesOf are those of a reference that is looked up: the symbols of its name.
func (b *binder) candidatesOf(object, ref int) []candidate {
	q := query{self: int32(object), ref: &b.scope[object].symbols.References()[ref]}
	var named []candidate
	for _, c := range b.candidates(q.self, q.ref, new([1]candidate)) {
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
	pastCopies bool // what the program has copied is not looked at
}

func newQuery(symbols *elfpatch.Symbols, ref *elfpatch.Reference, self int32) query {
	q := query{self: self, ref: ref, class: ref.Class, symbolic: symbols.Symbolic && self != 0}
	q.bind, q.vis = symbols.Reach(int(ref.Symbol))
	q.version, q.hiddenNeed = symbols.Wanted(int(ref.Symbol))
	return q
}
