package closure

import "slices"

// Machine is what a program will run on, as far as it decides whether its files can be mapped and
// run there. The zero value is a machine of which nothing is known.
type Machine struct {
	// PageSizes are the page sizes that its kernels use, in bytes; the program must start on each.
	PageSizes []uint64
	// ISA is the least that a processor of it may have, so that more is too much: "armv6", "armv7", "armv8", or "x86-64-v1" to
	// "x86-64-v4"; what follows such a name counts for nothing.
	ISA string
	// Glibc is the version of its C library, 2 and 36 for 2.36, where the program uses that one; zero
	// where it brings its own. The closure's own C library is then not looked at.
	Glibc [2]int
}

// Audit says what keeps the programs of a closure from running on a machine, or depends on it,
// sorted for printing: page sizes, instruction sets, relocations that a C library does not know,
// and what a C library reads of the machine. What cannot run there is an [Error]; where the machine
// is not known, what cannot run on some machine is a [Warning]. The error is that of [Bind].
func Audit(c *Closure, on Machine) ([]Finding, error) {
	var findings []Finding
	for _, m := range c.LinkMaps {
		j := &judge{closure: c, m: m, comparer: &comparer{tables: tables{}}}
		if err := j.bind(); err != nil {
			return nil, err
		}
		j.findings = nil // Judge tells what cannot be bound
		a := &audit{judge: j, on: on}
		for _, look := range []func(*audit) error{
			(*audit).pageSizes, (*audit).jemalloc, (*audit).instructionSet, (*audit).relr,
			(*audit).preloadFile, (*audit).libraryPath, (*audit).hostData,
		} {
			if err := look(a); err != nil {
				return nil, err
			}
		}
		findings = append(findings, j.findings...)
	}
	SortFindings(findings)
	return findings, nil
}

// Check is [Judge] and [Audit] together, sorted for printing.
func Check(c *Closure, on Machine) ([]Finding, error) {
	clashes, err := Judge(c)
	if err != nil {
		return nil, err
	}
	findings, err := Audit(c, on)
	if err != nil {
		return nil, err
	}
	findings = append(clashes, findings...)
	SortFindings(findings)
	return findings, nil
}

// audit looks at one link map with a machine in mind.
type audit struct {
	*judge
	on Machine
}

// objects are those that the machine gets: all of the process, less a C library that is its own.
func (a *audit) objects() []*Loaded {
	if a.on.Glibc == [2]int{} {
		return a.m.everything()
	}
	return slices.DeleteFunc(a.m.everything(), func(l *Loaded) bool {
		return l == a.m.Interp || InLibc(l.Object.Info)
	})
}

// everything is every object of the process: the scope, ld.so, and what is opened at run time.
func (m *LinkMap) everything() []*Loaded {
	all := slices.Clone(m.inProcess())
	for _, o := range m.Opened {
		for _, l := range o.Scope {
			if !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	return all
}

// severity is that of what keeps the program from running: an error where the machine is known.
func (a *audit) severity(known bool) Severity {
	if known {
		return Error
	}
	return Warning
}

// ownGlibc reports whether the process brings a glibc of the store, which looks at a machine with
// other eyes than the machine's own programs.
func (a *audit) ownGlibc() bool {
	in := a.m.Interp
	return a.on.Glibc == [2]int{} && a.m.Loader.Kind == LoaderGlibc && in != nil && a.store(in.Object.Path) != ""
}
