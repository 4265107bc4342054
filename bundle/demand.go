package bundle

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// Demand is what one object of a bundle asks of the target's own C library: a library of it, a version
// that the loader checks at start, or symbols.
type Demand struct {
	Object  *closure.Object
	Soname  string   // of the member of the C library: "libc.so.6"
	Version string   // "GLIBC_2.38"; of musl, which has no versions, its release; "" for the library itself
	Symbols []string // what the object takes in that version, sorted; none for GLIBC_ABI_DT_RELR and its like
	weak    bool     // without the version the loader only warns (VER_FLG_WEAK)
	loader  bool     // it is the loader itself
}

// String is "libfoo.so.1 needs __isoc23_strtol@GLIBC_2.38".
func (d *Demand) String() string {
	const shown = 3
	var what []string
	for _, s := range d.Symbols[:min(len(d.Symbols), shown)] {
		if d.Version != "" {
			s += "@" + d.Version
		}
		what = append(what, s)
	}
	if more := len(d.Symbols) - len(what); more > 0 {
		what = append(what, fmt.Sprintf("%d more", more))
	}
	switch {
	case len(what) > 0:
	case isNumber(d.Version):
		what = []string{"musl " + d.Version}
	case d.Version != "":
		what = []string{d.Version + " of " + d.Soname}
	default:
		what = []string{d.Soname}
	}
	return path.Base(d.Object.Path) + " needs " + joinAnd(what)
}

