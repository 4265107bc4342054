package closure

import (
	"debug/elf"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// candidate is a symbol that a lookup of its name comes across.
type candidate struct {
	version  string // "" for none
	symbol   uint32
	object   int32
	index    uint16 // of its version
	versions bool   // its object has versions
	hidden   bool   // bit 15 of its versym
	defined  bool
	valued   bool // it has a value
	typ      elf.SymType
	bind     elf.SymBind
	vis      elf.SymVis
	absolute bool
}

func newCandidate(symbols *elfpatch.Symbols, object int, symbol uint32) candidate {
	s := symbols.Entry(int(symbol))
	return candidate{
		version: s.Version, symbol: symbol, object: int32(object), index: s.VersionIndex,
		versions: symbols.Versions, hidden: symbols.HiddenBit(int(symbol)), defined: s.Defined(),
		valued: s.Value != 0, typ: s.Type, bind: s.Bind, vis: s.Visibility, absolute: s.Section == elf.SHN_ABS,
	}
}

// query is one lookup.
type query struct {
	self       int32 // who asks
	class      elfpatch.Class
	version    string
	hiddenNeed bool // bit 15 of vna_other
	symbolic   bool
	protected  bool
	toSelf     bool // the answer is the reference itself
}

func newQuery(symbols *elfpatch.Symbols, ref elfpatch.Reference, self int32) query {
	s := symbols.Entry(int(ref.Symbol))
	return query{
		self: self, class: ref.Class, version: s.Version, hiddenNeed: symbols.HiddenNeed(int(ref.Symbol)),
		symbolic: symbols.Symbolic && self != 0, protected: s.Visibility == elf.STV_PROTECTED,
	}
}

// mustBeDefined: the canonical address of a function in the program's PLT, an undefined symbol with
// a value, does not do (glibc ELF_RTYPE_CLASS_PLT).
func (q *query) mustBeDefined() bool {
	return q.class == elfpatch.ClassCall || q.class == elfpatch.ClassTLS
}

// lookupGlibc is glibc elf/dl-lookup.c: _dl_lookup_symbol_x. all are the candidates of the name in
// the order of the scope. q.toSelf is set where a protected reference takes its own object's.
func (b *binder) lookupGlibc(all []candidate, q *query) *candidate {
	c := b.inScopes(all, q)
	if c == nil || !q.protected || c.bind == stbUnique { // see bindUnique
		return c
	}
	real := c
	if !q.mustBeDefined() {
		call := *q
		call.class = elfpatch.ClassCall
		real = b.inScopes(all, &call)
	}
	if real != nil && real.object != q.self {
		q.toSelf = true
		return nil
	}
	return c
}

// inScopes looks into the object itself first where it has DF_SYMBOLIC, then into the global scope.
func (b *binder) inScopes(all []candidate, q *query) *candidate {
	if q.symbolic {
		for i := range all {
			if all[i].object == q.self {
				if c := b.inScope(sameObject(all[i:]), q); c != nil {
					return c
				}
				break
			}
		}
	}
	return b.inScope(all, q)
}

// inScope is do_lookup_x: the first object with a fitting symbol has it, be it weak or not.
func (b *binder) inScope(all []candidate, q *query) *candidate {
	for len(all) > 0 {
		same := sameObject(all)
		all = all[len(same):]
		if q.class == elfpatch.ClassCopy && same[0].object == 0 {
			continue // the program itself
		}
		c := b.inObject(same, q)
		if c != nil && !hides(c.vis) && (c.bind == elf.STB_GLOBAL || c.bind == stbWeak || c.bind == stbUnique) {
			return c
		}
	}
	return nil
}

func sameObject(all []candidate) []candidate {
	n := 1
	for n < len(all) && all[n].object == all[0].object {
		n++
	}
	return all[:n]
}

// inObject goes through the symbols of one object: the first that fits, or the only one of a later
// version where none is asked for.
func (b *binder) inObject(same []candidate, q *query) *candidate {
	var other *candidate
	others := 0
	for i := range same {
		c := &same[i]
		if !c.possible(q) {
			continue
		}
		switch b.fits(c, q) {
		case fitsAtOnce:
			return c
		case fitsAlone:
			if others++; other == nil {
				other = c
			}
		case fitsElse:
			other, others = c, 1
		}
	}
	if others == 1 {
		return other
	}
	return nil
}

// possible is the first part of glibc elf/dl-lookup.c: check_match: whether the symbol is a
// definition at all.
func (c *candidate) possible(q *query) bool {
	if !c.valued && !c.absolute && c.typ != elf.STT_TLS || q.mustBeDefined() && !c.defined {
		return false
	}
	switch c.typ {
	case elf.STT_NOTYPE, elf.STT_OBJECT, elf.STT_FUNC, elf.STT_COMMON, elf.STT_TLS, elf.STT_GNU_IFUNC:
		return true
	}
	return false
}

type fit int

const (
	fitsNot    fit = iota
	fitsAtOnce     // it is taken
	fitsAlone      // it is taken if it is the only one such in its object
	fitsElse       // it is taken if nothing better is in its object
)

// fits is the second part of check_match: the versions (LSB, "Symbol Versioning").
func (b *binder) fits(c *candidate, q *query) fit {
	const firstVersion = 2 // 1 is the base version
	switch {
	case !c.versions:
		return fitsAtOnce
	case q.version == "" && c.index <= firstVersion:
		return fitsAtOnce
	case q.version == "" && c.hidden:
		return fitsNot
	case q.version == "":
		return fitsAlone
	case c.version == q.version:
		return fitsAtOnce
	case q.hiddenNeed || c.version != "" || c.hidden:
		return fitsNot
	case b.exact:
		return fitsElse // glibc 2.42
	}
	return fitsAtOnce
}

// lookupMusl is musl ldso/dynlink.c: find_sym2. It knows no versions but hides what is not the
// default one, and takes the first of a name that an object has.
func (b *binder) lookupMusl(all []candidate, q *query) *candidate {
	for len(all) > 0 {
		same := sameObject(all)
		all = all[len(same):]
		if q.class == elfpatch.ClassCopy && same[0].object == 0 {
			continue
		}
		for i := range same {
			if same[i].hidden {
				continue
			}
			if same[i].fitsMusl(q) {
				return &same[i]
			}
			break
		}
	}
	return nil
}

func (c *candidate) fitsMusl(q *query) bool {
	if !c.defined && (q.class == elfpatch.ClassCall || c.typ == elf.STT_TLS) || !c.valued && c.typ != elf.STT_TLS {
		return false
	}
	switch c.typ {
	case elf.STT_NOTYPE, elf.STT_OBJECT, elf.STT_FUNC, elf.STT_COMMON, elf.STT_TLS:
		return c.bind == elf.STB_GLOBAL || c.bind == stbWeak || c.bind == stbUnique
	}
	return false
}
