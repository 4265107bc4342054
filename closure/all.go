package closure

import (
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// All is every object of the process once: Loaded in order, then ld.so where no need put it there.
func (m *LinkMap) All() []*Object {
	var all []*Object
	for _, l := range m.Loaded {
		all = append(all, l.Object)
	}
	if m.Interp != nil && !slices.Contains(all, m.Interp.Object) {
		all = append(all, m.Interp.Object)
	}
	return all
}

// Searched reports whether the file system was searched, or opened directly, for the answer.
func (r Rule) Searched() bool {
	switch r {
	case RuleDirect, RuleRPath, RuleLibraryPath, RuleRunPath, RuleCache, RuleDefault:
		return true
	}
	return false
}

// ABIInterp is the path of the loader that a file's ABI names (each psABI, "Program Interpreter";
// glibc shlib-versions); "" for a machine that is not known.
func ABIInterp(info *elfpatch.Info) string { return abiOf(info).interp }
