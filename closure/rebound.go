package closure

import (
	"debug/elf"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// A rebound reference reaches another definition than the one it was linked with. Of all that are,
// few are mistakes: C++ has every user carry its inline functions, programs copy variables, and
// glibc moves symbols between its files.

// rebound is a pair of objects, and the references that were linked with one and reach the other.
type rebound struct {
	wanted, taken *Loaded
	by            []*Loaded // whose references, in load order
	users         map[*Loaded]*usage
	twins         []twin
	told          bool // by another finding
}

// usage is what one object refers to of a pair.
type usage struct {
	symbols map[string]bool
	groups  names
	strong  int // of them, whose definition is neither weak nor unique: no vague linkage
}

func newUsage() *usage { return &usage{symbols: map[string]bool{}, groups: names{}} }

// add adds a symbol, with its version, and reports whether it is new.
func (u *usage) add(symbol, version string, strong bool) bool {
	key := symbol + "@" + version
	if u.symbols[key] {
		return false
	}
	u.symbols[key] = true
	u.groups[namespaceOf(symbol)]++
	if strong {
		u.strong++
	}
	return true
}

func (r *rebound) usage(from *Loaded) *usage {
	if r.users[from] == nil {
		r.users[from] = newUsage()
		r.by = append(r.by, from)
	}
	return r.users[from]
}

// strong is how many strong references of a pair there are: of other objects, and of the one whose
// own definitions they were to reach.
func (r *rebound) strong() (others, own int) {
	for from, u := range r.users {
		if from == r.wanted {
			own += u.strong
		} else {
			others += u.strong
		}
	}
	return others, own
}

// expecter finds what references were linked with.
type expecter struct {
	*Bindings
	needs    map[*Loaded][]*Loaded
	place    map[*Loaded]int32
	closures map[*Loaded][]int32 // by object: the rank of each object of the scope in its closure; 0 for none
	copied   map[uint64]bool     // addresses of what the program has copied
}

func newExpecter(b *Bindings) *expecter {
	e := &expecter{
		Bindings: b, needs: map[*Loaded][]*Loaded{}, place: map[*Loaded]int32{},
		closures: map[*Loaded][]int32{}, copied: map[uint64]bool{},
	}
	for i, o := range b.objects {
		e.place[o.loaded] = int32(i)
	}
	for _, n := range b.Map.Needs {
		if n.To != nil {
			e.needs[n.From] = append(e.needs[n.From], n.To)
		}
	}
	program := b.objects[0].symbols
	for _, ref := range program.References() {
		if ref.Class == elfpatch.ClassCopy {
			e.copied[program.Entry(int(ref.Symbol)).Value] = true
		}
	}
	return e
}

// closureOf ranks the objects by the order in which l's needs reach them, breadth first: l itself
// has 1.
func (e *expecter) closureOf(l *Loaded) []int32 {
	if ranks, ok := e.closures[l]; ok {
		return ranks
	}
	ranks, next := make([]int32, len(e.objects)), int32(1)
	queue, seen := []*Loaded{l}, map[*Loaded]bool{l: true}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if i, ok := e.place[at]; ok {
			ranks[i] = next
			next++
		}
		for _, to := range e.needs[at] {
			if !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	e.closures[l] = ranks
	return ranks
}

// needsOrIs reports whether to is in the closure of from.
func (e *expecter) needsOrIs(from, to *Loaded) bool {
	i, ok := e.place[to]
	return ok && e.closureOf(from)[i] > 0
}

// expected is the object whose definition a reference was linked with: its own, that of the object
// that the version names, or that of the first of its needs that has one. It is -1 where there is
// none.
func (e *expecter) expected(from int, ref elfpatch.Reference, candidates []candidate) int32 {
	o := e.objects[from]
	s := o.symbols.Entry(int(ref.Symbol))
	if s.Defined() {
		return int32(from)
	}
	if s.Version != "" {
		if l := e.Map.named(s.VersionFile); l != nil {
			if i, ok := e.place[l]; ok && e.defines(i, candidates, s.Version) {
				return i
			}
		}
		return -1
	}
	best, ranks := int32(-1), e.closureOf(o.loaded)
	for len(candidates) > 0 {
		same := sameObject(candidates)
		candidates = candidates[len(same):]
		i := same[0].object
		if ranks[i] > 0 && (best < 0 || ranks[i] < ranks[best]) && e.defines(i, same, "") {
			best = i
		}
	}
	return best
}

// defines reports whether object i has a real definition among candidates.
func (e *expecter) defines(i int32, candidates []candidate, version string) bool {
	return e.in(i, candidates, version) != nil
}

// in is the real definition that object i has among candidates.
func (e *expecter) in(i int32, candidates []candidate, version string) *candidate {
	q := query{class: elfpatch.ClassCall, version: version, self: -1}
	for k := range candidates {
		if candidates[k].object == i {
			if c := e.binder.inObject(sameObject(candidates[k:]), &q); c != nil && !hides(c.Visibility()) {
				return c
			}
			break
		}
	}
	return nil
}

// definition is what the object want has for a reference of the object from.
func (e *expecter) definition(want int32, from int, ref elfpatch.Reference, candidates []candidate) elfpatch.Symbol {
	s := e.objects[from].symbols.Entry(int(ref.Symbol))
	if int(want) == from {
		return s
	}
	if c := e.in(want, candidates, s.Version); c != nil {
		return e.objects[want].symbols.Entry(int(c.Symbol))
	}
	return elfpatch.Symbol{}
}

// rebounds are the pairs of a process, in the order of their first references, without those that
// are by design.
func (b *Bindings) rebounds() []*rebound {
	if len(b.objects) == 0 {
		return nil
	}
	e := newExpecter(b)
	var pairs []*rebound
	at := map[[2]int32]*rebound{}
	for i, o := range b.objects {
		for k, ref := range o.refs() {
			to := o.to[k]
			if to.own || to.object < 0 || to.alone || ref.Class == elfpatch.ClassCopy {
				continue
			}
			candidates := b.binder.candidatesOf(i, k)
			want := e.expected(i, ref, candidates)
			if want < 0 || want == to.object || e.byDesign(i, ref, want, to) {
				continue
			}
			pair := [2]int32{want, to.object}
			if at[pair] == nil {
				at[pair] = &rebound{wanted: b.objects[want].loaded, taken: b.objects[to.object].loaded, users: map[*Loaded]*usage{}}
				pairs = append(pairs, at[pair])
			}
			symbol := o.symbols.Symbol(int(ref.Symbol))
			taken := b.objects[to.object].symbols.Entry(int(to.symbol))
			wanted := e.definition(want, i, ref, candidates)
			strong := !isVague(symbol.Name, taken.Type) && taken.Bind == elf.STB_GLOBAL && (wanted.Bind == elf.STB_GLOBAL || !strings.HasPrefix(symbol.Name, "_Z"))
			if at[pair].usage(o.loaded).add(symbol.Name, symbol.Version, strong) && strong {
				at[pair].twins = append(at[pair].twins, twin{wanted, taken})
			}
		}
	}
	return pairs
}

// isVague reports whether a symbol is what C++ makes wherever it is used: a class's tables and names, variables of an
// inline function and their guards, data of a class template (Itanium C++ ABI 5.2, "Vague Linkage"). Some builds, as
// Debian's of Qt for arm64, have it neither weak nor unique.
func isVague(symbol string, kind elf.SymType) bool {
	for _, p := range []string{"_ZT", "_ZGV", "_ZZ"} {
		if strings.HasPrefix(symbol, p) {
			return true
		}
	}
	return kind == elf.STT_OBJECT && ofTemplate(symbol)
}

// byDesign reports whether a rebound reference is meant to be so.
func (e *expecter) byDesign(from int, ref elfpatch.Reference, want int32, to target) bool {
	definition := e.objects[to.object].symbols.Entry(int(to.symbol))
	if to.object == 0 && (!definition.Defined() || e.copied[definition.Value]) {
		return true // the canonical address of a function; a copied variable, by whatever name
	}
	wanted, taken := e.objects[want].loaded.Object, e.objects[to.object].loaded.Object
	if isGlibc(wanted.Info.Soname) && isGlibc(taken.Info.Soname) {
		return true // one glibc, whose symbols move; two are another finding
	}
	if int(want) == from && isGlibc(wanted.Info.Soname) {
		return true // what glibc does not bind to itself is there to be replaced: argp, obstack
	}
	return linkerNames[ref.Name] || isReplaceable(ref.Name) || isFrontEnd(wanted) && isFrontEnd(taken)
}

// isFrontEnd reports whether an object is one of GLVND's, which all lead to one dispatcher.
func isFrontEnd(o *Object) bool {
	return slices.Contains([]string{
		"libGL", "libOpenGL", "libEGL", "libGLX", "libGLESv1_CM", "libGLESv2", "libGLdispatch",
	}, strings.SplitN(o.Info.Soname, ".so", 2)[0])
}

// isReplaceable reports whether a symbol is one of those that programs and libraries are meant to replace: memory (glibc
// manual, "Replacing malloc"; C++ [replacement.functions]), and what BLAS and LAPACK do about a wrong argument (LAPACK
// Users' Guide, "Error Handling and the Diagnostic Information": XERBLA; cblas_xerbla of CBLAS).
func isReplaceable(symbol string) bool {
	for _, p := range []string{"_Znw", "_Zna", "_Zdl", "_Zda"} {
		if strings.HasPrefix(symbol, p) {
			return true
		}
	}
	return slices.Contains([]string{
		"malloc", "free", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc", "posix_memalign",
		"valloc", "pvalloc", "cfree", "malloc_usable_size",
		"xerbla_", "xerbla_64_", "cblas_xerbla",
	}, symbol)
}
