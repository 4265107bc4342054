package closure

import (
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// Bindings are the references of a process at start, each with the definition that it reaches when
// all are bound at once (LD_BIND_NOW).
type Bindings struct {
	Map    *LinkMap
	Faults []VersionFault // what the version check at start finds, in its order

	objects []*bound // in the order of the scope
	binder  *binder
}

// Binding is one reference of one object and the definition that it reaches. An object that refers
// to a symbol by calls and by data has two, since they may part.
type Binding struct {
	From        *Loaded
	Symbol      string
	Version     string // "" for none
	VersionFile string // vn_file of the version; "" for none
	Class       elfpatch.Class
	Weak        bool // the reference is weak: nothing may answer it
	Defined     bool // From has a definition of its own for it
	Own         bool // bound to From without a lookup, by its binding or visibility

	To         *Loaded         // nil: nothing defines it
	Definition elfpatch.Symbol // what To has; zero where nothing defines it
}

// bound is an object of a scope, with what its references reach.
type bound struct {
	loaded  *Loaded
	symbols *elfpatch.Symbols
	binds   bool     // its references are bound; else it is only looked at
	to      []target // by reference; nil where they are not bound
}

// refs are the references that are bound.
func (o *bound) refs() []elfpatch.Reference {
	if !o.binds {
		return nil
	}
	return o.symbols.References()
}

// target is a symbol of an object of the scope.
type target struct {
	object int32 // -1: nothing
	symbol uint32
	own    bool // there was no lookup
	unique bool // STB_GNU_UNIQUE
	alone  bool // no other object has a symbol of the name
}

// same reports whether two references reach the same.
func (t target) same(o target) bool {
	return t.object == o.object && t.symbol == o.symbol && t.own == o.own && t.unique == o.unique
}

// Bind computes what the loader of m binds every reference to. Nothing is executed. The error is
// that of reading a file, or a [*BindError] where its tables are damaged or, elfpatch.ErrUnsupported,
// are of a machine whose relocations are not known.
//
// The link map keeps its bindings, so a second call, or a call after [Judge], costs nothing; two
// calls for one link map must not run at a time.
func Bind(m *LinkMap) (*Bindings, error) { return bindAll(m, tables{}) }

// BindOpened computes what the references reach of the objects that a dlopen of m brings: the global
// scope comes first, then the scope of what is opened (dlopen(3), RTLD_LOCAL). An object that was
// there before has no bindings in the result. Like [Bind] it must not run twice at a time for one link map.
func BindOpened(m *LinkMap, o *Open) (*Bindings, error) { return bindOpened(m, o, tables{}) }

func bindAll(m *LinkMap, files tables) (*Bindings, error) {
	if m.bindings != nil {
		return m.bindings, nil
	}
	b, err := bindScope(m, m.scope(), files, func(*Loaded) bool { return true })
	if err == nil {
		err = b.finish(0, m.Loaded, files)
	}
	if err != nil {
		return nil, err
	}
	m.bindings = b
	return b, nil
}

func bindOpened(m *LinkMap, o *Open, files tables) (*Bindings, error) {
	scope := m.scope()
	for _, l := range o.Scope {
		if !slices.Contains(scope, l) && l.nativeTo(m.Program()) {
			scope = append(scope, l)
		}
	}
	b, err := bindScope(m, scope, files, func(l *Loaded) bool { return l.Opened == o })
	if err == nil {
		err = b.finish(m.stageOf(o), o.Scope, files)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// finish does what glibc does beside plain lookups, at a stage at which the objects of a list are relocated.
func (b *Bindings) finish(stage int, list []*Loaded, files tables) error {
	if b.Map.Loader.Kind != LoaderGlibc {
		return nil
	}
	b.checkVersions()
	return b.bindUnique(stage, list, files)
}

// bindScope binds the references of some objects of a scope.
func bindScope(m *LinkMap, scope []*Loaded, files tables, from func(*Loaded) bool) (*Bindings, error) {
	b := &Bindings{Map: m}
	if m.Loader.Kind == LoaderNone {
		return b, nil
	}
	if err := files.read(scope); err != nil {
		return nil, err
	}
	for _, l := range scope {
		b.objects = append(b.objects, &bound{loaded: l, symbols: files[l.Object], binds: from(l)})
	}
	b.binder = newBinder(b.objects, &m.Loader)
	if err := b.binder.bind(); err != nil {
		return nil, err
	}
	return b, nil
}

// scope is the global scope: the objects in load order, ld.so only where a need put it. What is made
// for another machine, which musl would map, has no names that could be found.
func (m *LinkMap) scope() []*Loaded {
	needed := slices.ContainsFunc(m.Needs, func(n *Need) bool { return n.To == m.Interp })
	var scope []*Loaded
	for _, l := range m.Loaded {
		if l.nativeTo(m.Program()) && (needed || l != m.Interp) {
			scope = append(scope, l)
		}
	}
	return scope
}

// nativeTo reports whether an object is for the machine of the program.
func (l *Loaded) nativeTo(program *Loaded) bool {
	a, b := l.Object.Info, program.Object.Info
	return a.Machine == b.Machine && a.Class == b.Class && a.Data == b.Data
}

// All gives every binding: object by object in load order, by symbol and class.
func (b *Bindings) All() iter.Seq[Binding] {
	return func(yield func(Binding) bool) {
		for _, o := range b.objects {
			for i := range o.to {
				if !yield(b.binding(o, i)) {
					return
				}
			}
		}
	}
}

// Of gives the bindings of one symbol, in the order of [Bindings.All].
func (b *Bindings) Of(symbol string) iter.Seq[Binding] {
	return func(yield func(Binding) bool) {
		for _, o := range b.objects {
			for i, ref := range o.refs() {
				if ref.Name == symbol && !yield(b.binding(o, i)) {
					return
				}
			}
		}
	}
}

// Len is how many bindings there are.
func (b *Bindings) Len() int {
	n := 0
	for _, o := range b.objects {
		n += len(o.to)
	}
	return n
}

// Difference is the first reference that two processes bind differently whose objects stand in the
// same order and have the same symbols, as before and after an edit of their files: objects are
// compared by their places in the scope, symbols by their places in their tables. Where even the
// references differ, the bindings are those of the object concerned that come first.
func (b *Bindings) Difference(other *Bindings) (mine, others Binding, differs bool) {
	if len(b.objects) != len(other.objects) {
		return mine, others, true
	}
	for i, o := range b.objects {
		p := other.objects[i]
		for k := range min(len(o.to), len(p.to)) {
			x, y := o.symbols.References()[k], p.symbols.References()[k]
			if !o.to[k].same(p.to[k]) || x.Symbol != y.Symbol || x.Class != y.Class {
				return b.binding(o, k), other.binding(p, k), true
			}
		}
		if len(o.to) != len(p.to) {
			return Binding{From: o.loaded}, Binding{From: p.loaded}, true
		}
	}
	return mine, others, false
}

// binding is the i-th of an object.
func (b *Bindings) binding(o *bound, i int) Binding {
	ref, to := o.symbols.References()[i], o.to[i]
	s := o.symbols.Entry(int(ref.Symbol))
	v := Binding{
		From: o.loaded, Symbol: ref.Name, Version: s.Version, VersionFile: s.VersionFile, Class: ref.Class,
		Weak: s.Bind == stbWeak, Defined: s.Defined(), Own: to.own,
	}
	if to.object >= 0 {
		at := b.objects[to.object]
		v.To, v.Definition = at.loaded, at.symbols.Entry(int(to.symbol))
		v.Definition.Name = ref.Name
	}
	return v
}

// tables are what was read of objects.
type tables map[*Object]*elfpatch.Symbols

// read reads the tables of those objects that are not there yet.
func (t tables) read(scope []*Loaded) error {
	var objects []*Object
	for _, l := range scope {
		if _, ok := t[l.Object]; !ok {
			t[l.Object] = nil
			objects = append(objects, l.Object)
		}
	}
	read, errs := make([]*elfpatch.Symbols, len(objects)), make([]error, len(objects))
	parallel(len(objects), func(i int) { read[i], errs[i] = readLookup(objects[i]) })
	for i, o := range objects {
		if errs[i] != nil {
			delete(t, o)
			continue
		}
		t[o] = read[i]
	}
	return firstError(errs)
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func readLookup(o *Object) (*elfpatch.Symbols, error) {
	f, err := o.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := o.Info.ReadLookup(f, o.Size)
	if err != nil {
		return nil, &BindError{Object: o, Err: err}
	}
	return s, nil
}

// BindError is the error of an object whose tables cannot be read.
type BindError struct {
	Object *Object
	Err    error // an elfpatch.ErrUnsupported, or an *elfpatch.FormatError
}

func (e *BindError) Error() string { return fmt.Sprintf("%s: %v", e.Object.Path, e.Err) }

// Unwrap gives the cause.
func (e *BindError) Unwrap() error { return e.Err }

// parallel calls do with 0 to n-1, on all processors, and waits.
func parallel(n int, do func(int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}
