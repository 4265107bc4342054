package bundle

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"

	"io/fs"
)

// libDir is the folder of a bundle that libraries go to.
const libDir = "lib"

// layout gives every packed object its place. All paths are relative to the bundle's folder.
//
// Every file goes to lib/ under its own name, with a link for each name that a need found it by. A
// file whose names are taken there by another file gets a folder of its own under lib/. Run paths
// name those folders before lib/, so that every requester finds what it found in the store.
type layout struct {
	storeDir string
	starts   []*start
	homes    []*home                               // of everything that is not a program, in load order
	place    map[*closure.Object]string            // where each object is: "lib/libz.so.1.3"
	programs map[*closure.Object]string            // where each program is
	starter  map[*closure.Object]*start            // the first program that brought an object
	found    map[*closure.Object]answers           // what each requester's searches found
	asked    map[*closure.Object][]string          // the names that searches found each object by
	needed   map[*closure.Object]map[string]string // DT_NEEDED entries with a slash, and what they become
	folders  map[string]answers                    // the names in each folder

	fixed    map[string]string // where a file must be, by its path: in the folder that an item is
	reserved map[string]bool   // the places of items
}

// home is where one library is.
type home struct {
	object *closure.Object
	folder string      // "lib" or "lib/protobuf-3.21.9"
	base   string      // the file's own name
	links  []string    // other names it is found by, sorted
	exec   fs.FileMode // bits that it needs on top of its own
}

// answers says which object a name stands for: for one requester's searches, or in one folder.
type answers = map[string]*closure.Object

func newLayout(c *closure.Closure, starts []*start, at *places) (*layout, error) {
	l := &layout{
		storeDir: c.StoreDir, starts: starts, fixed: map[string]string{}, reserved: map[string]bool{},
		place: map[*closure.Object]string{}, programs: map[*closure.Object]string{},
		starter: map[*closure.Object]*start{}, found: map[*closure.Object]answers{}, asked: map[*closure.Object][]string{},
		needed: map[*closure.Object]map[string]string{}, folders: map[string]answers{},
	}
	l.fix(c.Items, at)
	for _, s := range starts {
		if err := l.collect(s); err != nil {
			return nil, err
		}
	}
	for _, s := range starts {
		l.collectLibgcc(s)
	}
	for _, s := range starts {
		l.settle(s)
	}
	return l, nil
}

