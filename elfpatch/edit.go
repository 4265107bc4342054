package elfpatch

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// Edit is the wish; the zero value changes nothing. Names are compared as they stand in the file.
type Edit struct {
	Interp        string            // the new PT_INTERP; "" keeps it
	Soname        string            // the new DT_SONAME; "" keeps it
	RunPath       string            // the new search list; "" keeps it. A DT_RPATH becomes DT_RUNPATH
	RPath         bool              // write RunPath as DT_RPATH instead; a DT_RUNPATH becomes DT_RPATH
	RemoveRunPath bool              // drop DT_RPATH and DT_RUNPATH
	ReplaceNeeded map[string]string // DT_NEEDED and the vn_file that names it; the position is kept
	AddNeeded     []string          // put before the present ones, in this order; present names are skipped
	RemoveNeeded  []string          // dropped with what DT_VERNEED says of them; wins over ReplaceNeeded
}

// maxWish bounds each string of an Edit in bytes: Linux takes no longer path (PATH_MAX), and the
// run path of a large program has a few hundred of them.
const maxWish = maxString

// check refuses what no file can hold.
func (e *Edit) check() error {
	if e.RunPath != "" && e.RemoveRunPath {
		return fmt.Errorf("%w: a run path is both set and removed", ErrUnsupported)
	}
	if len(e.Interp) >= maxInterp {
		return fmt.Errorf("%w: an interp of %d bytes, the kernel takes %d", ErrUnsupported, len(e.Interp), maxInterp-1)
	}
	names := slices.Concat([]string{e.Interp, e.Soname, e.RunPath}, e.AddNeeded, e.RemoveNeeded)
	for _, to := range e.ReplaceNeeded {
		if to == "" {
			return fmt.Errorf("%w: a needed name replaced by nothing", ErrUnsupported)
		}
		names = append(names, to)
	}
	for _, s := range names {
		if strings.ContainsRune(s, 0) {
			return fmt.Errorf("%w: a NUL byte in %q", ErrUnsupported, s)
		}
		if len(s) >= maxWish {
			return fmt.Errorf("%w: a string of %d bytes", ErrUnsupported, len(s))
		}
	}
	if slices.Contains(e.AddNeeded, "") {
		return fmt.Errorf("%w: an empty needed name", ErrUnsupported)
	}
	return nil
}

// applied is what Read must say of the result when it says in of the input: the wish as facts.
func (e *Edit) applied(in *Info) *Info {
	out := *in
	if e.Interp != "" {
		out.Interp = e.Interp
	}
	if e.Soname != "" {
		out.Soname = e.Soname
	}
	if e.RunPath != "" || e.RemoveRunPath {
		out.RPath, out.HasRPath, out.RunPath, out.HasRunPath = "", false, "", false
	}
	switch {
	case e.RunPath != "" && e.RPath:
		out.RPath, out.HasRPath = e.RunPath, true
	case e.RunPath != "":
		out.RunPath, out.HasRunPath = e.RunPath, true
	}
	out.Needed = e.needed(in.Needed)
	out.VerNeeds = nil
	for _, v := range in.VerNeeds {
		if !slices.Contains(e.RemoveNeeded, v.File) {
			v.File = e.renamed(v.File)
			out.VerNeeds = append(out.VerNeeds, v)
		}
	}
	return &out
}

// renamed is the name that a needed name gets.
func (e *Edit) renamed(name string) string {
	if to, ok := e.ReplaceNeeded[name]; ok {
		return to
	}
	return name
}

// needed is the list of needed names that an edit makes of old. Two equal names do what one does
// (glibc elf/dl-load.c: _dl_map_object finds the first again), so an edit makes no second one.
func (e *Edit) needed(old []string) []string {
	var kept []string
	for i := range old {
		if e.keepsNeeded(old, i) {
			kept = append(kept, e.renamed(old[i]))
		}
	}
	return append(e.added(kept), kept...)
}

// keepsNeeded reports whether the needed name i stays, perhaps under another name.
func (e *Edit) keepsNeeded(old []string, i int) bool {
	if slices.Contains(e.RemoveNeeded, old[i]) {
		return false
	}
	to := e.renamed(old[i])
	for j, name := range old {
		if j == i || slices.Contains(e.RemoveNeeded, name) || e.renamed(name) != to {
			continue
		}
		made := to != old[i] || to != name // one of the two gets its name from this edit
		if made && j < i {
			return false
		}
	}
	return true
}

// added is what AddNeeded really adds to the present names.
func (e *Edit) added(present []string) []string {
	var names []string
	for _, name := range e.AddNeeded {
		if !slices.Contains(present, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// runPathTag is the tag that the search list gets.
func (e *Edit) runPathTag() elf.DynTag {
	if e.RPath {
		return elf.DT_RPATH
	}
	return elf.DT_RUNPATH
}

// differs names the first fact of an edit in which a and b differ, "" when there is none.
func differs(a, b *Info) string {
	switch {
	case a.Interp != b.Interp:
		return "interp"
	case a.Soname != b.Soname:
		return "soname"
	case a.RPath != b.RPath || a.HasRPath != b.HasRPath:
		return "DT_RPATH"
	case a.RunPath != b.RunPath || a.HasRunPath != b.HasRunPath:
		return "DT_RUNPATH"
	case !slices.Equal(a.Needed, b.Needed):
		return "needed names"
	case !slices.Equal(a.Filter, b.Filter) || !slices.Equal(a.Auxiliary, b.Auxiliary):
		return "filters"
	case !slices.EqualFunc(a.VerNeeds, b.VerNeeds, func(x, y VerNeed) bool {
		return x.File == y.File && slices.Equal(x.Versions, y.Versions)
	}):
		return "needed versions"
	case !slices.Equal(a.VerDefs, b.VerDefs):
		return "defined versions"
	}
	return ""
}
