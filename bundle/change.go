package bundle

import (
	"maps"
	"slices"
	"strings"
)

// Change is one thing that an edit changes in a file, from what to what.
type Change struct {
	What string `json:"what"` // "interp", "loader", "rpath", "runPath", "soname", "needed" or "text"
	From string `json:"from"` // "" when it was not there
	To   string `json:"to"`   // "" when it is removed
}

// Changes lists what an entry's edit changes, against what the file says now; nil when it stays
// as it is.
func (e *Entry) Changes() []Change {
	if e.Object == nil {
		return nil
	}
	var list []Change
	seen := map[Change]bool{}
	for _, t := range e.Texts {
		if c := (Change{"text", t.From, strings.TrimRight(t.To, "\x00")}); !seen[c] {
			seen[c] = true
			list = append(list, c)
		}
	}
	return append(list, e.edits()...)
}

// edits are the changes of an ELF file's headers and dynamic section.
func (e *Entry) edits() []Change {
	info, edit := e.Object.Info, e.Edit
	if info == nil {
		return nil
	}
	var list []Change
	change := func(what, from, to string) {
		if from != to {
			list = append(list, Change{what, from, to})
		}
	}
	if edit.Interp != "" {
		change("interp", info.Interp, edit.Interp)
	}
	if edit.Loader != "" {
		change("interp", info.Interp, "")
		was := ""
		if info.Stub != nil {
			was = info.Stub.Loader
		}
		change("loader", was, edit.Loader)
	}
	if edit.Soname != "" {
		change("soname", info.Soname, edit.Soname)
	}
	switch {
	case edit.RunPath != "" && edit.RPath:
		change("runPath", info.RunPath, "")
		change("rpath", info.RPath, edit.RunPath)
	case edit.RunPath != "":
		change("rpath", info.RPath, "")
		change("runPath", info.RunPath, edit.RunPath)
	case edit.RemoveRunPath:
		change("rpath", info.RPath, "")
		change("runPath", info.RunPath, "")
	}
	for _, from := range slices.Sorted(maps.Keys(edit.ReplaceNeeded)) {
		change("needed", from, edit.ReplaceNeeded[from])
	}
	for _, name := range edit.AddNeeded {
		change("needed", "", name)
	}
	for _, name := range edit.RemoveNeeded {
		change("needed", name, "")
	}
	return list
}
