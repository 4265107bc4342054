package closure

import (
	"path"
	"slices"
	"strings"
)

// Judge says what is wrong with a closure, or worth knowing of it, sorted for printing. An error is
// that of reading a file again.
func Judge(c *Closure) ([]Finding, error) {
	var findings []Finding
	files := comparer{same: map[[2]*Object]bool{}, exports: map[*Object]*exports{}, builds: map[*Object]string{}, tables: tables{}}
	for _, m := range c.LinkMaps {
		j := &judge{closure: c, m: m, comparer: &files}
		for _, judge := range judges {
			if err := judge(j); err != nil {
				return nil, err
			}
		}
		findings = append(findings, j.findings...)
	}
	findings = append(findings, c.asides...)
	SortFindings(findings)
	return findings, nil
}

// judges is what a link map is judged by.
var judges = []func(*judge) error{
	(*judge).bind,
	(*judge).missing,
	(*judge).opened,
	(*judge).preloadsIgnored,
	(*judge).sameSoname,
	(*judge).loadedTwice,
	(*judge).twoVersions,
	(*judge).twoLibcs,
	(*judge).mixedLibcs,
	(*judge).secondLoader,
	(*judge).passedOver,
	(*judge).mappedForeign,
	(*judge).outsideStore,
	(*judge).loaderBuild,
	(*judge).shadowed,
	(*judge).oddPlaces,
	(*judge).unusual,
	(*judge).executableStacks,
	(*judge).textRelocations,
	(*judge).versionFiles,
	(*judge).variesByCPU,
	(*judge).secure,
	(*judge).missingVersions,
	(*judge).missingSymbols,
	(*judge).copySizes,
	(*judge).earlyIFuncs,
	(*judge).twoRuntimes,
	(*judge).unwinder,
	(*judge).underlinked,
	(*judge).unused,
	(*judge).interposed,
	(*judge).openedBindings,
}

// judge looks at one link map.
type judge struct {
	*comparer
	closure  *Closure
	m        *LinkMap
	bindings *Bindings  // nil where they are not known
	rebounds []*rebound // in the order of scope
	findings []Finding
}

// comparer remembers what was read of files, which many programs share.
type comparer struct {
	same    map[[2]*Object]bool
	exports map[*Object]*exports
	builds  map[*Object]string
	tables  tables
}

func (c *comparer) sameBytes(a, b *Object) (bool, error) {
	key := [2]*Object{a, b}
	if same, ok := c.same[key]; ok {
		return same, nil
	}
	same, err := sameBytes(a, b)
	c.same[key] = same
	return same, err
}

func (j *judge) add(f Finding) {
	f.Program = j.m.Program().Path
	if f.Severity < Warning && mayNotHappen(&f, j.m) {
		f.Severity = Warning
	}
	for i := range f.Copies {
		if o := f.Copies[i].Object; o != nil {
			f.Copies[i].Store = j.store(f.Copies[i].Path)
			if f.Copies[i].Store == "" {
				f.Copies[i].Store = j.store(o.Path)
			}
		}
	}
	j.findings = append(j.findings, f)
}

// store is the store path that a file lies in; "" outside the store.
func (j *judge) store(file string) string {
	if sp, _, ok := ParseStorePath(j.closure.StoreDir, file); ok {
		return sp.String()
	}
	return ""
}

// place is how a sentence names where a file is: its store path, short; else the file. The whole
// path stands with the copy.
func (j *judge) place(file string) string {
	if sp, _, ok := ParseStorePath(j.closure.StoreDir, file); ok {
		return sp.Short()
	}
	return file
}

// chains are the shortest chains to each of some needs.
func chains(needs []*Need) [][]*Need {
	var all [][]*Need
	for _, n := range needs {
		all = append(all, Chain(n))
	}
	return all
}

// chainOf is the chain that brought an object; none for the program and ld.so.
func chainOf(l *Loaded) [][]*Need {
	if l.By == nil {
		return nil
	}
	return chains([]*Need{l.By})
}

// byName groups needs by their names, in the order in which the names are first asked for.
func byName(needs []*Need) [][]*Need {
	var groups [][]*Need
	at := map[string]int{}
	for _, n := range needs {
		i, ok := at[n.Name]
		if !ok {
			i = len(groups)
			at[n.Name] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], n)
	}
	return groups
}

// who lists the file names of requesters: "a", "a and b", "a, b and 3 more".
func who(needs []*Need) string { return join(requesters(needs)) }

// verb is a list of names with its verb: "a needs", "a and b need".
func verb(names []string, one, many string) string {
	if len(names) > 1 {
		return join(names) + " " + many
	}
	return join(names) + " " + one
}

// requesters are the file names of who needs something, each once.
func requesters(needs []*Need) []string {
	var names []string
	for _, n := range needs {
		if name := path.Base(n.From.Path); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// stem is a library's name without what tells its versions apart: libprotobuf of libprotobuf.so.32,
// libfoo of libfoo-1.2.so, libpython of libpython3.11.so.1.0.
func stem(soname string) string {
	name, _, _ := strings.Cut(soname, ".so")
	bare := strings.TrimRight(name, "0123456789.")
	digits := name[len(bare):]
	if dashed, ok := strings.CutSuffix(bare, "-"); ok && digits != "" {
		return dashed
	}
	if strings.Contains(digits, ".") {
		return bare
	}
	return name
}

// trimLib is the name by which people call a library.
func trimLib(stem string) string { return strings.TrimPrefix(stem, "lib") }
