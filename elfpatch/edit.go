package elfpatch

import (
	"cmp"
	"debug/elf"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

// Edit is the wish; the zero value changes nothing. Names are compared as they stand in the file,
// and each part is about the names of the input: what one part makes no other part sees.
type Edit struct {
	// OSABI is the new EI_OSABI; nil keeps it.
	OSABI *elf.OSABI
	// Interp is the new PT_INTERP; "" keeps it. The kernel takes up to 4095 bytes.
	Interp string
	// Loader replaces PT_INTERP by a start stub (package stub), which starts the loader at this path,
	// relative to the folder of the program: "../lib/ld-linux-aarch64.so.1". "" keeps what is there.
	Loader string
	// Soname is the new DT_SONAME; "" keeps it.
	Soname string

	// RunPath is the new search list; "" keeps it. It is written as DT_RUNPATH and a DT_RPATH goes,
	// or with RPath the other way round: the loader heeds DT_RPATH only where there is no DT_RUNPATH
	// (glibc elf/dl-load.c: decompose_rpath). So it is with AddRunPath and EmptyRunPath. Of these
	// three and RemoveRunPath an edit can have one.
	RunPath string
	RPath   bool
	// AddRunPath is a list that goes to the end of the present one, but for entries that are in it.
	AddRunPath string
	// EmptyRunPath leaves a list without entries where there is a list, which is not as if there were
	// none: an empty DT_RUNPATH keeps the loader from the DT_RPATH of those who need the file.
	EmptyRunPath bool
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

	// NoDefaultLib sets DF_1_NODEFLIB: the loader does not look in its default directories.
	NoDefaultLib bool
	// DebugTag adds DT_DEBUG, where a debugger finds the list of loaded objects, if there is none.
	DebugTag bool
	// ExecStack says whether PT_GNU_STACK asks for an executable stack; the header is added where
	// there is none. nil keeps it.
	ExecStack *bool

	// ClearVersions names dynamic symbols that shall have no version and want none. A version in DT_VERNEED
	// that no other symbol wants goes too, for the loader would ask for it all the same.
	ClearVersions []string
	// Cache is the new resolution cache, as closure.ResolutionCache gives it; "" keeps the old one,
	// but for an edit of the needed names or the search list, which drops what is not true any more.
	Cache string
	// RenameSymbols gives the dynamic symbols of a name, of all versions, another.
	RenameSymbols map[string]string

	// Trailer says what becomes of bytes behind the ELF image when the file must grow; alone it
	// changes nothing.
	Trailer Trailer
}

// maxWish bounds each string of an Edit in bytes: Linux takes no longer path (PATH_MAX), and the
// run path of a large program has a few hundred of them.
const maxWish = maxString

// check refuses what no file can hold.
func (e *Edit) check() error {
	lists := 0
	for _, is := range []bool{e.RunPath != "", e.AddRunPath != "", e.EmptyRunPath, e.RemoveRunPath} {
		if is {
			lists++
		}
	}
	if lists > 1 {
		return unsupported("a run path is edited in two ways")
	}
	if e.Loader != "" && e.Interp != "" {
		return unsupported("an interp is both set and replaced by a start stub")
	}
	if err := stub.CheckLoader(e.Loader); e.Loader != "" && err != nil {
		return unsupported("%v: %q", err, e.Loader)
	}
	if len(e.Interp) >= maxInterp {
		return unsupported("an interp of %d bytes, the kernel takes %d", len(e.Interp), maxInterp-1)
	}
	if slices.Contains(e.AddNeeded, "") {
		return unsupported("an empty needed name")
	}
	names := slices.Concat([]string{e.Interp, e.Soname, e.RunPath, e.AddRunPath}, e.AddNeeded, e.RemoveNeeded)
	for _, to := range e.ReplaceNeeded {
		if to == "" {
			return unsupported("a needed name replaced by nothing")
		}
		names = append(names, to)
	}
	for from, to := range e.RenameSymbols {
		if to == "" || strings.Contains(from+to, "@") {
			return unsupported("the symbol %q renamed to %q", from, to)
		}
		names = append(names, to)
	}
	if len(e.Cache) >= maxNotes/2 {
		return unsupported("a resolution cache of %d bytes", len(e.Cache))
	}
	for _, s := range names {
		if strings.ContainsRune(s, 0) {
			return unsupported("a NUL byte in %q", s)
		}
		if len(s) >= maxWish {
			return unsupported("a string of %d bytes", len(s))
		}
	}
	return nil
}

// Applied is what Read must say of the result when it says in of the input: the wish as facts. Where
// things stand in the file it does not know, nor which needed versions ClearVersions makes unused.
func (e *Edit) Applied(in *Info) *Info {
	out := *in
	if e.OSABI != nil {
		out.OSABI = *e.OSABI
	}
	if e.Interp != "" {
		out.Interp = e.Interp
	}
	if e.Loader != "" {
		out.Interp, out.Stub = "", &stub.Note{Loader: e.Loader}
	}
	if e.Soname != "" {
		out.Soname = e.Soname
	}
	if e.editsRunPath() {
		e.applyRunPath(&out)
	}
	if e.NoDefaultLib {
		out.DynFlags1 |= elf.DF_1_NODEFLIB
	}
	if e.ExecStack != nil {
		out.Segments = withStack(in.Segments, *e.ExecStack)
	}
	out.Debug = in.Debug || e.DebugTag
	out.Needed = e.needed(in.Needed)
	out.order = e.order(in.order, in.Needed, len(out.Needed))
	out.VerNeeds = nil
	for _, v := range in.VerNeeds {
		if !e.dropsVersions(v.File, in.Needed) {
			v.File = e.renamed(v.File)
			out.VerNeeds = append(out.VerNeeds, v)
		}
	}
	e.applyCache(in, &out)
	return &out
}

// editsRunPath reports whether the search list is edited; perhaps it is so already.
func (e *Edit) editsRunPath() bool {
	return e.RunPath != "" || e.AddRunPath != "" || e.EmptyRunPath || e.RemoveRunPath
}

// applyRunPath makes the search list of i what it shall be.
func (e *Edit) applyRunPath(i *Info) {
	old, present := i.SearchList()
	list := e.RunPath
	if e.AddRunPath != "" {
		list = joinLists(old, e.AddRunPath)
	}
	i.RPath, i.HasRPath, i.RunPath, i.HasRunPath = "", false, "", false
	switch {
	case e.RemoveRunPath || list == "" && !present:
	case e.RPath:
		i.RPath, i.HasRPath = list, true
	default:
		i.RunPath, i.HasRunPath = list, true
	}
}

// joinLists adds the entries of more that old does not have.
func joinLists(old, more string) string {
	if old == "" {
		return more
	}
	list := strings.Split(old, ":")
	for _, dir := range strings.Split(more, ":") {
		if !slices.Contains(list, dir) {
			list = append(list, dir)
		}
	}
	return strings.Join(list, ":")
}

// withStack makes PT_GNU_STACK ask for an executable stack or not; a header is added where there is none.
func withStack(old []Segment, executable bool) []Segment {
	segments, found := slices.Clone(old), false
	for i := range segments {
		if s := &segments[i]; s.Type == elf.PT_GNU_STACK {
			s.Flags, found = s.Flags&^elf.PF_X, true
			if executable {
				s.Flags |= elf.PF_X
			}
		}
	}
	if !found {
		segments = append(segments, Segment{Type: elf.PT_GNU_STACK, Flags: elf.PF_R | elf.PF_W, Align: 16})
		return withStack(segments, executable)
	}
	return segments
}

// dropsVersions reports whether the record of DT_VERNEED about that file goes: its need does, and
// nothing brings it back.
func (e *Edit) dropsVersions(file string, needed []string) bool {
	return slices.Contains(e.RemoveNeeded, file) && !slices.Contains(e.needed(needed), file)
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

// order is what becomes of the order of dependencies, where needed names are old and will be n, as editNeeded does it.
func (e *Edit) order(tags []elf.DynTag, old []string, n int) []elf.DynTag {
	if tags == nil {
		return nil
	}
	var list []elf.DynTag
	first, seen := 0, 0
	for _, tag := range tags {
		if tag == elf.DT_NEEDED {
			if seen == 0 {
				first = len(list)
			}
			seen++
			if n--; !e.keepsNeeded(old, seen-1) {
				n++
				continue
			}
		}
		list = append(list, tag)
	}
	return slices.Insert(list, first, slices.Repeat([]elf.DynTag{elf.DT_NEEDED}, max(n, 0))...)
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

// differs names the first fact of an edit in which a and b differ, "" when there is none.
func differs(a, b *Info) string { return cmp.Or(headersDiffer(a, b), dynamicDiffers(a, b)) }

// headersDiffer is differs for what stands outside the dynamic section.
func headersDiffer(a, b *Info) string {
	aStack, aExec := a.Stack()
	bStack, bExec := b.Stack()
	switch {
	case a.OSABI != b.OSABI:
		return "OS ABI"
	case a.Interp != b.Interp:
		return "interp"
	case loaderOf(a.Stub) != loaderOf(b.Stub):
		return "loader"
	case a.Cache() != b.Cache():
		return "resolution cache"
	case aStack != bStack || aExec != bExec:
		return "PT_GNU_STACK"
	}
	return ""
}

// dynamicDiffers is differs for what the dynamic section leads to.
func dynamicDiffers(a, b *Info) string {
	switch {
	case a.Soname != b.Soname:
		return "soname"
	case a.RPath != b.RPath || a.HasRPath != b.HasRPath:
		return "DT_RPATH"
	case a.RunPath != b.RunPath || a.HasRunPath != b.HasRunPath:
		return "DT_RUNPATH"
	case !slices.Equal(a.Needed, b.Needed):
		return "needed names"
	case a.DynFlags1 != b.DynFlags1:
		return "DT_FLAGS_1"
	case a.Debug != b.Debug:
		return "DT_DEBUG"
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
