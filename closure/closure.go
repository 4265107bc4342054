package closure

import (
	"io/fs"

	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// Closure is what a set of programs loads: closed under need (DT_NEEDED), not under Nix's
// references.
type Closure struct {
	StoreDir string     // the directory of the Nix store inside the root
	LinkMaps []*LinkMap // one for each program, in the order asked for
	Objects  []*Object  // every file once, in the order in which it was first loaded

	// Libraries are what libraries load that a program may open at run time: one link map for each of
	// Options.Libraries, as a process would have it that opens the library and nothing else.
	Libraries []*LinkMap

	Items    []*Item   // files and folders that are taken along, sorted by path; none lies in another, but one that has a place of its own
	Mentions []Mention // of the store in Objects and Items, file by file and by offset
	asides   []Finding // what Gather has found
}

// Object is one ELF file. Two paths to one inode are one object, two equal copies are two.
type Object struct {
	Path string         // its absolute path inside the root, links resolved
	Info *elfpatch.Info // what it says of itself
	Size int64          // bytes
	Mode fs.FileMode
	Open func() (File, error) // opens the file for reading; the caller closes it
}

// File is an open object.
type File interface {
	ReadAt(p []byte, off int64) (int, error)
	Close() error
}

// LinkMap is the objects of one process in load order, and their needs. Its order is the order of
// ldd and the global scope of symbol lookup.
type LinkMap struct {
	Asked  string // the program as it was asked for, an absolute path inside the root: it may be a wrapper
	Helper bool   // nobody asked for it: another program starts it
	Loader Loader
	Loaded []*Loaded // the program first; ld.so at the place where a need put it
	Needs  []*Need   // in the order in which the loader asks
	Interp *Loaded   // ld.so as PT_INTERP names it; nil for a static program or when it is missing

	Launch *Launch          // how Asked comes to start the program
	Setup  *wrapper.Wrapper // what is set up for it before it starts: by the wrappers of Launch, one after the other, and for its plugins
	Err    error            // of a library: why the loader would not take it; the link map then has nothing else

	Preloads []*Need // LD_PRELOAD, as needs of the program; one that nothing answers is ignored
	Opened   []*Open // what is opened at run time, in order; Needs holds what that asks for, behind the rest
	Wishes   []Wish  // what Gather has found that objects may open, taken along or not
	// Plugins are the rules for plugins that match, as Gather has found them.
	Plugins []PluginMatch

	process  *process  // nil where nothing is loaded
	bindings *Bindings // once they are known
	uniques  uniques   // likewise
}

// Program is the program itself, or the library that is walked by itself; nil where Err says why it could not be.
func (m *LinkMap) Program() *Loaded {
	if len(m.Loaded) == 0 {
		return nil
	}
	return m.Loaded[0]
}

// All is every object of the process once: Loaded in order, then ld.so where no need put it there, then what
// is opened at run time.
func (m *LinkMap) All() []*Object {
	seen := map[*Object]bool{}
	var all []*Object
	add := func(l *Loaded) {
		if l != nil && !seen[l.Object] {
			seen[l.Object] = true
			all = append(all, l.Object)
		}
	}
	for _, l := range m.Loaded {
		add(l)
	}
	add(m.Interp)
	for _, o := range m.Opened {
		for _, l := range o.Scope {
			add(l)
		}
	}
	return all
}

// Loaded is one object as one process has it.
type Loaded struct {
	Object *Object
	Path   string   // the path by which it was opened, as text: $ORIGIN is this path's directory
	Names  []string // the names that requests have given it; its soname is among them once asked for
	By     *Need    // the need that brought it first; nil for the program and ld.so
	Opened *Open    // what brought it after the start; nil for what is there at start

	parent *Loaded       // whose run paths it inherits (glibc: l_loader)
	search searchPaths   // where its own needs are searched
	deps   []*dependency // in the order of its dynamic section; nil before it is asked for them
	needs  []*Need       // those of DT_NEEDED
	scope  *scope        // the last one that it was put in
}

// Open is one dlopen as it went. Its objects search symbols in the global scope, which is the link
// map's Loaded, and then in Scope.
type Open struct {
	Opened
	Need  *Need     // From is who calls; To is nil when nothing answers
	Scope []*Loaded // the object opened and what it needs, breadth first
	Err   error     // a file in the way at which opening fails
}

// Need is one DT_NEEDED entry of one loaded object in one link map, or a DT_FILTER or
// DT_AUXILIARY one.
type Need struct {
	Name  string      // as it stands in DT_NEEDED
	From  *Loaded     // who asks
	To    *Loaded     // who answers; nil when nothing does
	Rule  Rule        // why
	Via   *Loaded     // whose DT_RPATH or DT_RUNPATH it was, else nil
	Path  string      // the path opened, or To.Path when it was loaded already; "" when nothing answers
	Tried []Candidate // every place looked at before, in order; only the searches that happened
	// Varies are files in directories for processors (glibc-hwcaps/ and, up to glibc 2.36, tls/ and
	// the like) that come before the answer and that only a processor unlike Options.HWCaps gives.
	Varies []Candidate

	process *process
	by      *Loaded // in whose name it is searched; nil for a preload of musl
	parent  *Loaded // whose run paths the object that it brings inherits
	own     *hit    // what Own has found; nil when it was not asked
}

// Candidate is a place that was tried and not taken.
type Candidate struct {
	Path   string  // the file, or an element of a path list that names no directory
	Rule   Rule    // which list it comes from
	Why    string  // "no such file", "wrong ELF class: ELFCLASS32", "machine EM_X86_64, not EM_AARCH64"
	Object *Object // the file that was passed over, where one for another machine was there
}

// Chain is the shortest chain of needs from the program to n, n being its last link. The walk is
// breadth first, so who brought an object first is always one of the nearest.
func Chain(n *Need) []*Need {
	var chain []*Need
	for ; n != nil; n = n.From.By {
		chain = append(chain, n)
	}
	for i, j := 0, len(chain)-1; i < j; i, j = i+1, j-1 {
		chain[i], chain[j] = chain[j], chain[i]
	}
	return chain
}

// NeedsOf are the needs of one object in the order in which the loader asks.
func (m *LinkMap) NeedsOf(l *Loaded) []*Need {
	return m.needs(func(n *Need) bool { return n.From == l })
}

// NeedsFor are the needs that one object answers, the one that brought it first.
func (m *LinkMap) NeedsFor(l *Loaded) []*Need {
	return m.needs(func(n *Need) bool { return n.To == l })
}

func (m *LinkMap) needs(keep func(*Need) bool) []*Need {
	var kept []*Need
	for _, n := range m.Needs {
		if keep(n) {
			kept = append(kept, n)
		}
	}
	return kept
}
