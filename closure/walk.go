package closure

import (
	"io/fs"
	"slices"
)

// Walk computes what each program's loader would map, in its order, and why. Programs are absolute
// slash paths inside root; root's files must also be io.ReaderAt, and links are read through
// fs.ReadLinkFS. A library is taken as ldd takes one.
//
// A need that nothing answers is no error: its To is nil, see [Closure.Missing]. What stops the loader
// itself is one: a [*LoadError]. What is no program is a [*ProgramError] or a [*WrapperError].
func Walk(root fs.FS, programs []string, opts Options) (*Closure, error) {
	w := newWalker(root, opts)
	c := &Closure{StoreDir: opts.storeDir()}
	for _, path := range programs {
		m, err := w.linkMap(path)
		if err != nil {
			return nil, err
		}
		m.Asked = path
		c.LinkMaps = append(c.LinkMaps, m)
	}
	c.collect()
	return c, nil
}

// collect lists every object once.
func (c *Closure) collect() {
	seen := map[*Object]bool{}
	add := func(l *Loaded) {
		if l != nil && !seen[l.Object] {
			seen[l.Object] = true
			c.Objects = append(c.Objects, l.Object)
		}
	}
	for _, m := range c.LinkMaps {
		for _, l := range m.Loaded {
			add(l)
		}
		add(m.Interp)
	}
}

// walker is what the link maps of one walk share.
type walker struct {
	objects
	opts    Options
	loaders map[*node]Loader
	caches  map[string]*ldCache   // ld.so.cache by path
	dirs    map[string]*directory // search directories by text
}

func newWalker(root fs.FS, opts Options) *walker {
	return &walker{
		objects: objects{tree: newTree(root), bySize: map[int64][]known{}},
		opts:    opts,
		loaders: map[*node]Loader{},
		caches:  map[string]*ldCache{},
		dirs:    map[string]*directory{},
	}
}

// process is one process whose link map is being computed.
type process struct {
	*walker
	m       *LinkMap
	order   []source  // the search order of its loader
	all     []*Loaded // in order of creation, ld.so second: what a name is compared with
	names   map[string]int
	sonames map[string]int
	done    map[*Loaded]bool
	system  []place // the loader's own directories
	probes  int     // places looked at
}

// linkMap computes the link map of one program.
func (w *walker) linkMap(path string) (*LinkMap, error) {
	object, err := w.program(path)
	if err != nil {
		return nil, err
	}
	program := &Loaded{Object: object, Path: object.Path}
	p := &process{
		walker: w, m: &LinkMap{Loaded: []*Loaded{program}},
		names: map[string]int{}, sonames: map[string]int{}, done: map[*Loaded]bool{},
	}
	p.create(program)
	if !p.start() {
		return p.m, nil
	}
	if err := p.load(); err != nil {
		return nil, err
	}
	p.listInterp()
	return p.m, nil
}

// create puts an object on the list that names are compared with. An earlier object goes first.
func (p *process) create(l *Loaded) {
	i := len(p.all)
	p.all = append(p.all, l)
	if l.By != nil || l == p.m.Interp {
		p.name(i, l.Path)
	}
	if so := l.Object.Info.Soname; so != "" {
		first(p.sonames, so, i)
	}
}

// name gives the i-th object one more name to be found by.
func (p *process) name(i int, name string) { first(p.names, name, i) }

func first(index map[string]int, name string, i int) {
	if at, ok := index[name]; !ok || i < at {
		index[name] = i
	}
}

// load goes through the needs breadth first (glibc elf/dl-deps.c: _dl_map_object_deps): the next
// object's needs in order, what they bring going to the end.
func (p *process) load() error {
	for i := 0; i < len(p.m.Loaded); {
		l := p.m.Loaded[i]
		if p.done[l] {
			i++
			continue
		}
		p.done[l] = true
		if err := p.needs(l); err != nil {
			return err
		}
		if p.m.Loader.Kind == LoaderGlibc {
			// A filtee goes before i and is looked at next.
			if err := p.filters(l, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// needs resolves the DT_NEEDED entries of one object.
func (p *process) needs(l *Loaded) error {
	for i, name := range l.Object.Info.Needed {
		if slices.Contains(l.Object.Info.Needed[:i], name) {
			continue // a second entry finds what the first one brought
		}
		n := &Need{Name: name, From: l}
		p.m.Needs = append(p.m.Needs, n)
		if err := p.resolve(n); err != nil {
			return err
		}
		if n.To != nil && !slices.Contains(p.m.Loaded, n.To) {
			p.m.Loaded = append(p.m.Loaded, n.To)
		}
	}
	return nil
}

// filters resolves DT_FILTER and DT_AUXILIARY of the i-th object: the filtee goes right before it,
// from further behind as well; one that is before it already stays (glibc elf/dl-deps.c). An
// auxiliary one may be missing.
func (p *process) filters(l *Loaded, i int) error {
	for k, name := range slices.Concat(l.Object.Info.Filter, l.Object.Info.Auxiliary) {
		n := &Need{Name: name, From: l}
		if err := p.resolve(n); err != nil {
			return err
		}
		if n.To != nil || k < len(l.Object.Info.Filter) {
			p.m.Needs = append(p.m.Needs, n)
		}
		if n.To == nil {
			continue
		}
		at := slices.Index(p.m.Loaded, n.To)
		if at >= 0 && at <= i {
			continue
		}
		if at > i {
			p.m.Loaded = slices.Delete(p.m.Loaded, at, at+1)
		}
		p.m.Loaded = slices.Insert(p.m.Loaded, i, n.To)
		i++
	}
	return nil
}

// listInterp puts ld.so last where no need has put it: glibc does so from 2.41 on.
func (p *process) listInterp() {
	m := p.m
	if m.Interp != nil && m.Loader.Kind == LoaderGlibc && m.Loader.atLeast(2, 41) &&
		!slices.Contains(m.Loaded, m.Interp) {
		m.Loaded = append(m.Loaded, m.Interp)
	}
}
