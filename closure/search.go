package closure

import (
	"debug/elf"
	"slices"
	"strings"
	"syscall"
)

// source is one row of the search order of a loader: which lists of places it looks through for an
// object's need.
type source func(p *process, by *Loaded, name string) []list

// glibcOrder is the order of ld.so(8), which begins with what is loaded already ([process.loaded])
// and with names that are paths ([process.direct]); glibc elf/dl-load.c: _dl_map_object.
var glibcOrder = []source{
	(*process).rpathChain,  // DT_RPATH of the requester and of its loaders, unless it has DT_RUNPATH
	(*process).libraryPath, // LD_LIBRARY_PATH
	(*process).ownRunPath,  // DT_RUNPATH of the requester only
	(*process).cached,      // ld.so.cache
	(*process).defaults,    // the system directories, unless DF_1_NODEFLIB
}

// list is places of one origin. A place that goes wrong other than by being absent ends its list.
type list struct {
	rule   Rule
	via    *Loaded // whose list it is
	places []place
	others []place // what another processor would take before them
}

// place is one element of a list: a directory, or a whole path.
type place struct {
	text  string     // a directory that ends in a slash, or with dir nil a path
	dir   *directory // nil for a path
	never string     // why it is not looked at
}

// directory is a search directory by its text.
type directory struct {
	node *node
	err  error // a [*noDirectory]

	process *process // whose subdirs they are
	subs    *subdirs
}

// directory resolves a search directory once.
func (w *walker) directory(text string) *directory {
	d, ok := w.dirs[text]
	if !ok {
		d = &directory{}
		n, err := w.tree.directory(text)
		if err == nil && !n.mode.IsDir() {
			err = syscall.ENOTDIR
		}
		if d.node = n; err != nil {
			d.err = &noDirectory{err}
		}
		w.dirs[text] = d
	}
	return d
}

// searchPaths are the lists of one object, split when they are first needed.
type searchPaths struct {
	split   bool
	rpath   []list // DT_RPATH of it and of its loaders; none when it has a DT_RUNPATH
	runPath []list
}

// resolve answers a need by glibc's or musl's rules.
func (p *process) resolve(n *Need) error {
	if p.m.Loader.Kind == LoaderMusl {
		return p.resolveMusl(n)
	}
	name, unknown := p.expand(n.Name, n.From) // glibc elf/dl-deps.c: expand_dst
	if unknown != "" {
		n.Tried = append(n.Tried, Candidate{Path: n.Name, Rule: RuleDirect,
			Why: unknown + " is decided by the machine that runs it"})
		return nil
	}
	if i, rule := p.loaded(name); rule != RuleNone {
		p.answer(n, p.all[i], rule)
		n.Path = n.To.Path
		return nil
	}
	hit, err := p.search(name, n.by, n)
	if err != nil {
		return p.stop(n, err)
	}
	if hit.object != nil {
		p.take(n, name, hit)
	}
	return nil
}

// loaded looks for a name among the objects that are there (glibc elf/dl-load.c: _dl_map_object):
// the first one that has it for its path, its requested name or its soname. No file is touched.
func (p *process) loaded(name string) (int, Rule) {
	i, named := p.names[name]
	k, bySoname := p.sonames[name]
	switch {
	case named && (!bySoname || i <= k):
		return i, p.ruleOf(i, RuleLoadedName)
	case bySoname:
		p.rename(k, name)
		return k, p.ruleOf(k, RuleLoadedSoname)
	}
	return 0, RuleNone
}

func (p *process) ruleOf(i int, rule Rule) Rule {
	switch p.all[i] {
	case p.m.Loaded[0]:
		return RuleProgram
	case p.m.Interp:
		return RuleInterp
	}
	return rule
}

// rename adds a name that a request has used.
func (p *process) rename(i int, name string) {
	l := p.all[i]
	if !slices.Contains(l.Names, name) {
		l.Names = append(l.Names, name)
	}
	p.name(i, name)
}

func (p *process) answer(n *Need, l *Loaded, rule Rule) {
	n.To, n.Rule = l, rule
}

// hit is what a search found.
type hit struct {
	object *Object
	path   string
	rule   Rule
	via    *Loaded
}

// take answers a need with a file that was opened. When it is one that is there already under
// another name, that one gets the name; ld.so and the program have no file identity, the kernel
// having mapped them (glibc elf/dl-load.c: _dl_map_object_from_fd).
func (p *process) take(n *Need, name string, h hit) {
	n.Rule, n.Path, n.Via = h.rule, h.path, h.via
	for i, l := range p.all {
		if l.Object == h.object && l.By != nil {
			n.To = l
			p.rename(i, name)
			return
		}
	}
	n.To = &Loaded{Object: h.object, Path: h.path, By: n, parent: n.parent}
	p.create(n.To)
	p.rename(len(p.all)-1, name)
	p.readNeeds(n.To)
}

