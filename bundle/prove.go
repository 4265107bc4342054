package bundle

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// proofDir is where the bundle stands in the tree that the proof walks; any place will do.
const proofDir = "/bundle"

// ProofError refuses a plan under which a program would not load what it loads now.
type ProofError struct {
	Program string // the program, as it was asked for
	Want    string // what it loads now, at its place in the bundle
	Got     string // what it would load
	For     string // the need or symbol concerned, or the place in load order
}

func (e *ProofError) Error() string {
	return fmt.Sprintf("%s: the bundle would change what is loaded for %s: %s instead of %s", e.Program, e.For, e.Got, e.Want)
}

// Prove walks the planned tree as the loader would, over the edited files, and compares: every
// program must load the same objects in the same order, every need must get the same answer, and
// every symbol reference must reach the same definition; so must what it opens at run time, and libraries that
// are taken along for themselves. It returns a *ProofError with the first difference. Nothing is written. A plan
// that NewPlan has not made cannot be proven.
func (p *Plan) Prove() error {
	if p.closure == nil {
		return errors.New("the plan is not one of NewPlan: there is nothing to hold it against")
	}
	if p.prefix != nil {
		return p.provePrefix()
	}
	for _, s := range p.layout.starts {
		if s.strategy == StrategyNone || s.library {
			continue
		}
		if err := p.prove(s); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) prove(s *start) error {
	tree, err := p.proofTree(s)
	if err != nil {
		return err
	}
	loader := s.linkMap.Loader
	loader.DefaultDirs, loader.CachePath = nil, ""
	if s.strategy == StrategySystem {
		loader.DefaultDirs = []string{"/lib"}
	}
	opts := closure.Options{Loader: &loader, Opened: p.proofOpened(s)}
	opts.LibraryPath, opts.Preload = p.proofEnvironment(s)
	var libraries []*start
	for _, l := range p.layout.starts {
		if l.library && l.opener == s {
			libraries = append(libraries, l)
			opts.Libraries = append(opts.Libraries, p.sigma(l, l.program()))
		}
	}
	c, err := closure.Walk(tree, []string{p.sigma(s, s.program())}, opts)
	if err != nil {
		return fmt.Errorf("%s: the bundle cannot be walked: %w", s.asked, err)
	}
	if err := p.compare(s, c.LinkMaps[0]); err != nil {
		return err
	}
	for i, l := range libraries {
		if err := p.compare(l, c.Libraries[i]); err != nil {
			return err
		}
	}
	if err := p.proveLibgcc(s, c.LinkMaps[0]); err != nil {
		return err
	}
	return p.compareBindings(s, c.LinkMaps[0])
}

// proofOpened is what a program opens at run time, at its place: names stay names.
func (p *Plan) proofOpened(s *start) []closure.Opened {
	var list []closure.Opened
	for _, o := range s.linkMap.Opened {
		at := closure.Opened{By: p.sigma(s, o.Need.From.Object), Name: o.Name, Maybe: o.Maybe}
		if o.Program != "" { // what one program opens is nothing to a library that is walked by itself
			at.Program = p.sigma(s, s.program())
		}
		if strings.Contains(o.Name, "/") && o.Need.To != nil {
			at.Name = p.sigma(s, o.Need.To.Object)
		}
		list = append(list, at)
	}
	return list
}

// proofEnvironment is what a program's launcher makes of an empty environment, as far as the loader reads it.
func (p *Plan) proofEnvironment(s *start) (libraryPath string, preload []string) {
	if s.setup == nil {
		return "", nil
	}
	value := func(name string) string {
		text, _ := wrapper.Variable(s.setup.Env, name, "", false)
		return strings.ReplaceAll(text, wrapper.Root, path.Join(proofDir, p.Name))
	}
	if names := value("LD_PRELOAD"); names != "" {
		preload = []string{names}
	}
	return value("LD_LIBRARY_PATH"), preload
}

// proofTree is the file system of a target that has the bundle, and, where a program uses the
// target's C library, the members of it that it uses now.
func (p *Plan) proofTree(s *start) (*plannedFS, error) {
	t := newPlannedFS()
	for _, e := range p.Entries {
		t.add(path.Join(proofDir, e.Path), e)
	}
	for _, o := range p.targetObjects(s) {
		file := path.Join("/lib", path.Base(o.Path))
		t.add(file, Entry{Mode: 0o755, Object: o})
		if soname := path.Join("/lib", path.Base(o.Info.Soname)); o.Info.Soname != "" && soname != file {
			t.link(soname, file)
		}
	}
	if interp := s.linkMap.Interp; interp != nil && s.interp != "" {
		if at := p.sigma(s, interp.Object); at != s.interp {
			t.link(s.interp, at)
		}
	}
	return t, t.err
}

// targetObjects are what a program, and the libraries that it may open, use of the target now, each once.
func (p *Plan) targetObjects(s *start) []*closure.Object {
	var list []*closure.Object
	for _, l := range p.layout.starts {
		if l != s && l.opener != s {
			continue
		}
		for _, o := range l.linkMap.All() {
			if !l.packs(o) && !slices.Contains(list, o) {
				list = append(list, o)
			}
		}
	}
	return list
}

// sigma is where an object of one program is in the proof's tree.
func (p *Plan) sigma(s *start, o *closure.Object) string {
	switch {
	case p.prefix != nil:
		return p.prefix.absolute(o.Path)
	case s.starts(o):
		return path.Join(proofDir, p.in(p.layout.programs[o]))
	case !s.packs(o):
		return path.Join("/lib", path.Base(o.Path))
	}
	return path.Join(proofDir, p.in(p.layout.place[o]))
}

// compare holds the link map of the bundle against the original's. Where a library lacks something, what is
// found for it in the bundle does no harm.
func (p *Plan) compare(s *start, got *closure.LinkMap) error {
	want := s.linkMap
	if s.library && slices.ContainsFunc(want.Needs, func(n *closure.Need) bool { return n.To == nil }) {
		return nil
	}
	for i := range max(len(want.Loaded), len(got.Loaded)) {
		if a, b := p.mapped(s, at(want.Loaded, i)), pathOf(at(got.Loaded, i)); a != b {
			return p.proofError(s, fmt.Sprintf("place %d of the load order", i), a, b)
		}
	}
	if len(want.Needs) != len(got.Needs) {
		return p.proofError(s, "its needs", fmt.Sprint(len(want.Needs), " needs"), fmt.Sprint(len(got.Needs), " needs"))
	}
	for i, n := range want.Needs {
		if a, b := p.mapped(s, n.To), pathOf(got.Needs[i].To); a != b {
			return p.proofError(s, fmt.Sprintf("%s of %s", n.Name, n.From.Object.Path), a, b)
		}
	}
	if len(want.Opened) != len(got.Opened) {
		return p.proofError(s, "what it opens at run time", fmt.Sprint(len(want.Opened), " libraries"), fmt.Sprint(len(got.Opened), " libraries"))
	}
	for i, o := range want.Opened {
		if a, b := p.mapped(s, o.Need.To), pathOf(got.Opened[i].Need.To); a != b {
			return p.proofError(s, fmt.Sprintf("%s, which %s opens", o.Name, o.Need.From.Object.Path), a, b)
		}
	}
	return nil
}

// at is the i-th object of a load order, nil behind its end.
func at(order []*closure.Loaded, i int) *closure.Loaded {
	if i < len(order) {
		return order[i]
	}
	return nil
}

// mapped is where an object of one program is in the proof's tree; "nothing" for none.
func (p *Plan) mapped(s *start, l *closure.Loaded) string {
	if l == nil {
		return "nothing"
	}
	return p.sigma(s, l.Object)
}

// pathOf is where an object of the proof's tree is; "nothing" for none.
func pathOf(l *closure.Loaded) string {
	if l == nil {
		return "nothing"
	}
	return l.Object.Path
}

func (p *Plan) proofError(s *start, what, want, got string) error {
	trim := func(at string) string { return strings.TrimPrefix(at, proofDir+"/") }
	return &ProofError{Program: s.asked, For: what, Want: trim(want), Got: trim(got)}
}

// compareBindings holds the bindings of the bundle against the original's.
func (p *Plan) compareBindings(s *start, bundled *closure.LinkMap) error {
	want, err := closure.Bind(s.linkMap)
	if errors.Is(err, elfpatch.ErrUnsupported) {
		return nil // a machine whose relocations are not known: the link map must do
	}
	if err != nil {
		return err
	}
	got, err := closure.Bind(bundled)
	if err != nil {
		return err
	}
	a, b, differs := want.Difference(got)
	if !differs {
		return nil
	}
	if a.From == nil {
		return p.proofError(s, "its scope", "one scope", "another scope")
	}
	return p.proofError(s, a.Symbol+" of "+a.From.Object.Path, p.mapped(s, a.To), pathOf(b.To))
}
