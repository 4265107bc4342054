package closure

import "fmt"

// Rule says how a name was resolved; its numbers are the order of the search (ld.so(8)).
type Rule int

// The rules, in the order of the search.
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

var rules = [...]struct{ short, long string }{
	RuleNone:         {"not found", "not found"},
	RuleProgram:      {"program", "the program itself"},
	RuleLoadedName:   {"loaded name", "already loaded, by name"},
	RuleLoadedSoname: {"loaded soname", "already loaded, by soname"},
	RuleDirect:       {"path", "the name is a path"},
	RuleRPath:        {"rpath", "DT_RPATH"},
	RuleLibraryPath:  {"LD_LIBRARY_PATH", "LD_LIBRARY_PATH"},
	RuleRunPath:      {"run path", "DT_RUNPATH"},
	RuleCache:        {"ld.so.cache", "ld.so.cache"},
	RuleDefault:      {"default", "a directory of the loader itself"},
	RuleInterp:       {"loader", "the loader itself"},
}

// String is the rule in a word or two, to stand in brackets beside a path.
func (r Rule) String() string {
	if r < 0 || int(r) >= len(rules) {
		return fmt.Sprintf("rule %d", int(r))
	}
	return rules[r].short
}

// MarshalText gives the same as String.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Why is the rule that answered a need in words: "already loaded, by soname", or "DT_RUNPATH of
// /nix/store/...".
func (n *Need) Why() string {
	if n.Rule < 0 || int(n.Rule) >= len(rules) {
		return n.Rule.String()
	}
	long := rules[n.Rule].long
	if n.Via != nil {
		return long + " of " + n.Via.Path
	}
	return long
}

// Searched reports whether the file system was searched, or opened directly, for the answer.
func (r Rule) Searched() bool {
	switch r {
	case RuleDirect, RuleRPath, RuleLibraryPath, RuleRunPath, RuleCache, RuleDefault:
		return true
	}
	return false
}
