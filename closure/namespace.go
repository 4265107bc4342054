package closure

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// namespaceOf is the group that a symbol belongs to: "google::protobuf::*" of a C++ name, by its
// leading identifiers (Itanium C++ ABI 5.1, <nested-name>), or the name itself.
func namespaceOf(symbol string) string {
	ids, _ := nestedIDs(symbol)
	switch len(ids) {
	case 0:
		return symbol
	case 1, 2:
		return ids[0] + "::*"
	}
	return ids[0] + "::" + ids[1] + "::*"
}

// ofTemplate reports whether a mangled symbol is nested in a template that is named by identifiers, or is one itself
// (Itanium C++ ABI 5.1, <template-args>).
func ofTemplate(symbol string) bool {
	ids, rest := nestedIDs(symbol)
	return ids != nil && strings.HasPrefix(rest, "I")
}

// nestedIDs are the identifiers with which the nested name of a mangled symbol begins, and what stands behind them; none
// for another symbol.
func nestedIDs(symbol string) (ids []string, rest string) {
	rest, ok := strings.CutPrefix(symbol, "_Z")
	if !ok {
		return nil, ""
	}
	rest = strings.TrimPrefix(rest, "GV") // <special-name>: a guard variable
	rest = strings.TrimLeft(rest, "Z")    // a local name: its function's
	for _, p := range []string{"TV", "TI", "TS", "TT", "GR"} {
		rest = strings.TrimPrefix(rest, p)
	}
	if strings.HasPrefix(rest, "Th") || strings.HasPrefix(rest, "Tv") || strings.HasPrefix(rest, "Tc") {
		rest = rest[strings.LastIndexByte(rest[:min(len(rest), maxThunk)], '_')+1:]
	}
	rest, ok = strings.CutPrefix(rest, "N")
	if !ok {
		return nil, ""
	}
	rest = strings.TrimLeft(rest, "VKrRO") // qualifiers of a member function
	if after, ok := strings.CutPrefix(rest, "St"); ok {
		ids, rest = append(ids, "std"), after
	}
	for len(ids) < maxNested {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || n <= 0 || n > len(rest)-digits {
			break
		}
		ids, rest = append(ids, rest[digits:digits+n]), rest[digits+n:]
	}
	return ids, rest
}

// maxNested bounds the identifiers that are looked at.
const maxNested = 16

// maxThunk bounds the offsets of a thunk's name: "Tv0_n24_".
const maxThunk = 16

// prefix is what all names begin with, up to an underscore: C's way to have namespaces.
func prefix(names []string) string {
	p := names[0]
	for _, name := range names {
		for !strings.HasPrefix(name, p) {
			p = p[:len(p)-1]
		}
	}
	return p[:strings.LastIndexByte(p, '_')+1]
}

// names counts symbols by their groups.
type names map[string]int

// String is the largest group and how many symbols others have.
func (n names) String() string {
	groups := slices.SortedFunc(maps.Keys(n), func(a, b string) int {
		return cmp.Or(cmp.Compare(n[b], n[a]), strings.Compare(a, b))
	})
	if len(groups) <= 2 {
		return strings.Join(groups, " and ")
	}
	if p := prefix(groups); p != "" {
		return p + "*"
	}
	return fmt.Sprintf("%s, %s and %d more", groups[0], groups[1], len(groups)-2)
}
