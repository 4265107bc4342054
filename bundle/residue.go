package bundle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// Residue is a path of the store that stands in a file of a bundle, where a machine without Nix has nothing.
type Residue struct {
	Entry string              `json:"entry"` // the file
	Path  string              `json:"path"`  // as it stands there
	Kind  closure.MentionKind `json:"kind"`  // what it names in the store
	Off   int64               `json:"off"`   // where it stands first, bytes
	Count int                 `json:"count"` // how often it stands there
	// Section and Symbol are what it is in, where the file says so.
	Section string `json:"section,omitempty"`
	Symbol  string `json:"symbol,omitempty"`
}

// Matters reports whether something may look for what the path names: it is there in the store, and is no
// leftover of a build.
func (r *Residue) Matters() bool {
	switch r.Kind {
	case closure.MentionLibrary, closure.MentionProgram, closure.MentionData, closure.MentionFolder, closure.MentionStorePath:
		return true
	}
	return false
}

// String is "sensor/bin/sensor: names /nix/store/.../face.onnx (data)".
func (r *Residue) String() string { return fmt.Sprintf("%s: names %s (%s)", r.Entry, r.Path, r.Kind) }

// StrictError refuses a bundle in which something still leads into the store.
type StrictError struct{ Residue []Residue }

func (e *StrictError) Error() string {
	const most = 20
	lines := []string{"not bundled: it would look into the store at run time"}
	for i := range e.Residue[:min(len(e.Residue), most)] {
		lines = append(lines, "  "+e.Residue[i].String())
	}
	if more := len(e.Residue) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// Hint says what to do.
func (e *StrictError) Hint() string {
	return "name the folder that it will be installed in (--prefix), lead the program elsewhere (--env NAME=%ROOT%/...), or leave out --strict"
}

// residues collects what the files of a bundle still say of the store.
type residues struct {
	known map[residueKey]*closure.Mention
	list  []Residue
	of    map[string][2]int // the part of list that is an entry's
}

// residueKey is a path in a source file; it keeps its text, and seldom its place, whatever is edited.
type residueKey struct{ source, text string }

func newResidues(mentions []closure.Mention) *residues {
	r := &residues{known: map[residueKey]*closure.Mention{}, of: map[string][2]int{}}
	for i := range mentions {
		m := &mentions[i]
		if k := (residueKey{m.Holder, m.Text}); r.known[k] == nil || r.known[k].Use != "" {
			r.known[k] = m
		}
	}
	return r
}

// add notes what a scan has found in an entry that was made of source, "" for a generated one.
func (r *residues) add(entry, source string, found []closure.Found) {
	at, first := map[string]int{}, len(r.list)
	defer func() { r.of[entry] = [2]int{first, len(r.list)} }()
	for _, f := range found {
		item := Residue{Entry: entry, Path: f.Text, Kind: closure.MentionAbsent, Off: f.Off}
		if m := r.known[residueKey{source, f.Text}]; m != nil {
			item.Path, item.Kind, item.Section, item.Symbol = m.Path, m.Kind, m.Section, m.Symbol
			if m.Use != "" {
				item.Kind = closure.MentionSource // what the loader read there: it has its own now
			}
		}
		if i, ok := at[item.Path]; ok {
			r.list[i].Count++
			continue
		}
		at[item.Path], item.Count = len(r.list), 1
		r.list = append(r.list, item)
	}
}

// repeat notes the same for an entry that is a hard link to an earlier one.
func (r *residues) repeat(entry, first string) {
	part := r.of[first]
	for _, item := range r.list[part[0]:part[1]] {
		item.Entry = entry
		r.list = append(r.list, item)
	}
}

// sorted gives all, by file and place.
func (r *residues) sorted() []Residue {
	slices.SortFunc(r.list, func(a, b Residue) int {
		return cmp.Or(cmp.Compare(a.Entry, b.Entry), cmp.Compare(a.Off, b.Off))
	})
	return r.list
}

// strict is what stands against a bundle that must not look into the store.
func (r *residues) strict() error {
	var left []Residue
	for _, item := range r.sorted() {
		if item.Matters() {
			left = append(left, item)
		}
	}
	if left == nil {
		return nil
	}
	return &StrictError{left}
}