// collect records what every requester of one program found by searching.
func (l *layout) collect(s *start) error {
	for _, n := range s.linkMap.Needs {
		if n.To == nil || !s.packs(n.To.Object) || !s.packs(n.From.Object) {
			continue
		}
		name := n.Name
		if strings.Contains(name, "/") {
			name = path.Base(name)
			put(l.needed, n.From.Object, n.Name, name)
		}
		if err := l.record(n.From.Object, name, n); err != nil {
			return err
		}
	}
	for _, o := range s.linkMap.Opened {
		if n := o.Need; n.To != nil && s.packs(n.To.Object) && !strings.Contains(n.Name, "/") {
			if err := l.record(s.caller(o), n.Name, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// caller is whose run path leads to what is opened at run time: who opens it; for musl (ldso/dynlink.c:
// dlopen), and for glibc itself, the program, whose DT_RPATH counts for all.
func (s *start) caller(o *closure.Open) *closure.Object {
	if by := o.Need.From.Object; s.linkMap.Loader.Kind != closure.LoaderMusl && !inLibc(by) {
		return by
	}
	return s.program()
}

// record notes what a search for a name found.
func (l *layout) record(from *closure.Object, name string, n *closure.Need) error {
	if !n.Rule.Searched() {
		return nil
	}
	if have := l.found[from][name]; have != nil && have != n.To.Object {
		return &CollisionError{
			Path:    "the run path of " + from.Path,
			Sources: []string{have.Path + " for one program", n.To.Object.Path + " for another (bundle them apart)"},
		}
	}
	put(l.found, from, name, n.To.Object)
	l.asked[n.To.Object] = append(l.asked[n.To.Object], name)
	return nil
}

func put[V any](m map[*closure.Object]map[string]V, o *closure.Object, key string, v V) {
	if m[o] == nil {
		m[o] = map[string]V{}
	}
	m[o][key] = v
}

// settle gives every object of one program its place.
func (l *layout) settle(s *start) {
	for _, o := range s.objects() {
		if s.starts(o) || l.place[o] != "" || !s.packs(o) {
			continue
		}
		h := &home{object: o, base: path.Base(o.Path)}
		if interp := s.linkMap.Interp; interp != nil && interp.Object == o {
			h.exec = executable
		}
		names := l.names(s, o)
		if at, ok := l.fixed[o.Path]; ok && h.exec == 0 {
			h.folder, h.base = path.Dir(at), path.Base(at)
		} else {
			h.folder = l.folderFor(o, names)
		}
		if l.folders[h.folder] == nil {
			l.folders[h.folder] = answers{}
		}
		for _, name := range names {
			l.folders[h.folder][name] = o
			if name != h.base && !l.reserved[path.Join(h.folder, name)] {
				h.links = append(h.links, name)
			}
		}
		l.homes = append(l.homes, h)
		l.place[o], l.starter[o] = path.Join(h.folder, h.base), s
	}
}

// files is where the ELF files of programs and libraries are, by their paths.
func (l *layout) files() map[string]string {
	at := map[string]string{}
	for o, place := range l.place {
		at[o.Path] = place
	}
	for o, place := range l.programs {
		at[o.Path] = place
	}
	return at
}

// byPath is where programs and libraries are, for who asks for a path: of a program that a launcher starts,
// the launcher.
func (l *layout) byPath() map[string]string {
	at := l.files()
	for _, s := range l.starts {
		if !s.library {
			at[s.asked] = s.entry
		}
	}
	return at
}

// names is every name that an object must be found by, sorted: its file name, its soname, and what
// any requester asked for.
func (l *layout) names(s *start, o *closure.Object) []string {
	names := []string{path.Base(o.Path)}
	if soname := path.Base(o.Info.Soname); o.Info.Soname != "" {
		names = append(names, soname)
	}
	if interp := s.linkMap.Interp; interp != nil && interp.Object == o {
		names = append(names, loaderNames(interp)...)
	}
	names = append(names, l.asked[o]...)
	slices.Sort(names)
	return slices.Compact(names)
}

// folderFor is lib/ where the names are free there, else a folder of its own: the store path's name
// with the start of its digest in front, so that it is none of the names that glibc looks for below
// every search directory (tls, haswell, glibc-hwcaps and more).
func (l *layout) folderFor(o *closure.Object, names []string) string {
	if l.fits(libDir, o, names) {
		return libDir
	}
	label := "from-" + path.Base(path.Dir(o.Path))
	if sp, _, ok := closure.ParseStorePath(l.storeDir, o.Path); ok {
		label = sp.Digest[:8] + "-" + sp.Name
	}
	for folder := path.Join(libDir, label); ; folder += "+" {
		if l.folders[libDir][path.Base(folder)] == nil && l.fits(folder, o, names) {
			return folder
		}
	}
}

// fits reports whether names are free in a folder, and, for a folder other than lib/, that nobody
// who searches there for one name would find another of its names where it should not.
func (l *layout) fits(folder string, o *closure.Object, names []string) bool {
	there := l.folders[folder]
	for _, name := range names {
		if have := there[name]; have != nil && have != o {
			return false
		}
	}
	if folder == libDir || there == nil {
		return true
	}
	for _, found := range l.found {
		if !searches(found, there, o) {
			continue
		}
		for name, a := range found {
			if have := there[name]; have != nil && have != a {
				return false
			}
			if slices.Contains(names, name) && a != o {
				return false
			}
		}
	}
	return true
}

// searches reports whether a requester with those answers will have a folder in its run path, which
// holds what is there, and o too.
func searches(found, there answers, o *closure.Object) bool {
	for name, a := range found {
		if a == o || there[name] == a {
			return true
		}
	}
	return false
}

// edit is what is changed in an object that goes to folder from.
func (l *layout) edit(s *start, o *closure.Object, from string) elfpatch.Edit {
	var e elfpatch.Edit
	if s.starts(o) {
		e.Interp = s.interp
		if s.strategy == StrategyStub {
			e.Loader = relative(from, l.loader(s))
		}
	}
	if len(l.needed[o]) > 0 {
		e.ReplaceNeeded = l.needed[o]
	}
	if l.wantsRunPath(s, o) {
		e.RunPath = l.runPath(o, from)
		// DT_RPATH is found before LD_LIBRARY_PATH, and glibc itself searches the program's when
		// it opens libgcc_s or an NSS module; DT_RUNPATH is neither (ld.so(8), facts on dlopen in
		// glibc elf/dl-load.c: _dl_map_object). Beside the target's own C library the usual
		// DT_RUNPATH leaves the target in charge.
		e.RPath = s.ownsLibc()
	}
	return e
}

// loader is where the loader of a program is, by the name that the program has for it.
func (l *layout) loader(s *start) string {
	interp := s.linkMap.Interp
	return path.Join(path.Dir(l.place[interp.Object]), loaderNames(interp)[0])
}

// wantsRunPath reports whether an object needs a run path in the bundle: it searches for something,
// or what it has points into the store. The C library stays as it is where it can.
func (l *layout) wantsRunPath(s *start, o *closure.Object) bool {
	if s.strategy == StrategyNone {
		return false
	}
	return s.starts(o) || len(l.found[o]) > 0 || o.Info.HasRunPath || o.Info.HasRPath
}

// runPath is the search list of an object in folder from: the folders of their own that its needs
// went to, in the order of the needs, then lib/.
func (l *layout) runPath(o *closure.Object, from string) string {
	var folders []string
	opened := slices.Sorted(maps.Keys(l.found[o])) // those of its needs are among them, and first
	for _, name := range slices.Concat(o.Info.Needed, opened) {
		if a := l.found[o][path.Base(name)]; a != nil {
			folder := path.Dir(l.place[a])
			if folder != libDir && !slices.Contains(folders, folder) {
				folders = append(folders, folder)
			}
		}
	}
	var list []string
	for _, folder := range append(folders, libDir) {
		list = append(list, originPath(from, folder))
	}
	return strings.Join(list, ":")
}

// originPath is folder to as seen from an object in folder from.
func originPath(from, to string) string {
	if rel := relative(from, to); rel != "." {
		return "$ORIGIN/" + rel
	}
	return "$ORIGIN"
}

// relative is the path from folder from to to, both clean and relative to one root.
func relative(from, to string) string {
	a, b := strings.Split(from, "/"), strings.Split(to, "/")
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	parts := append(slices.Repeat([]string{".."}, len(a)-same), b[same:]...)
	if len(parts) == 0 {
		return "."
	}
	return strings.Join(parts, "/")
}
