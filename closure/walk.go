package closure

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/nixbundle/nixbundle/closure/wrapper"
)

// Walk computes what each program's loader would map, in its order, and why. Programs are absolute
// slash paths inside root; root's files must also be io.ReaderAt, and links are read through
// fs.ReadLinkFS; several files are opened at a time. A library is taken as ldd takes one; a wrapper or a script
// stands for the program that it starts, in the environment that it makes. Of no programs the closure is empty,
// whatever opts say.
//
// A need that nothing answers is no error: its To is nil, see [Closure.Missing]. What stops the loader
// itself is one: a [*LoadError]. What is no program is a [*ProgramError], and a wrapper that leads to
// none a [*LaunchError].
func Walk(root fs.FS, programs []string, opts Options) (*Closure, error) {
	if err := checkHWCaps(opts.HWCaps); err != nil {
		return nil, err
	}
	w := newWalker(root, opts)
	w.ahead = newReadAhead(w.tree)
	defer w.stopReadAhead()
	c := &Closure{StoreDir: opts.storeDir()}
	if len(programs) == 0 {
		return c, nil
	}
	for _, path := range programs {
		m, err := w.linkMap(path)
		if err != nil {
			return nil, err
		}
		c.LinkMaps = append(c.LinkMaps, m)
		w.foreignShells(c, m)
	}
	for _, path := range opts.Helpers {
		if err := w.helper(path, c); err != nil {
			return nil, err
		}
	}
	for _, path := range opts.Libraries {
		m, err := w.library(path, c.LinkMaps)
		if err != nil {
			return nil, err
		}
		c.Libraries = append(c.Libraries, m)
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
	for _, m := range slices.Concat(c.LinkMaps, c.Libraries) {
		for _, l := range m.Loaded {
			add(l)
		}
		add(m.Interp)
		for _, o := range m.Opened {
			for _, l := range o.Scope {
				add(l)
			}
		}
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
	all     []*Loaded // in order of creation, ld.so second, but filtees before their filters: what a name is compared with
	names   map[string]int
	sonames map[string]int
	system  []place // the loader's own directories
	env     []list  // LD_LIBRARY_PATH
	cpu     processor
	opening *Open           // what brings the objects that are created
	probes  int             // places looked at
	guessed map[string]bool // needed names that files were read ahead for
	guesses int             // places looked at for that
}

// linkMap computes the link map of one program, of a wrapper the one of what it starts.
func (w *walker) linkMap(path string) (*LinkMap, error) {
	launch, err := w.launch(path)
	if err != nil {
		return nil, err
	}
	object, err := w.program(launch.Program)
	if err != nil {
		return nil, err
	}
	m := &LinkMap{Asked: path, Launch: launch}
	if len(launch.Steps) > 0 {
		setup, err := Flatten(launch.Steps)
		if err != nil {
			return nil, &LaunchError{Chain: launch.chain(), Why: err.Error(), Err: err}
		}
		m.Setup = &setup
	}
	return w.process(m, object, object.Interp())
}

// helper computes the link map of a program that another one may start. What cannot start for that is told.
func (w *walker) helper(path string, c *Closure) error {
	m, err := w.linkMap(path)
	var system *fs.PathError
	if errors.As(err, &system) {
		return err
	}
	first := c.LinkMaps[0].Program().Object.Info
	switch {
	case err != nil:
		c.aside(path, Note, "%s is taken along as it is: %v", path, err)
	case !sameMachine(m.Program().Object.Info, first):
		c.asides = append(c.asides, Finding{Kind: KindWrongMachine, Severity: Warning, Name: path,
			What:   fmt.Sprintf("%s, which another program may start, is for %v, and the programs are for %v", path, m.Program().Object.Info.Machine, first.Machine),
			Advice: "let it be built for the machine that the program runs on (in nixpkgs' words the host platform)"})
	case len(missingIn(m, false)) > 0:
		missing := missingIn(m, false)[0]
		c.aside(path, Warning, "%s, which another program may start, needs %s, and nothing answers", path, missing.Name)
	default:
		m.Helper = true
		c.LinkMaps = append(c.LinkMaps, m)
		w.foreignShells(c, m)
	}
	return nil
}

// foreignShells finds wrappers whose shell is for another machine than what they start: of a cross build, that of
// the machine that built them. They cannot start there; a launcher does without it.
func (w *walker) foreignShells(c *Closure, m *LinkMap) {
	for _, step := range m.Launch.Steps {
		if len(step.Interp) == 0 || step.Kind == wrapper.Script {
			continue
		}
		n, err := w.walk(step.Interp[0])
		if err != nil {
			continue
		}
		shell, err := w.object(n)
		if err != nil || sameMachine(shell.Info, m.Program().Object.Info) {
			continue
		}
		c.asides = append(c.asides, Finding{
			Kind: KindWrongMachine, Severity: Warning, Program: m.Program().Path, Name: step.Path,
			Copies: []Copy{{Object: shell, Path: shell.Path}},
			What:   fmt.Sprintf("%s is a script for %s, which is for %v and not for %v", step.Path, shell.Path, shell.Info.Machine, m.Program().Object.Info.Machine),
			Advice: "give the wrapper the shell of the machine that the program runs on (makeWrapper in nativeBuildInputs takes runtimeShell); a bundle's launcher needs none of it",
		})
	}
}

func (c *Closure) aside(name string, severity Severity, format string, args ...any) {
	c.asides = append(c.asides, Finding{Kind: KindAside, Severity: severity, Name: name, What: fmt.Sprintf(format, args...)})
}

// library computes the link map of a library that one of some programs may open.
func (w *walker) library(path string, programs []*LinkMap) (*LinkMap, error) {
	object, err := w.program(path)
	if err != nil {
		return nil, err
	}
	interp := ""
	for _, m := range programs {
		if program := m.Program().Object; interp == "" && sameMachine(object.Info, program.Info) {
			interp = program.Interp()
		}
	}
	m, err := w.process(&LinkMap{Asked: path}, object, interp)
	var stops *LoadError
	if errors.As(err, &stops) {
		return &LinkMap{Asked: path, Loaded: []*Loaded{{Object: object, Path: object.Path}}, Err: err}, nil
	}
	return m, err
}

// process computes the link map of what starts with an object, with the loader at interp; "" is the one that
// ldd would take.
func (w *walker) process(m *LinkMap, object *Object, interp string) (*LinkMap, error) {
	program := &Loaded{Object: object, Path: object.Path}
	m.Loaded = []*Loaded{program}
	p := &process{walker: w, m: m, names: map[string]int{}, sonames: map[string]int{}, guessed: map[string]bool{}}
	p.create(program)
	if !p.start(interp) {
		return p.m, nil
	}
	p.m.process = p
	p.readNeeds(program)
	s := &scope{process: p}
	s.add(program)
	if err := p.preload(s); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	p.m.Loaded = s.list
	p.listInterp()
	return p.m, p.open(m.Asked)
}

// create puts an object on the list that names are compared with. An earlier object goes first.
func (p *process) create(l *Loaded) {
	l.Opened = p.opening
	p.all = append(p.all, l)
	p.index(len(p.all)-1, l)
}

// index enters what the i-th object is found by.
func (p *process) index(i int, l *Loaded) {
	if l.By != nil || l == p.m.Interp {
		p.name(i, l.Path)
	}
	for _, name := range l.Names {
		p.name(i, name)
	}
	if so := l.Object.Info.Soname; so != "" {
		first(p.sonames, so, i)
	}
}

// moveBefore puts an object right before another one on the list that names are compared with. Before the program,
// which the list begins with, it would be found by no name (glibc: _ns_loaded).
func (p *process) moveBefore(l, before *Loaded) {
	if before == p.m.Program() {
		return
	}
	at := slices.Index(p.all, l)
	p.all = slices.Delete(p.all, at, at+1)
	p.all = slices.Insert(p.all, slices.Index(p.all, before), l)
	clear(p.names)
	clear(p.sonames)
	p.name(0, "")
	for i, l := range p.all {
		p.index(i, l)
	}
}

// name gives the i-th object one more name to be found by.
func (p *process) name(i int, name string) { first(p.names, name, i) }

func first(index map[string]int, name string, i int) {
	if at, ok := index[name]; !ok || i < at {
		index[name] = i
	}
}

// listInterp puts ld.so last where no need has put it: glibc does so from 2.41 on.
func (p *process) listInterp() {
	m := p.m
	if m.Interp != nil && m.Loader.does(interpListed) && !slices.Contains(m.Loaded, m.Interp) {
		m.Loaded = append(m.Loaded, m.Interp)
	}
}
