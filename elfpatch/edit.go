package elfpatch

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

// Edit is the wish; the zero value changes nothing. Names are compared as they stand in the file,
// and each part is about the names of the input: what one part makes no other part sees.
type Edit struct {
	// Interp is the new PT_INTERP; "" keeps it. The kernel takes up to 4095 bytes.
	Interp string
	// Loader replaces PT_INTERP by a start stub (package stub), which starts the loader at this path,
	// relative to the folder of the program: "../lib/ld-linux-aarch64.so.1". "" keeps what is there.
	Loader string
	// Soname is the new DT_SONAME; "" keeps it.
	Soname string
	// RunPath is the new search list; "" keeps it. It is written as DT_RUNPATH and a DT_RPATH goes,
	// or with RPath the other way round: the loader heeds DT_RPATH only where there is no DT_RUNPATH
	// (glibc elf/dl-load.c: decompose_rpath).
	RunPath string
	RPath   bool
	// RemoveRunPath drops DT_RPATH and DT_RUNPATH.
	RemoveRunPath bool
	// ReplaceNeeded renames DT_NEEDED, which keeps its place, and the vn_file of DT_VERNEED: the
	// loader asserts that it is the name of something loaded (glibc elf/dl-version.c:
	// _dl_check_map_versions).
	ReplaceNeeded map[string]string
	// AddNeeded goes before the present names, in this order; a name that is present is skipped.
	AddNeeded []string
	// RemoveNeeded drops DT_NEEDED and its record in DT_VERNEED; the symbols that used its versions
	// want none any more. It wins over ReplaceNeeded.
	RemoveNeeded []string
}

// maxWish bounds each string of an Edit in bytes: Linux takes no longer path (PATH_MAX), and the
// run path of a large program has a few hundred of them.
const maxWish = maxString

// check refuses what no file can hold.
func (e *Edit) check() error {
	if e.RunPath != "" && e.RemoveRunPath {
		return fmt.Errorf("%w: a run path is both set and removed", ErrUnsupported)
	}
	if e.Loader != "" && e.Interp != "" {
		return fmt.Errorf("%w: an interp is both set and replaced by a start stub", ErrUnsupported)
	}
	if err := stub.CheckLoader(e.Loader); e.Loader != "" && err != nil {
		return fmt.Errorf("%w: %v: %q", ErrUnsupported, err, e.Loader)
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
	if e.Loader != "" {
		out.Interp, out.Stub = "", &stub.Note{Loader: e.Loader}
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
	case loaderOf(a.Stub) != loaderOf(b.Stub):
		return "loader"
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
