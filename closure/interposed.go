package closure

import (
	"errors"
	"fmt"
	"path"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// bind binds the link map once for all judges; j.bindings stays nil where bindings are not known.
func (j *judge) bind() error {
	if j.m.Loader.Kind == LoaderNone {
		return nil
	}
	return j.take(bindAll(j.m, j.tables))
}

// take is what is judged from now on. A machine whose relocations are not known is no error.
func (j *judge) take(b *Bindings, err error) error {
	j.bindings, j.rebounds = nil, nil
	if damaged, ok := errors.AsType[*BindError](err); ok {
		if !errors.Is(err, elfpatch.ErrUnsupported) {
			j.unbound(damaged)
		}
		return nil
	}
	if err != nil {
		return err
	}
	j.bindings = b
	for _, r := range b.rebounds() {
		if s := j.store(r.wanted.Object.Path); s == "" || s != j.store(r.taken.Object.Path) {
			j.rebounds = append(j.rebounds, r) // what one build makes knows of itself
		}
	}
	return nil
}

// openedBindings judges what is opened at run time by its bindings, which the process precedes.
func (j *judge) openedBindings() error {
	for _, o := range j.m.Opened {
		if o.Err != nil || o.Need.To == nil || j.bindings == nil {
			continue
		}
		if err := j.take(bindOpened(j.m, o, j.tables)); err != nil {
			return err
		}
		for _, judge := range []func(*judge) error{(*judge).missingVersions, (*judge).missingSymbols, (*judge).interposed} {
			if err := judge(j); err != nil {
				return err
			}
		}
	}
	return nil
}

// unbound says that one file's tables keep all bindings from being known.
func (j *judge) unbound(e *BindError) {
	j.add(Finding{
		Kind: KindUnbound, Severity: Warning, Name: path.Base(e.Object.Path),
		Copies: []Copy{{Object: e.Object, Path: e.Object.Path, Kept: true}},
		What:   fmt.Sprintf("what binds to what is not known: %v", e),
	})
}

// usage is what one object refers to of another.
func (b *Bindings) usage(from, to *Loaded) *usage {
	u := newUsage()
	for _, o := range b.objects {
		if o.loaded != from {
			continue
		}
		for k := range o.to {
			if v := b.binding(o, k); v.To == to && !v.Own {
				u.add(v.Symbol, v.Version, true)
			}
		}
	}
	return u
}

// interposed finds references that reach another library's definition than the one they were linked
// with, as far as no finding before has told it: the clash that nothing names, since both libraries
// are the right ones and only their symbols are the same.
func (j *judge) interposed() error {
	for _, r := range j.rebounds {
		if others, own := r.strong(); r.told || others+own == 0 {
			continue
		}
		severity, silent, err := j.reboundSeverity(r)
		if err != nil {
			return err
		}
		if !silent {
			f := j.interposition(r)
			f.Severity = severity
			j.add(f)
		}
	}
	return nil
}

// reboundSeverity: another library's call that goes astray is an error. A library that loses a
// definition of its own may be meant to, where one of the two needs the other; and what a program
// exports may be meant for its libraries. The same code in both is no more than worth knowing, and
// not that where it is only the library itself that uses it.
func (j *judge) reboundSeverity(r *rebound) (severity Severity, silent bool, err error) {
	e := newExpecter(j.bindings)
	others, _ := r.strong()
	related := e.needsOrIs(r.wanted, r.taken) || e.needsOrIs(r.taken, r.wanted)
	same, all, err := r.sameCode()
	switch {
	case err != nil:
		return 0, false, err
	case all > 0 && same == all:
		return Note, others == 0, nil
	case others == 0 && all > 0 && 2*same >= all:
		return Note, true, nil
	case others == 0 && related, r.taken == j.m.Program():
		return Warning, false, nil
	}
	return Error, false, nil
}

func (j *judge) interposition(r *rebound) Finding {
	taken, wanted := path.Base(r.taken.Path), path.Base(r.wanted.Path)
	f := Finding{
		Kind: KindInterposed, Name: wanted,
		Copies: []Copy{
			{Object: r.taken.Object, Path: r.taken.Path, Kept: true, Chains: chainOf(r.taken)},
			{Object: r.wanted.Object, Path: r.wanted.Path, Chains: chainOf(r.wanted)},
		},
	}
	if r.taken == j.m.Program() {
		taken = "the program"
		// ld(1), --export-dynamic: without it, what the libraries on the command line refer to is exported all the same.
		f.Advice = "rename these names in the program, make them static, or hide them (-fvisibility=hidden, a version script): " +
			"a program exports what its libraries refer to, without -rdynamic too"
	} else {
		f.Advice = fmt.Sprintf("hide the names in %s (a version script, -Wl,--exclude-libs,ALL), let their users need %s before it, "+
			"or run them as two processes", taken, wanted)
	}
	for _, from := range r.by {
		f.use(from, r.users[from])
	}
	others, own := r.strong()
	f.References = others + own
	f.What = fmt.Sprintf("%s has names of %s and stands before it: it gets %s", taken, wanted, r)
	return f
}

// pairs takes the rebounds between two objects out of what is told by itself, whichever way they go.
func (j *judge) pairs(a, b *Loaded) []*rebound {
	var between []*rebound
	for _, r := range j.rebounds {
		if r.wanted == a && r.taken == b || r.wanted == b && r.taken == a {
			r.told = true
			between = append(between, r)
		}
	}
	return between
}

// String tells the references of all.
func (r *rebound) String() string {
	var parts []string
	for _, from := range r.by {
		u := r.users[from]
		parts = append(parts, u.of(from))
	}
	return join(parts)
}

// of tells the references of an object: "3 references of a.so to x::*".
func (u *usage) of(l *Loaded) string {
	return fmt.Sprintf("%s of %s to %s", references(len(u.symbols)), path.Base(l.Path), u.groups)
}

func references(n int) string {
	if n == 1 {
		return "1 reference"
	}
	return fmt.Sprintf("%d references", n)
}
