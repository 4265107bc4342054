package bundle

import (
	"path"
	"slices"

	"github.com/nixbundle/nixbundle/closure"
)

// glibc opens libgcc_s.so.1 itself where a thread ends or is cancelled, which no need tells. A bundle
// that brings its own glibc takes it along, and glibc finds it by the program's DT_RPATH.

// findLibgcc finds the libgcc_s.so.1 for a program: what glibc would open now, in the directory that
// nixpkgs compiles into it, or else what a run path of the process leads to. It is nil where the
// process has one anyway, and where there is none that its objects would do for.
func (l *layout) findLibgcc(s *start) *closure.Object {
	m := s.linkMap
	libc := m.Libc()
	if libc == nil || !s.ownsLibc() {
		return nil
	}
	for _, by := range append([]*closure.Loaded{libc}, m.Loaded...) {
		o, _ := m.Find(by, closure.LibgccName)
		switch {
		case o == nil:
		case slices.Contains(m.All(), o):
			return nil
		case l.inStore(o) == l.inStore(libc.Object) && len(s.answers(o)) == len(o.Info.Needed):
			return o
		}
	}
	return nil
}

// inStore reports whether an object is in the store: a program of the store takes nothing from the
// machine that it is bundled on.
func (l *layout) inStore(o *closure.Object) bool {
	_, _, ok := closure.ParseStorePath(l.storeDir, o.Path)
	return ok
}

// answers is what the process has for the needs of an object that is not in it.
func (s *start) answers(o *closure.Object) answers {
	found := answers{}
	for _, name := range o.Info.Needed {
		for _, have := range s.linkMap.All() {
			if have.Info.Soname == name {
				found[name] = have
			}
		}
	}
	return found
}

// collectLibgcc records who will search for libgcc_s.so.1 of one program, and for what it needs. One that
// needs something else for another program stays out.
func (l *layout) collectLibgcc(s *start) {
	o := l.findLibgcc(s)
	if o == nil {
		return
	}
	needs := s.answers(o)
	for name, to := range needs {
		if have := l.found[o][name]; have != nil && have != to {
			return
		}
	}
	s.libgcc = o
	put(l.found, s.program(), closure.LibgccName, o)
	l.asked[o] = append(l.asked[o], closure.LibgccName)
	for name, to := range needs {
		put(l.found, o, name, to)
	}
}

// objects are those that the bundle may bring for a program.
func (s *start) objects() []*closure.Object {
	all := s.linkMap.All()
	if s.libgcc != nil {
		all = append(all, s.libgcc)
	}
	return all
}

// proveLibgcc walks what glibc will do when it opens libgcc_s.so.1.
func (p *Plan) proveLibgcc(s *start, bundled *closure.LinkMap) error {
	if s.libgcc == nil {
		return nil
	}
	got := "nothing"
	if o, _ := bundled.Find(bundled.Libc(), closure.LibgccName); o != nil {
		got = o.Path
	}
	if want := p.sigma(s, s.libgcc); got != want {
		return p.proofError(s, closure.LibgccName+" of "+path.Base(s.linkMap.Libc().Path), want, got)
	}
	return nil
}

// warnLibgcc takes back what was said of the closure and is mended in the bundle.
func (p *Plan) warnLibgcc(starts []*start) {
	p.warned = slices.DeleteFunc(p.warned, func(f closure.Finding) bool {
		mended := f.Kind == closure.KindUnwinder && slices.ContainsFunc(starts, func(s *start) bool {
			return s.libgcc != nil && s.linkMap.Program().Path == f.Program
		})
		if mended {
			p.Warnings = slices.DeleteFunc(p.Warnings, func(w string) bool { return w == warning(&f) })
		}
		return mended
	})
}