// search looks for a name in the places that the search order gives, and notes in a need those
// passed over unless it is nil.
func (p *process) search(name string, by *Loaded, note *Need) (hit, error) {
	if strings.Contains(name, "/") {
		return p.searchList(p.direct(name), "", note)
	}
	for _, source := range p.order {
		for _, list := range source(p, by, name) {
			h, err := p.searchList(list, name, note)
			if h.object != nil || err != nil {
				return h, err
			}
		}
	}
	return hit{}, nil
}

// maxProbes bounds the places that one process looks at. A closure of 300 libraries has some
// 30,000; a file made to be slow can ask for any number.
const maxProbes = 1 << 22

func (p *process) searchList(l list, name string, note *Need) (hit, error) {
	if p.probes += len(l.places); p.probes > maxProbes {
		return hit{}, &ProgramError{Path: p.m.Program().Path, Why: "asks for more searches than any program needs"}
	}
	if note != nil {
		p.varies(note, l, l.others, name)
	}
	for i := range l.places {
		place := &l.places[i]
		h, err := p.searchSubdirs(l, place, name, note)
		if h.object != nil || err != nil {
			return h, err
		}
		h, ends, err := p.searchPlace(l, place, name, note)
		if h.object != nil || err != nil {
			return h, err
		}
		if ends {
			break
		}
	}
	return hit{}, nil
}

// searchSubdirs looks into the directories for this processor inside a search directory.
func (p *process) searchSubdirs(l list, pl *place, name string, note *Need) (hit, error) {
	s := p.subdirs(pl)
	if s == nil {
		return hit{}, nil
	}
	for i := range s.taken {
		h, _, err := p.searchPlace(l, &s.taken[i], name, note)
		if h.object != nil || err != nil {
			return h, err
		}
	}
	if note != nil {
		p.varies(note, l, s.others, name)
	}
	return hit{}, nil
}

// searchPlace looks into one place; ends says that the rest of its list is skipped.
func (p *process) searchPlace(l list, pl *place, name string, note *Need) (h hit, ends bool, err error) {
	object, pass, err := p.try(*pl, name)
	if err != nil {
		return hit{}, false, err
	}
	if object != nil {
		return hit{object, pl.path(name), l.rule, l.via}, false, nil
	}
	if note != nil {
		note.Tried = append(note.Tried, Candidate{pl.path(name), l.rule, pass.why, pass.object})
	}
	return hit{}, pass.endsList, nil
}

// path is the text by which a place's file is opened.
func (pl *place) path(name string) string {
	if pl.dir == nil || pl.never != "" {
		return pl.text
	}
	return pl.text + name
}

// direct is the one place of a name that is a path. A relative one counts from the current
// directory of whoever starts the program.
func (p *process) direct(name string) list {
	pl := place{text: name}
	if name[0] != '/' {
		pl.never = "relative to the current directory"
	}
	return list{rule: RuleDirect, places: []place{pl}}
}

// libraryPath is LD_LIBRARY_PATH.
func (p *process) libraryPath(*Loaded, string) []list { return p.env }

// rpathChain is DT_RPATH of the requester, of who brought it, and so on up to the program. Each
// one's counts only when it has no DT_RUNPATH; the requester's DT_RUNPATH turns all of it off.
func (p *process) rpathChain(by *Loaded, _ string) []list { return p.paths(by).rpath }

func (p *process) ownRunPath(by *Loaded, _ string) []list { return p.paths(by).runPath }

func (p *process) paths(l *Loaded) *searchPaths {
	s := &l.search
	if s.split {
		return s
	}
	s.split = true
	if info := l.Object.Info; info.HasRunPath {
		s.runPath = []list{{rule: RuleRunPath, via: l, places: p.pathList(info.RunPath, l, ":")}}
		return s
	}
	program := p.m.Program()
	for at := l; at != nil; at = at.parent {
		s.rpath = append(s.rpath, p.rpath(at)...)
		if at == program {
			return s
		}
	}
	s.rpath = append(s.rpath, p.rpath(program)...) // opened at run time
	return s
}

// rpath is an object's own DT_RPATH.
func (p *process) rpath(l *Loaded) []list {
	info := l.Object.Info
	if !info.HasRPath || info.HasRunPath {
		return nil
	}
	return []list{{rule: RuleRPath, via: l, places: p.pathList(info.RPath, l, ":")}}
}

// defaults are the directories compiled into the loader (glibc: rtld_search_dirs).
func (p *process) defaults(by *Loaded, _ string) []list {
	if by.Object.Info.DynFlags1&elf.DF_1_NODEFLIB != 0 {
		return nil
	}
	return []list{{rule: RuleDefault, places: p.system}}
}
