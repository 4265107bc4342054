package closure

import (
	"debug/elf"
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch"
)

const (
	stbWeak   = elf.STB_WEAK
	stbUnique = elf.SymBind(10) // STB_GNU_UNIQUE
)

// A binder binds all references of some objects of a scope. The loader goes from each reference
// through the hash tables of the scope; here each table is gone through once, and its symbols are
// looked for among the names that are referred to, of which there are far fewer.
type binder struct {
	scope  []*bound
	loader *Loader
	exact  bool // an unversioned definition counts only where the object has none of the version
	names  nameIndex
	ids    [][]int32 // by object and reference: its name; -1 where there is no lookup
	start  []int32   // by name: where its candidates begin in all; one more at the end
	all    []candidate
}

func newBinder(scope []*bound, loader *Loader) *binder {
	return &binder{scope: scope, loader: loader, exact: loader.does(exactFirst)}
}

func (b *binder) bind() {
	b.indexNames()
	b.collect()
	parallel(len(b.scope), func(i int) {
		if b.scope[i].binds {
			b.bindObject(int32(i), b.ids[i])
		}
	})
}

// nameIndex numbers names, by open addressing.
type nameIndex struct {
	slots []nameSlot
	shift uint
	texts []string
}

type nameSlot struct {
	hash uint32
	name int32 // plus one; 0 for free
}

// grow makes room for n names.
func (x *nameIndex) grow(n int) {
	x.shift = 32 - 8
	for 1<<(32-x.shift) < 2*n && x.shift > 0 {
		x.shift--
	}
	x.slots = make([]nameSlot, 1<<(32-x.shift))
}

// home is where the search for a hash begins; the multiplier spreads what shares its low bits.
func (x *nameIndex) home(hash uint32) int { return int(hash * 0x9e3779b1 >> x.shift) }

// find calls same with each name of that hash until it says yes. free is where the next one goes.
func (x *nameIndex) find(hash uint32, same func(text string) bool) (name int32, free int) {
	at := x.home(hash)
	for x.slots[at].name != 0 {
		if s := x.slots[at]; s.hash == hash && same(x.texts[s.name-1]) {
			return s.name - 1, at
		}
		at = (at + 1) & (len(x.slots) - 1)
	}
	return -1, at
}

// add numbers a name.
func (x *nameIndex) add(hash uint32, text string) int32 {
	name, free := x.find(hash, func(t string) bool { return t == text })
	if name < 0 {
		name = int32(len(x.texts))
		x.texts = append(x.texts, text)
		x.slots[free] = nameSlot{hash, name + 1}
	}
	return name
}

// indexNames numbers the names that are looked up.
func (b *binder) indexNames() {
	n := 0
	for _, o := range b.scope {
		n += len(o.refs())
	}
	b.names.grow(n)
	b.ids = make([][]int32, len(b.scope))
	for i, o := range b.scope {
		refs := o.refs()
		ids := make([]int32, len(refs))
		for k, ref := range refs {
			switch {
			case k > 0 && refs[k-1].Symbol == ref.Symbol:
				ids[k] = ids[k-1]
			case b.bindsOwn(o, ref):
				ids[k] = -1
			default:
				ids[k] = b.names.add(ref.Hash, ref.Name)
			}
		}
		b.ids[i] = ids
	}
}

// bindsOwn reports whether a reference is bound without a lookup: the symbol is local or, but not
// for musl, hidden (glibc elf/dl-reloc.c: RESOLVE_MAP; musl ldso/dynlink.c: do_relocs).
func (b *binder) bindsOwn(o *bound, ref elfpatch.Reference) bool {
	bind, visibility := o.symbols.Reach(int(ref.Symbol))
	return bind == elf.STB_LOCAL || b.loader.Kind != LoaderMusl && hides(visibility)
}

func hides(v elf.SymVis) bool { return v == elf.STV_HIDDEN || v == elf.STV_INTERNAL }

// namedSymbol is a symbol with a name that is looked up, and then its place among all candidates.
type namedSymbol struct {
	name, symbol uint32
}

// collect finds the candidates of every name, in the order of the scope.
func (b *binder) collect() {
	found := make([][]namedSymbol, len(b.scope))
	parallel(len(b.scope), func(i int) { found[i] = b.namedSymbols(b.scope[i].symbols) })
	b.start = make([]int32, len(b.names.texts)+1)
	for _, list := range found {
		for i := range list {
			b.start[list[i].name]++
		}
	}
	total := int32(0)
	for i, n := range b.start {
		b.start[i] = total
		total += n
	}
	next := slices.Clone(b.start)
	for _, list := range found {
		for i := range list {
			name := list[i].name
			list[i].name = uint32(next[name])
			next[name]++
		}
	}
	b.all = make([]candidate, total)
	parallel(len(b.scope), func(i int) {
		for _, h := range found[i] {
			b.all[h.name] = newCandidate(b.scope[i].symbols, i, h.symbol)
		}
	})
}

// namedSymbols are the symbols that have a name that is looked up.
func (b *binder) namedSymbols(symbols *elfpatch.Symbols) []namedSymbol {
	var list []namedSymbol
	for hash, symbol := range symbols.Hashed() {
		name, _ := b.names.find(hash, func(text string) bool { return symbols.HasName(int(symbol), text) })
		if name >= 0 {
			list = append(list, namedSymbol{uint32(name), symbol})
		}
	}
	return list
}

// named are the candidates of a name.
func (b *binder) named(name int32) []candidate { return b.all[b.start[name]:b.start[name+1]] }

// candidatesOf are those of a reference that is looked up.
func (b *binder) candidatesOf(object, ref int) []candidate { return b.named(b.ids[object][ref]) }

// bindObject binds the references of one object.
func (b *binder) bindObject(self int32, ids []int32) {
	o := b.scope[self]
	o.to = make([]target, len(ids))
	for k, ref := range o.symbols.References() {
		if ids[k] < 0 {
			o.to[k] = target{object: self, symbol: ref.Symbol, own: true}
			continue
		}
		q := newQuery(o.symbols, ref, self)
		names := b.named(ids[k])
		var c *candidate
		if b.loader.Kind == LoaderMusl {
			c = b.lookupMusl(names, &q)
		} else {
			c = b.lookupGlibc(names, &q)
		}
		switch {
		case c != nil:
			o.to[k] = target{object: c.object, symbol: c.symbol, unique: c.bind == stbUnique}
		case q.toSelf:
			o.to[k] = target{object: self, symbol: ref.Symbol}
		default:
			o.to[k] = target{object: -1}
		}
	}
}
