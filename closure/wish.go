package closure

import (
	"slices"
	"strings"
)

// Wish is a library that an object of a process may open at run time (dlopen(3)), and what it would get.
type Wish struct {
	By       *Loaded  // who calls dlopen, for whom the name is searched
	Holder   *Loaded  // whose note or text tells of it: By, or what calls By to open it
	Names    []string // alternatives, of which the first that is there is opened: names to be searched, or paths
	Source   WishSource
	Priority Priority // of a note; of all else it is recommended
	Feature  string   // of a note: what it is for, in a word
	What     string   // the same in a sentence, or of a rule what the plugins are
	Rule     string   // the name of the rule
	Off      int64    // of a text: where it stands in Holder, bytes
	Ends     bool     // of a text: a NUL stands behind it

	Name   string  // the one of Names that something answers; "" where nothing does
	Object *Object // the answer; nil where there is none
	Path   string  // by which it would be opened
	There  bool    // the answer is in the process since its start: opening brings nothing
	// Host says why it is left to the machine that runs the program, such as "an OpenGL driver"; "" for
	// what can be taken along.
	Host string
	// Partial says that another entry of the same feature is not found, without which this one is of no use.
	Partial bool
	Err     error // why nothing answers, where that is more than that nothing is there

	loaded bool // the answer is in the process, at start or since something opened it
}

// WishSource is how a wish is known.
type WishSource string

// The sources, the surest first.
const (
	WishNote    WishSource = "note"    // the object says it (UAPI.12)
	WishRule    WishSource = "rule"    // a rule for plugins of a known library
	WishMention WishSource = "mention" // a path of the store that stands in the object
	WishText    WishSource = "text"    // the name of a library that stands in an object that opens some
)

// Taken reports whether a bundle should have it: something answers that is no affair of the machine, and
// it is more than suggested, or suggestions are wanted.
func (w *Wish) Taken(suggested bool) bool {
	return w.Object != nil && w.Host == "" && (suggested || w.Priority != PrioritySuggested)
}

// Opened is the wish as an option of a walk, for the process of one program.
func (w *Wish) Opened(program string) Opened {
	return Opened{Program: program, By: w.By.Path, Name: w.Name}
}

// resolve looks for the first of the names that is there.
func (w *Wish) resolve(m *LinkMap) {
	for _, name := range w.Names {
		if w.Host = hostDriver(name); w.Host != "" {
			return
		}
	}
	for _, name := range w.Names {
		l, h, err := m.look(w.By, name)
		if err != nil && w.Err == nil {
			w.Err = err
		}
		if h.object == nil {
			continue
		}
		w.Name, w.Object, w.Path, w.Err = name, h.object, h.path, nil
		w.loaded = l != nil
		w.There = w.loaded && l.Opened == nil
		w.Host = hostDriver(h.path)
		return
	}
}

// look gives what an object would get if it opened a name or a path: an object that is there, or what
// the search finds. Nothing is loaded. The error is that of a file in the way.
func (m *LinkMap) look(by *Loaded, name string) (*Loaded, hit, error) {
	p := m.process
	if p == nil || name == "" {
		return nil, hit{}, nil
	}
	if m.Loader.Kind == LoaderMusl {
		by = m.Program() // musl 1.2.5 ldso/dynlink.c: dlopen
	} else {
		var unknown string
		if name, unknown = p.expand(name, by); unknown != "" {
			return nil, hit{}, nil
		}
	}
	if l := p.there(name); l != nil {
		return l, hit{object: l.Object, path: l.Path}, nil
	}
	h, err := p.search(name, by, nil)
	if err != nil || h.object == nil {
		return nil, hit{}, err
	}
	if i := slices.IndexFunc(p.all, func(l *Loaded) bool { return l.Object == h.object }); i >= 0 {
		return p.all[i], h, nil
	}
	return nil, h, nil
}

// there is the object that a request for a name gets without a search; nil for none. It is what
// [process.resolve] and [process.resolveMusl] begin with, and changes nothing.
func (p *process) there(name string) *Loaded {
	i, named := p.names[name]
	if p.m.Loader.Kind == LoaderMusl {
		if p.m.Interp != nil && p.muslSelf(name) {
			return p.m.Interp
		}
		if named && !strings.Contains(name, "/") && i > 0 {
			return p.all[i]
		}
		return nil
	}
	k, bySoname := p.sonames[name]
	switch {
	case named && (!bySoname || i <= k):
		return p.all[i]
	case bySoname:
		return p.all[k]
	}
	return nil
}

// markPartial finds the entries of features of which another entry is not there.
func markPartial(wishes []Wish) {
	type feature struct {
		holder *Loaded
		name   string
	}
	lacks := map[feature]bool{}
	for _, w := range wishes {
		if w.Source == WishNote && w.Feature != "" && w.Object == nil {
			lacks[feature{w.Holder, w.Feature}] = true
		}
	}
	for i := range wishes {
		if w := &wishes[i]; w.Source == WishNote && w.Object != nil {
			w.Partial = lacks[feature{w.Holder, w.Feature}]
		}
	}
}

// isNeeded reports whether an object gets a name by a need of its own, or has it.
func isNeeded(l *Loaded, name string) bool {
	return name == l.Object.Info.Soname || slices.Contains(l.Object.Info.Needed, name)
}
