package closure

import (
	"io/fs"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// Closure is what a set of programs loads: closed under need (DT_NEEDED), not under Nix's
// references.
type Closure struct {
	LinkMaps []*LinkMap // one for each program, in the order asked for
	Objects  []*Object  // every file once, in the order in which it was first loaded
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
	Loader Loader
	Loaded []*Loaded // the program first; ld.so at the place where a need put it
	Needs  []*Need   // in the order in which the loader asks
	Interp *Loaded   // ld.so as PT_INTERP names it; nil for a static program or when it is missing
}

// Program is the program itself.
func (m *LinkMap) Program() *Loaded { return m.Loaded[0] }

// Loaded is one object as one process has it.
type Loaded struct {
	Object *Object
	Path   string   // the path by which it was opened, as text: $ORIGIN is this path's directory
	Names  []string // the names that requests have given it, without Path and soname
	By     *Need    // the need that brought it first; nil for the program, ld.so and preloads
}

// Need is one DT_NEEDED entry of one loaded object in one link map.
type Need struct {
	Name  string      // as it stands in DT_NEEDED
	From  *Loaded     // who asks
	To    *Loaded     // who answers; nil when nothing does
	Rule  Rule        // why
	Path  string      // the path opened, or To.Path when it was loaded already; "" when nothing answers
	Tried []Candidate // every place looked at before, in order; only the searches that happened

	// Own is what the search alone would have opened, had nothing been loaded yet: where it is
	// another object than To, the requester does not get the copy that its own run path names.
	// It is nil when the search would have found nothing, and when the name has a slash.
	Own     *Object
	OwnPath string // the path by which the search would have opened Own
	OwnRule Rule
}

// Candidate is a place that was tried and not taken.
type Candidate struct {
	Path string // the file, or the directory that was listed
	Rule Rule   // which list it comes from
	Why  string // "no such file", "wrong ELF class: ELFCLASS32", "machine EM_X86_64, not EM_AARCH64"
}

// Rule says how a name was resolved; its numbers are the order of the search (ld.so(8)).
type Rule int

const (
	RuleNone         Rule = iota // nothing answered
	RuleProgram                  // it is the program itself
	RuleLoadedName               // an object already loaded was asked for by that name
	RuleLoadedSoname             // an object already loaded has that soname
	RuleDirect                   // the name has a slash: it is a path
	RuleRPath                    // DT_RPATH of the requester, of one of its loaders, or of the program
	RuleLibraryPath              // LD_LIBRARY_PATH
	RuleRunPath                  // DT_RUNPATH of the requester
	RuleCache                    // ld.so.cache
	RuleDefault                  // a directory compiled into the loader
	RuleInterp                   // it is ld.so itself, or a name that musl reserves for itself
)

// Options of a walk; the zero value is right for a program of this machine.
type Options struct {
	// StoreDir is the directory of the Nix store inside the root; "" means /nix/store.
	StoreDir string
	// Loader replaces what would be learnt from the program's own ld.so.
	Loader *Loader
}
