package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// checkPrograms proves every program: that it starts as promised, and that the loader then finds
// and binds all that it needs.
func (v *verifier) checkPrograms() error {
	var groups [][]*starting
	for _, p := range v.manifest.Programs {
		v.result.Programs++
		s := v.promise(p)
		if s == nil {
			continue
		}
		i := slices.IndexFunc(groups, func(g []*starting) bool { return g[0].shares(s) })
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	if v.result.Programs == 0 {
		v.broken(KindManifest, manifestPath(v.manifest.Name), "the manifest names no program")
	}
	v.strayPrograms()
	v.checkRecord()
	for _, g := range groups {
		if err := v.load(g); err != nil {
			return err
		}
	}
	for _, g := range groups {
		if g[0].Strategy != StrategyNone {
			return v.checkPlugins(g[0])
		}
	}
	return nil
}

// shares reports whether two programs can be walked in one tree: PT_INTERP leads both to one loader.
func (s *starting) shares(o *starting) bool {
	return s.Strategy == o.Strategy && s.elf.info.Interp == o.elf.info.Interp && s.loader == o.loader &&
		s.variable("LD_LIBRARY_PATH") == o.variable("LD_LIBRARY_PATH") && s.variable("LD_PRELOAD") == o.variable("LD_PRELOAD")
}

// strayPrograms finds what a user could start, and the manifest does not name.
func (v *verifier) strayPrograms() {
	named := map[string]bool{}
	for _, p := range v.manifest.Programs {
		named[p.Entry], named[p.ELF] = true, true
	}
	for _, e := range v.order {
		rel := strings.TrimPrefix(e.Path, v.manifest.Name+"/")
		if e.Type != TypeFolder && !named[e.Path] && (strings.HasPrefix(rel, "bin/") || strings.HasPrefix(rel, "libexec/")) {
			v.broken(KindManifest, e.Path, "%s is no program of the manifest", e.Path)
		}
	}
}

// load walks, binds, judges and audits programs as the loader would load them from the bundle.
func (v *verifier) load(g []*starting) error {
	port, ok := v.port(g[0])
	if !ok {
		return nil
	}
	tree, err := v.machine(g[0])
	if err != nil {
		return err
	}
	var programs []string
	for _, s := range g {
		programs = append(programs, v.started(s))
	}
	opts := v.walkOptions(g[0])
	c, err := closure.Walk(tree, programs, opts)
	if err != nil {
		return v.stopped(g, err)
	}
	findings, err := closure.Judge(c)
	if err != nil {
		return err
	}
	for _, f := range findings {
		v.judged(g[0], f)
	}
	for _, o := range c.Objects {
		v.loaded[v.packed(o)] = true
	}
	if findings, err = closure.Audit(c, v.audited(g[0], port)); err != nil {
		return err
	}
	for _, f := range findings {
		v.keep(f)
	}
	for i, m := range c.LinkMaps {
		v.checkLaunch(g[i], m)
		if err := v.checkLinkMap(g[i], m, port); err != nil {
			return err
		}
	}
	v.result.Objects += len(c.Objects)
	return nil
}

// base is the folder that the bundle's own stands in when it runs: for one with a prefix that, else any.
func (v *verifier) base() string {
	if v.manifest.Prefix != "" {
		return path.Dir(v.manifest.Prefix)
	}
	return proofDir
}

// rel is a path of the machine as one of the bundle, where it is below its folder; another one stays.
func (v *verifier) rel(at string) string {
	own := path.Join(v.base(), v.manifest.Name)
	if rest, ok := strings.CutPrefix(at, own); ok && (rest == "" || rest[0] == '/') {
		return v.manifest.Name + rest
	}
	return at
}

// walkOptions are what the launchers of a group set, as far as the loader reads it.
func (v *verifier) walkOptions(s *starting) closure.Options {
	opts := closure.Options{LibraryPath: v.place(s.variable("LD_LIBRARY_PATH"))}
	if names := v.place(s.variable("LD_PRELOAD")); names != "" {
		opts.Preload = []string{names}
	}
	return opts
}

// variable is what a program's launcher makes of a variable that is not set.
func (s *starting) variable(name string) string {
	if s.Setup == nil {
		return ""
	}
	value, _ := wrapper.Variable(s.Setup.Env, name, "", false)
	return value
}

// stopped makes a finding of what stops the loader of one of some programs.
func (v *verifier) stopped(g []*starting, err error) error {
	var file *closure.LoadError
	var program *closure.ProgramError
	var launch *closure.LaunchError
	switch {
	case !errors.As(err, &file) && !errors.As(err, &program) && !errors.As(err, &launch):
		return err
	case len(g) == 1:
		v.cannotStart(g[0], v.trim(err.Error()))
		return nil
	}
	for i := range g {
		if err := v.load(g[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// tree is a machine that has the bundle and nothing else, but that PT_INTERP leads to the loader that
// starts the programs.
func (v *verifier) tree(s *starting) (*plannedFS, error) {
	t := newPlannedFS()
	for _, e := range v.order {
		at := path.Join(v.base(), e.Path)
		switch e.Type {
		case TypeFolder:
			t.add(at, Entry{Mode: fs.ModeDir | e.mode})
		case TypeLink:
			t.link(at, e.Link)
		default:
			t.add(at, Entry{Mode: e.mode, Object: e.object()})
		}
	}
	if s.loader != nil && s.Strategy != StrategyStub && v.manifest.Prefix == "" {
		t.link(s.elf.info.Interp, path.Join(proofDir, s.loader.Path))
	}
	return t, t.err
}

// object is a file of a bundle as the view of a tree has it.
func (e *verified) object() *closure.Object {
	o := &closure.Object{Path: e.Path, Mode: e.mode, Info: e.info}
	if e.content == nil {
		o.Open = func() (closure.File, error) { return nil, fs.ErrNotExist }
		return o
	}
	o.Size = e.content.Size()
	o.Open = func() (closure.File, error) { return section{e.content}, nil }
	return o
}

// section is a part of the spool as a file.
type section struct{ *io.SectionReader }

func (section) Close() error { return nil }

// judged takes a finding of Judge: what refuses a bundle is an error, and so is what ends a process that
// is not foreseen in the manifest, a symbol that nothing defines or a libgcc_s that glibc does not find.
func (v *verifier) judged(s *starting, f closure.Finding) {
	if f.Kind == closure.KindMissing && v.fromTarget(s) && inTarget(s, f.Name) {
		return
	}
	switch {
	case f.Severity == closure.Note:
	case refuses(&f) || f.Kind == closure.KindSymbol || f.Kind == closure.KindUnwinder:
		f.Severity = closure.Error
	default:
		f.Severity = closure.Warning
	}
	v.keep(f)
}

// keep records a finding of a closure that is no note, in the bundle's words. What the manifest records
// stood there when the bundle was made; of a machine it knows nothing, and it makes no program start.
func (v *verifier) keep(f closure.Finding) {
	v.trimFinding(&f)
	stops := f.Severity == closure.Error && (aboutMachine[f.Kind] || stopsProgram[f.Kind])
	switch {
	case f.Severity == closure.Note:
	case v.accepts(&f) && !stops:
		v.result.Accepted = append(v.result.Accepted, f)
	default:
		v.add(f)
	}
}

// aboutMachine are kinds of findings that are errors on a machine that is named, and else warnings.
var aboutMachine = map[closure.Kind]bool{closure.KindPageSize: true, closure.KindISA: true, closure.KindRelr: true}

// stopsProgram are kinds of findings with which no program starts, whoever allowed them.
var stopsProgram = map[closure.Kind]bool{
	closure.KindMissing: true, closure.KindVersion: true, closure.KindVerNeedFile: true, closure.KindUnbound: true,
}

// inTarget reports whether a name is the target's to answer, beside the system's own C library.
func inTarget(s *starting, name string) bool {
	return name == s.elf.info.Interp || closure.InLibc(&elfpatch.Info{Soname: name})
}

// accepts reports whether the manifest records a finding as allowed.
func (v *verifier) accepts(f *closure.Finding) bool {
	return slices.ContainsFunc(v.manifest.Accepted, func(a ManifestFinding) bool { return a.is(f) })
}

// Kept reports whether one of v.Accepted refuses no bundle, so that nobody had to allow it.
func (v *Verification) Kept(f *closure.Finding) bool {
	return slices.ContainsFunc(v.Manifest.Accepted, func(a ManifestFinding) bool { return a.Kept && a.is(f) })
}

// is reports whether a finding is the one of the record.
func (a *ManifestFinding) is(f *closure.Finding) bool {
	return a.Kind == string(f.Kind) && a.Name == f.Name && path.Base(a.Program) == path.Base(f.Program)
}

// recall lists what the manifest records as allowed and nothing in the bundle shows: where the loader keeps one of two
// copies, only that one was packed.
func (v *verifier) recall() {
	found := slices.Concat(v.result.Accepted, v.result.Findings)
	for _, a := range v.manifest.Accepted {
		known := slices.ContainsFunc(found, func(f closure.Finding) bool { return a.is(&f) })
		if known || len(v.result.Accepted) >= maxFindings {
			continue
		}
		f := closure.Finding{Kind: closure.Kind(a.Kind), Severity: closure.Warning, Program: a.Program, Name: a.Name, What: a.What}
		for _, k := range closure.Kinds() {
			if k.Kind == f.Kind {
				f.Severity = k.Severity
			}
		}
		for i, p := range a.Paths {
			f.Copies = append(f.Copies, closure.Copy{Path: p, Kept: i == 0})
		}
		v.result.Accepted = append(v.result.Accepted, f)
	}
}

// trimFinding takes the place where the proof has the bundle out of a finding.
func (v *verifier) trimFinding(f *closure.Finding) {
	f.Program, f.Name, f.What, f.Advice = v.trim(f.Program), v.trim(f.Name), v.trim(f.What), v.trim(f.Advice)
	for i := range f.Copies {
		f.Copies[i].Path = v.trim(f.Copies[i].Path)
		for k := range f.Copies[i].Tried {
			f.Copies[i].Tried[k].Path = v.trim(f.Copies[i].Tried[k].Path)
		}
	}
}

// trim takes that place out of a text.
func (v *verifier) trim(text string) string {
	return strings.ReplaceAll(text, path.Join(v.base(), v.manifest.Name)+"/", v.manifest.Name+"/")
}

// checkLinkMap checks what only a bundle promises of a link map.
func (v *verifier) checkLinkMap(s *starting, m *closure.LinkMap, port *Port) error {
	v.checkLauncher(s, &m.Loader)
	v.checkMusl(s)
	v.checkLibc(s, m)
	v.checkInodes(s, m)
	if err := v.checkTarget(s, m, port); err != nil {
		return err
	}
	for _, n := range m.Needs {
		if n.To != nil {
			v.result.Needs++
		}
	}
	b, err := closure.Bind(m)
	if errors.Is(err, elfpatch.ErrUnsupported) {
		return nil // a machine whose relocations are not known: the link map must do
	}
	var damaged *closure.BindError
	if errors.As(err, &damaged) {
		return nil // a finding already
	}
	if err == nil {
		v.result.References += b.Len()
	}
	return err
}

// packed is the entry of an object that was loaded; nil for one of the target.
func (v *verifier) packed(o *closure.Object) *verified {
	return v.entries[v.rel(o.Path)]
}

// checkInodes finds two objects of one process that are one file: the loader would take them for one.
func (v *verifier) checkInodes(s *starting, m *closure.LinkMap) {
	seen := map[string]*verified{}
	for _, o := range m.All() {
		e := v.packed(o)
		if e == nil {
			continue
		}
		if other := seen[e.inode()]; other != nil {
			v.cannotStart(s, fmt.Sprintf("%s and %s are one file, which the loader maps once", other.Path, e.Path))
		}
		seen[e.inode()] = e
	}
}
