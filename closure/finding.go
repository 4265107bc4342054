package closure

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is one thing that is wrong with a link map, or worth knowing of it.
type Finding struct {
	Kind       Kind
	Severity   Severity
	Program    string // path of the program in whose process it happens
	Name       string // the needed name, soname or family it is about
	Copies     []Copy // the files concerned: the one that the loader keeps first
	References int    // how many references go astray; of an interposed finding the strong ones
	Users      []User // whose, in load order
	What       string // what happens, one sentence
	Advice     string // what to do, one sentence; "" when there is nothing to do
}

// User is an object whose references do not reach what they were linked with, or what its run path
// leads to.
type User struct {
	From       *Loaded
	References int    // different symbols with their versions
	Names      string // them, grouped: "google::protobuf::*"
}

// Copy is one of the files a finding is about, and why it is there.
type Copy struct {
	Object *Object
	Path   string      // the file; for a missing one the needed name
	Store  string      // its store path; "" outside the store
	Kept   bool        // the loader takes this one
	Chains [][]*Need   // for each requester that wants it, the shortest chain of needs from the program
	Tried  []Candidate // for a missing file: where it was searched
}

// State is what became of one of the finding's copies, in a word: "missing" where no file answers; "kept" of
// the one that the loader takes where others are "wanted"; "loaded" where it is about files that the
// process has and no choice between them.
func (f *Finding) State(c *Copy) string {
	switch {
	case c.Object == nil:
		return "missing"
	case !c.Kept:
		return "wanted"
	case f.Chosen():
		return "kept"
	}
	return "loaded"
}

// Chosen reports whether the loader keeps one of the finding's copies and not another.
func (f *Finding) Chosen() bool {
	kept := func(c Copy) bool { return c.Kept }
	return slices.ContainsFunc(f.Copies, kept) && slices.ContainsFunc(f.Copies, func(c Copy) bool { return !kept(c) })
}

// Kind of a finding.
type Kind string

// The kinds of findings.
const (
	KindMissing      Kind = "missing"          // nothing answers a need
	KindSoname       Kind = "same-soname"      // two files want one soname: the loader keeps one
	KindVersions     Kind = "two-versions"     // two versions of one library in one process, with exported names in common
	KindLibc         Kind = "two-libcs"        // members of two C libraries in one process
	KindWrongMachine Kind = "wrong-machine"    // a file for another machine stands in the way
	KindOutside      Kind = "outside-store"    // a store program loads a file from outside the store
	KindVerNeedFile  Kind = "version-file"     // a vn_file is nobody's name: the loader aborts
	KindPreload      Kind = "preload"          // a preload that the loader ignores
	KindProcessor    Kind = "processor"        // another processor gets another file
	KindSecure       Kind = "set-user-id"      // the loader ignores what makes a program relocatable
	KindDuplicate    Kind = "loaded-twice"     // one soname is loaded from two files
	KindVersion      Kind = "missing-version"  // a version is wanted that the library does not have
	KindSymbol       Kind = "missing-symbol"   // nothing defines what references want
	KindCopy         Kind = "copy-size"        // a program copies less of a variable than there is
	KindIFunc        Kind = "early-ifunc"      // a function is chosen before its library is ready
	KindUnbound      Kind = "unbound"          // the tables of a file are damaged, so what binds to what is not known
	KindPageSize     Kind = "page-size"        // a file cannot be mapped in larger pages
	KindISA          Kind = "instruction-set"  // a file is compiled for a later processor
	KindRelr         Kind = "relr"             // relocations that the C library does not read
	KindLibraryPath  Kind = "library-path"     // LD_LIBRARY_PATH replaces libraries
	KindHostFiles    Kind = "host-files"       // a C library reads files of the machine it runs on
	KindRuntimes     Kind = "two-runtimes"     // two of a compiler's runtime libraries in one process
	KindBuilds       Kind = "two-builds"       // loader and C library are of two builds
	KindStack        Kind = "executable-stack" // a file asks for a stack that code can run on
	KindTextRel      Kind = "text-relocations" // a file wants its code written to when it is loaded
	KindPlace        Kind = "search-list"      // what a run path means is decided where the program is started
	KindUnusual      Kind = "unusual"          // flags that few files have
	KindUnderlinked  Kind = "underlinked"      // what is used is not needed
	KindUnused       Kind = "unused-need"      // what is needed is not used
	KindUnwinder     Kind = "no-libgcc"        // glibc opens libgcc_s.so.1 itself and does not find it
	KindShadow       Kind = "shadowed"         // another file of the name stands further behind
	KindAside        Kind = "taken-along"      // what is taken along for run time, and cannot be, or not all of it
	KindInterposed   Kind = "interposed"       // references reach another library than the one they were linked with
)

// Severity of a finding; its order is the order of printing.
type Severity int

// The severities.
const (
	Error   Severity = iota // the program does not start, or does not get the copy it was linked with
	Warning                 // likely a mistake
	Note                    // worth knowing
)

func (s Severity) String() string {
	if s < Error || s > Note {
		return fmt.Sprintf("severity %d", int(s))
	}
	return [...]string{"error", "warning", "note"}[s]
}

// MarshalText gives the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// SortFindings puts findings in the order of printing: severity, kind, name, program.
func SortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Program, b.Program),
		)
	})
}
