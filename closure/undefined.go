package closure

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// missingVersions finds versions that the loader looks for at start and does not find.
func (j *judge) missingVersions() error {
	if j.bindings == nil {
		return nil
	}
	var told []VersionFault
	for _, f := range j.bindings.Faults {
		same := func(o VersionFault) bool { return o.From == f.From && o.To == f.To && o.Fatal() == f.Fatal() }
		if slices.ContainsFunc(told, same) {
			continue
		}
		told = append(told, f)
		var versions []string
		for _, o := range j.bindings.Faults {
			if same(o) {
				versions = append(versions, o.Version)
			}
		}
		found := missingVersion(&f, versions)
		if u := j.bindings.asserted(&f); len(u.symbols) > 0 {
			found.Severity = Error
			found.What = fmt.Sprintf("%s has no version %s, which %s wants: glibc up to 2.40 ends the process where it looks for %s",
				path.Base(f.To.Path), joinAll(versions), path.Base(f.From.Path), u.groups)
		}
		j.add(found)
	}
	return nil
}

// asserted are the references at which glibc ends the process, since what they reach has no versions and is the file that
// their version is of.
func (b *Bindings) asserted(f *VersionFault) *usage {
	u := newUsage()
	if !f.NoInfo || !b.Map.Loader.does(versionAsserted) {
		return u
	}
	for _, o := range b.objects {
		if o.loaded != f.From {
			continue
		}
		for k, to := range o.to {
			if to.own || to.object < 0 || b.objects[to.object].loaded != f.To || b.objects[to.object].symbols.Versions {
				continue
			}
			if v := b.binding(o, k); v.Version != "" && v.VersionFile != "" && b.Map.named(v.VersionFile) == f.To {
				u.add(v.Symbol, v.Version, true)
			}
		}
	}
	return u
}

func missingVersion(f *VersionFault, versions []string) Finding {
	from, to := path.Base(f.From.Path), path.Base(f.To.Path)
	found := Finding{
		Kind: KindVersion, Severity: Error, Name: to,
		Copies: []Copy{{Object: f.To.Object, Path: f.To.Path, Kept: true, Chains: chainOf(f.To)}},
		What:   fmt.Sprintf("%s has no version %s, which %s wants: the program does not start", to, joinAll(versions), from),
		Advice: fmt.Sprintf("build %s against this %s, or bring a later one", from, to),
	}
	if !f.Fatal() {
		found.Severity = Warning
		found.What = fmt.Sprintf("%s has no version %s, which %s wants: the loader warns and goes on", to, joinAll(versions), from)
	}
	return found
}

// missingSymbols finds references that nothing answers. Where a library is missing, what it would
// have defined is no finding of its own: only a version tells that another library is meant. A library
// that is looked at alone may count on its user.
func (j *judge) missingSymbols() error {
	lacking := slices.ContainsFunc(j.m.Needs, func(n *Need) bool { return n.To == nil })
	if j.bindings == nil || j.m.Program().Object.Interp() == "" {
		return nil
	}
	for _, o := range j.bindings.objects {
		start, later := newUsage(), newUsage() // by when it shows
		for k, ref := range o.refs() {
			if o.to[k].object >= 0 {
				continue
			}
			s := o.symbols.Symbol(int(ref.Symbol))
			if s.Bind == elf.STB_WEAK || j.bindings.lacksVersion(o.loaded, s.Version) || lacking && j.m.named(s.VersionFile) == nil {
				continue
			}
			if ref.Class == elfpatch.ClassCall && !o.symbols.BindNow && j.m.Loader.Kind == LoaderGlibc {
				later.add(s.Name, s.Version, true)
			} else {
				start.add(s.Name, s.Version, true)
			}
		}
		j.missingSymbol(o.loaded, start, Error, "the program does not start")
		j.missingSymbol(o.loaded, later, Warning, "the program ends when one is called")
	}
	return nil
}

// lacksVersion reports whether a version that an object wants is missing, which is said already.
func (b *Bindings) lacksVersion(l *Loaded, version string) bool {
	return slices.ContainsFunc(b.Faults, func(f VersionFault) bool {
		return f.From == l && f.Version == version && f.Fatal()
	})
}

func (j *judge) missingSymbol(l *Loaded, u *usage, severity Severity, then string) {
	if len(u.symbols) == 0 {
		return
	}
	name := path.Base(l.Path)
	j.add(Finding{
		Kind: KindSymbol, Severity: severity, Name: name,
		Copies: []Copy{{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)}},
		What:   fmt.Sprintf("nothing defines %s, to which %s has %s: %s", u.groups, name, references(len(u.symbols)), then),
		Advice: fmt.Sprintf("link %s with the library that defines it, in the version that %s was built for", name, name),
	})
}

// copySizes finds variables that a library has larger than the program that copies them: the rest is
// cut off (glibc: "Symbol `x' has different size in shared object, consider re-linking").
func (j *judge) copySizes() error {
	if j.bindings == nil || len(j.bindings.objects) == 0 {
		return nil
	}
	program := j.bindings.objects[0]
	for k, ref := range program.symbols.References() {
		if ref.Class != elfpatch.ClassCopy || program.to[k].object < 0 {
			continue
		}
		v := j.bindings.binding(program, k)
		own := program.symbols.Entry(int(ref.Symbol))
		if v.Definition.Size <= own.Size {
			continue
		}
		j.add(Finding{
			Kind: KindCopy, Severity: Warning, Name: v.Symbol,
			Copies: []Copy{{Object: v.To.Object, Path: v.To.Path, Kept: true, Chains: chainOf(v.To)}},
			What: fmt.Sprintf("the program copies %d bytes of %s, and in %s it has %d",
				own.Size, v.Symbol, path.Base(v.To.Path), v.Definition.Size),
			Advice: "link the program with this version of the library",
		})
	}
	return nil
}

// earlyIFuncs finds functions that the loader must call to learn their addresses before the library
// that has them is relocated: their user does not need it (glibc: "Relink `A' with `B' for IFUNC
// symbol `s'").
func (j *judge) earlyIFuncs() error {
	if j.bindings == nil || j.m.Loader.Kind != LoaderGlibc {
		return nil
	}
	relocated := map[*Loaded]int{}
	for i, l := range j.m.relocationOrder() {
		relocated[l] = i
	}
	for _, o := range j.bindings.objects {
		users := map[*Loaded]*usage{}
		for k := range o.to {
			if o.to[k].own || o.to[k].object < 0 {
				continue
			}
			v := j.bindings.binding(o, k)
			if v.Definition.Type == elf.STT_GNU_IFUNC && relocated[v.To] > relocated[o.loaded] {
				if users[v.To] == nil {
					users[v.To] = newUsage()
				}
				users[v.To].add(v.Symbol, v.Version, true)
			}
		}
		for _, l := range j.m.Loaded {
			if users[l] != nil {
				j.add(earlyIFunc(o.loaded, l, users[l]))
			}
		}
	}
	return nil
}

func earlyIFunc(from, to *Loaded, u *usage) Finding {
	name, library := path.Base(from.Path), path.Base(to.Path)
	return Finding{
		Kind: KindIFunc, Severity: Warning, Name: name,
		Copies: []Copy{{Object: from.Object, Path: from.Path, Kept: true, Chains: chainOf(from)}},
		What: fmt.Sprintf("%s uses %s of %s without needing it: the loader chooses the function before %s is relocated, which may crash",
			name, u.groups, library, library),
		Advice: fmt.Sprintf("link %s with %s", name, library),
	}
}
