package closure

import (
	"debug/elf"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// mustBeDefined: the canonical address of a function in the program's PLT, an undefined symbol with
// a value, does not do (glibc ELF_RTYPE_CLASS_PLT).
func (q *query) mustBeDefined() bool {
	return q.class == elfpatch.ClassCall || q.class == elfpatch.ClassTLS
}

// lookupGlibc is glibc elf/dl-lookup.c: _dl_lookup_symbol_x. Among all are the candidates, in
// the order of the scope. q.toSelf is set where a protected reference takes its own object's.
func (b *binder) lookupGlibc(all []candidate, q *query) *candidate {
	c := b.inScopes(all, q)
	if c == nil || q.vis != elf.STV_PROTECTED || c.Bind() == stbUnique { // see bindUnique
		return c
	}
	real := c
	if !q.mustBeDefined() {
		own := *q
		if own.pastCopies = q.ref.Slot && b.copies[q.ref.Name]; !own.pastCopies {
			own.class = elfpatch.ClassCall
		}
		real = b.inScopes(all, &own)
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
		if (q.class == elfpatch.ClassCopy || q.pastCopies) && same[0].object == 0 {
			continue // the program itself
		}
		c := b.inObject(same, q)
		if c != nil && !hides(c.Visibility()) && c.binds() {
			return c
		}
	}
	return nil
}

// binds reports whether other objects can bind to a symbol of its binding.
func (c *candidate) binds() bool {
	bind := c.Bind()
	return bind == elf.STB_GLOBAL || bind == stbWeak || bind == stbUnique
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
		if !b.named(c, q) || !c.possible(q) {
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
	typ := c.Type()
	if !c.Valued && c.Section != elf.SHN_ABS && typ != elf.STT_TLS || q.mustBeDefined() && !c.Defined() {
		return false
	}
	switch typ {
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
	symbols := b.scope[c.object].symbols
	switch {
	case !symbols.Versions:
		return fitsAtOnce
	case q.version == "" && c.VersionIndex() <= firstVersion:
		return fitsAtOnce
	case q.version == "" && c.Hidden():
		return fitsNot
	case q.version == "":
		return fitsAlone
	}
	version := symbols.VersionOf(&c.Hashed)
	switch {
	case version == q.version:
		return fitsAtOnce
	case q.hiddenNeed || version != "" || c.Hidden():
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
			if !b.named(&same[i], q) || same[i].Hidden() {
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
	typ := c.Type()
	if !c.Defined() && (q.class == elfpatch.ClassCall || typ == elf.STT_TLS) || !c.Valued && typ != elf.STT_TLS {
		return false
	}
	switch typ {
	case elf.STT_NOTYPE, elf.STT_OBJECT, elf.STT_FUNC, elf.STT_COMMON, elf.STT_TLS:
		return c.binds()
	}
	return false
}
