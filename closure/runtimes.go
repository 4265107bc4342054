package closure

import (
	"fmt"
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// definers are the objects of the scope that define a symbol for others, in its order. What the
// program has copied from one of them (COPY) is not its own.
func (b *Bindings) definers(name string) []*Loaded {
	q := query{self: -1, ref: &elfpatch.Reference{Name: name, Hash: elfpatch.NameHash(name)}}
	var all []*Loaded
	for _, c := range b.binder.table.bucket(q.ref.Hash) {
		l := b.objects[c.object].loaded
		if !b.binder.named(&c, &q) || !c.Defined() || !c.binds() || hides(c.Visibility()) || slices.Contains(all, l) {
			continue
		}
		if c.object == 0 && b.copied(c.Symbol) {
			continue
		}
		all = append(all, l)
	}
	return all
}

// copied reports whether a symbol of the program is the copy of a library's variable.
func (b *Bindings) copied(symbol uint32) bool {
	return slices.ContainsFunc(b.objects[0].symbols.References(), func(r elfpatch.Reference) bool {
		return r.Class == elfpatch.ClassCopy && r.Symbol == symbol
	})
}

// runtimeLibrary is a library of a compiler of which a process can have one, since it keeps a state: its
// objects, its frames to unwind, its threads.
type runtimeLibrary struct {
	name     string
	symbol   string // who defines it has the runtime inside
	severity Severity
	harm     string
}

const libcRuntime = "C library"

var runtimes = []runtimeLibrary{
	{"libstdc++", "_ZSt4cout", Error, "streams, locales and exceptions of one are not those of the other"},
	{"libgcc_s", "_Unwind_Find_FDE", Error, "exceptions pass through frames that only one of them knows"},
	{"OpenMP", "omp_get_num_threads", Warning, "each starts its own threads, and they bind to the first one's functions in part"},
	{libcRuntime, "__libc_start_main", Error, "each has its own memory, threads and streams"},
}

// twoRuntimes finds two copies of a runtime, whatever their files are called: one may be linked into a
// library and exported by accident. Two files of one soname are another finding.
func (j *judge) twoRuntimes() error {
	if j.bindings == nil || len(j.bindings.objects) == 0 {
		return nil
	}
	for _, r := range runtimes {
		all := j.bindings.definers(r.symbol)
		if r.name != libcRuntime { // old ports of glibc keep the unwinder's names for old programs
			all = slices.DeleteFunc(all, func(l *Loaded) bool { return InLibc(l.Object.Info) })
		}
		if len(all) < 2 || all[0].Object.Info.Soname == all[1].Object.Info.Soname && all[0].Object.Info.Soname != "" {
			continue
		}
		f := Finding{
			Kind: KindRuntimes, Severity: r.severity, Name: r.name,
			Advice: "link all with one " + r.name + ", as a library of its own, and hide what is linked in (-Wl,--exclude-libs,ALL)",
		}
		var names []string
		for i, l := range all {
			f.Copies = append(f.Copies, Copy{Object: l.Object, Path: l.Path, Kept: i == 0, Chains: chainOf(l)})
			names = append(names, base(l))
			for _, other := range all[:i] {
				j.pairs(other, l)
			}
		}
		f.What = fmt.Sprintf("%s each have a %s inside: %s", join(names), r.name, r.harm)
		j.add(f)
	}
	return nil
}
