package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// fromTarget reports whether a program's C library is a target's of which there are no files here.
func (v *verifier) fromTarget(s *starting) bool {
	return s.Strategy == StrategySystem && v.opts.Root == nil
}

// port is the target for the machine of a program; nil where none is named, and not ok where the target
// is for other machines.
func (v *verifier) port(s *starting) (port *Port, ok bool) {
	if v.opts.Target == nil {
		return nil, true
	}
	kind := closure.LoaderGlibc
	if isMusl(s.elf.info) {
		kind = closure.LoaderMusl
	}
	port, err := v.opts.Target.On(s.elf.info, kind)
	var not *OptionError
	if errors.As(err, &not) {
		v.add(targetFinding(s, s.Entry, fmt.Sprintf("%s cannot run on %s: %s", s.Entry, v.opts.Target.Name, not.Why)))
	}
	return port, err == nil
}

func targetFinding(s *starting, name, what string) closure.Finding {
	return closure.Finding{
		Kind: KindTarget, Severity: closure.Error, Program: s.Entry, Name: name, What: what,
		Advice: "name this target when the bundle is made (--target), or let it bring its own C library",
	}
}

// checkRecord holds the target that the manifest says the bundle was planned for against the programs and
// the known targets. Programs that use its C library must find there what they ask for, if no other is named.
func (v *verifier) checkRecord() {
	t := v.manifest.Target
	if t == nil {
		return
	}
	for e := range v.programs {
		if e.info != nil && machineText(e.info) != t.Arch {
			v.broken(KindManifest, e.Path, "%s is for %s, and in the manifest the bundle is for %s", e.Path, machineText(e.info), clip(t.Arch))
		}
	}
	if t.Name == "" {
		return // a root, which is not here
	}
	var ports []*Port
	known, err := ParseTarget(t.Name)
	if err == nil {
		ports = known.Ports
	}
	i := slices.IndexFunc(ports, func(p *Port) bool { return p.Arch == t.Arch && p.LibcText() == t.Libc })
	if i < 0 {
		v.broken(KindManifest, manifestPath(v.manifest.Name), "the manifest has the target %s on %s with %s, and there is none such",
			clip(t.Name), clip(t.Arch), clip(t.Libc))
		return
	}
	v.planned = ports[i]
}

// audited is the machine that a program's files are audited for.
func (v *verifier) audited(s *starting, p *Port) closure.Machine {
	var m closure.Machine
	if p != nil {
		m = p.Machine(s.Strategy == StrategySystem)
	}
	if v.opts.PageSizes != nil {
		m.PageSizes = v.opts.PageSizes
	}
	return m
}

// machine is the file system of a machine with the bundle: with nothing else where the program brings
// its own C library, which looks nowhere else.
func (v *verifier) machine(s *starting) (fs.FS, error) {
	tree, err := v.tree(s)
	if err != nil || s.Strategy != StrategySystem || v.opts.Root == nil {
		return tree, err
	}
	return &overlay{base: v.opts.Root, bundle: tree, at: v.base()}, nil
}

// checkTarget checks what a program asks of the machine: of its C library all that it needs, and nothing
// else of it.
func (v *verifier) checkTarget(s *starting, m *closure.LinkMap, port *Port) error {
	const sh = "/bin/sh"
	if s.Strategy == StrategyWrapper && v.opts.Root != nil {
		if _, err := closure.ReadObject(v.opts.Root, sh); err != nil {
			v.add(targetFinding(s, sh, fmt.Sprintf("%s is started by a launcher in sh: %v", s.Entry, err)))
		}
	}
	if s.Strategy != StrategySystem {
		return nil
	}
	for _, n := range m.Needs {
		if n.To != nil && v.packed(n.To.Object) == nil && !inLibc(n.To.Object) && v.packed(n.From.Object) != nil {
			v.add(closure.Finding{Kind: KindLeaves, Severity: closure.Error, Program: s.Entry, Name: n.Name, Advice: advice[KindLeaves],
				What: fmt.Sprintf("%s needs %s, which is not in the bundle: it gets the machine's %s", path.Base(n.From.Path), n.Name, n.To.Path)})
		}
	}
	if v.opts.Root != nil {
		return nil // the walk has told
	}
	demands, err := (&start{linkMap: m}).demands()
	if err != nil {
		return err
	}
	if port == nil {
		port = v.planned
	}
	if port == nil {
		v.demands = append(v.demands, demands...)
		v.result.Fits = fitting(&start{linkMap: m}, v.demands, nil)
		return nil
	}
	for _, d := range port.unmet(demands) {
		v.add(targetFinding(s, d.Soname, fmt.Sprintf("%s, and %s has %s: the program does not start", d.String(), port, port.LibcText())))
	}
	return nil
}

// overlay is a machine's file system with a bundle in it, in the folder at.
type overlay struct {
	base   fs.FS
	bundle *plannedFS
	at     string
}

// of is the file system that a name is in.
func (o *overlay) of(name string) fs.FS {
	if name != "." && strings.HasPrefix("/"+name+"/", o.at+"/") || strings.HasPrefix(o.at+"/", "/"+name+"/") {
		return o.bundle // in the folder, or above it
	}
	return o.base
}

func (o *overlay) Open(name string) (fs.File, error)      { return o.of(name).Open(name) }
func (o *overlay) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(o.of(name), name) }
func (o *overlay) ReadLink(name string) (string, error)   { return fs.ReadLink(o.of(name), name) }
func (o *overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(o.of(name), name)
	if name == "." && err == nil {
		own, _ := o.bundle.ReadDir(name)
		list = slices.DeleteFunc(list, func(e fs.DirEntry) bool { return "/"+e.Name() == proofDir })
		list = append(list, own...)
	}
	return list, err
}

// checkLibc checks that the C library is all of one build, or none of it is in the bundle.
func (v *verifier) checkLibc(s *starting, m *closure.LinkMap) {
	var first *verified
	for _, o := range m.All() {
		e := v.packed(o)
		if e == nil || !closure.InLibc(o.Info) {
			continue
		}
		switch {
		case s.Strategy == StrategySystem:
			v.add(libcFinding(s, e, fmt.Sprintf("%s uses the target's C library, and the bundle has %s", s.Entry, e.Path)))
		case first == nil:
			first = e
		case e.StorePath != first.StorePath:
			v.add(libcFinding(s, e, fmt.Sprintf("%s loads parts of two C libraries: %s is of %s, and %s of %s",
				s.Entry, first.Path, orOutside(first.StorePath), e.Path, orOutside(e.StorePath))))
		}
	}
}

func orOutside(storePath string) string {
	if storePath == "" {
		return "no store path"
	}
	return clip(storePath)
}

func libcFinding(s *starting, e *verified, what string) closure.Finding {
	return closure.Finding{
		Kind: closure.KindLibc, Severity: closure.Error, Program: s.Entry, Name: e.Path, What: what,
		Advice: "make the bundle again: all of a C library is of one build, or the target's",
	}
}