// joinAnd is "a", "a and b", or "a, b and c".
func joinAnd(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// private is the version of what the members of one build of glibc have among themselves.
const private = "GLIBC_PRIVATE"

// demands are what the objects of one program that a bundle would bring beside the target's own C library
// ask of that, each once: in load order, an object's as its tables have them.
func (s *start) demands() ([]Demand, error) {
	program := s.program()
	loader := Demand{Object: program, Soname: path.Base(program.Info.LoaderPath()), loader: true}
	if s.linkMap.Loader.Kind == closure.LoaderMusl {
		var err error
		if interp := s.linkMap.Interp; interp != nil {
			loader.Version, err = libcRelease(interp.Object, muslNumber)
		}
		return []Demand{loader}, err
	}
	all := []Demand{loader}
	if s.library {
		all = nil // its program asks for the loader
	}
	for _, n := range s.linkMap.Needs {
		if !inLibc(n.From.Object) && asksLibc(n) {
			all = append(all, Demand{Object: n.From.Object, Soname: path.Base(n.Name)})
		}
	}
	for _, o := range s.linkMap.All() {
		if inLibc(o) {
			continue
		}
		for _, need := range o.Info.VerNeeds {
			if !closure.InLibc(&elfpatch.Info{Soname: need.File}) {
				continue
			}
			for _, v := range need.Versions {
				all = append(all, Demand{Object: o, Soname: need.File, Version: v.Name, weak: v.Weak})
			}
		}
		if relr := (Demand{Object: o, Soname: "libc.so.6", Version: relrVersion}); o.Info.Relr && !slices.ContainsFunc(all, relr.same) {
			all = append(all, relr) // it may not say so; a loader that does not know DT_RELR passes over it
		}
	}
	return all, s.addSymbols(all)
}

// relrVersion is defined by a glibc that reads DT_RELR (gABI; glibc 2.36).
const relrVersion = "GLIBC_ABI_DT_RELR"

// same reports whether two demands are for one version of one object.
func (d *Demand) same(other Demand) bool {
	return d.Object == other.Object && d.Soname == other.Soname && d.Version == other.Version
}

// asksLibc reports whether a need is for a member of a C library. In a bundle that uses the target's own
// nothing answers it.
func asksLibc(n *closure.Need) bool {
	if n.To == nil {
		return closure.InLibc(&elfpatch.Info{Soname: path.Base(n.Name)})
	}
	return inLibc(n.To.Object)
}

func inLibc(o *closure.Object) bool { return closure.InLibc(o.Info) }

// bindings are those of one program; nil for a machine whose relocations are not known.
func (s *start) bindings() (*closure.Bindings, error) {
	b, err := closure.Bind(s.linkMap)
	if errors.Is(err, elfpatch.ErrUnsupported) {
		return nil, nil
	}
	return b, err
}

// addSymbols adds to demands for versions the symbols that want them. A weak reference to a weak version
// wants nothing: where the version is missing it stays zero.
func (s *start) addSymbols(all []Demand) error {
	type key struct {
		object          *closure.Object
		soname, version string
	}
	bindings, err := s.bindings()
	if bindings == nil || err != nil {
		return err
	}
	at := map[key]int{}
	for i, d := range all {
		if d.Version != "" {
			at[key{d.Object, d.Soname, d.Version}] = i
		}
	}
	for b := range bindings.All() {
		i, ok := at[key{b.From.Object, b.VersionFile, b.Version}]
		if !ok || b.Weak && all[i].weak {
			continue
		}
		all[i].Symbols = append(all[i].Symbols, b.Symbol)
	}
	for i := range all {
		slices.Sort(all[i].Symbols)
		all[i].Symbols = slices.Compact(all[i].Symbols)
	}
	return nil
}

// meets reports whether a target provides what is demanded.
func (p *Port) meets(d *Demand) bool {
	switch {
	case d.Version == "":
		return p.Has(d.Soname)
	case d.weak && len(d.Symbols) == 0:
		return true
	case isNumber(d.Version):
		return p.Has(d.Soname) && !olderRelease(p.Version, d.Version)
	}
	return d.Version != private && p.Defines(d.Soname, d.Version)
}

// unmet are the demands that a target does not meet: what wants the newest version first.
func (p *Port) unmet(all []Demand) []Demand {
	var unmet []Demand
	for _, d := range all {
		if d.loader && !p.Has(d.Soname) {
			return []Demand{d} // another C library: nothing else is worth telling
		}
		if !p.meets(&d) && (d.Version == "" || p.Has(d.Soname)) {
			unmet = append(unmet, d)
		}
	}
	slices.SortStableFunc(unmet, func(a, b Demand) int {
		return cmp.Or(compareDemands(&a, &b), cmp.Compare(a.Version, b.Version))
	})
	return unmet
}

// compareDemands puts missing libraries and pseudo versions first, then versions, the newest first.
func compareDemands(a, b *Demand) int {
	x, y := releaseOf(a.Version), releaseOf(b.Version)
	switch {
	case x == y:
		return 0
	case x == "" || y != "" && olderRelease(y, x):
		return -1
	}
	return 1
}

// releaseOf is the release that a version names: "2.38" of GLIBC_2.38.
func releaseOf(version string) string {
	if number := strings.TrimPrefix(version, "GLIBC_"); isNumber(number) {
		return number
	}
	return ""
}

// newest is the newest version demanded; "" where none is.
func newest(all []Demand) string {
	most := ""
	for _, d := range all {
		if olderRelease(releaseOf(most), releaseOf(d.Version)) {
			most = d.Version
		}
	}
	return most
}

// lacks are the symbols of the target's own C library that one program's objects want and that a root
// does not have, although their versions are there.
func (p *Port) lacks(s *start) ([]Demand, error) {
	if p.symbols == nil || s.linkMap.Loader.Kind != p.Libc {
		return nil, nil
	}
	there, err := p.symbols()
	if err != nil {
		return nil, err
	}
	bindings, err := s.bindings()
	if bindings == nil || err != nil {
		return nil, err
	}
	var lacks []Demand
	for b := range bindings.All() {
		if b.Weak || b.Defined || b.To == nil || inLibc(b.From.Object) || !inLibc(b.To.Object) || there[symbolKey(b.Symbol, b.Version)] {
			continue
		}
		d := Demand{Object: b.From.Object, Soname: b.To.Object.Info.Soname, Version: b.Version, Symbols: []string{b.Symbol}}
		if p.meets(&d) {
			lacks = append(lacks, d)
		}
	}
	return lacks, nil
}

// symbolKey is a symbol in a version; in none, any version will do.
func symbolKey(symbol, version string) string { return symbol + "@" + version }
