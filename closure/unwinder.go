package closure

import (
	"fmt"
	"slices"
	"strings"
)

// LibgccName is the library that glibc opens itself when a thread ends or is cancelled, or its stack is
// to be told (glibc misc/unwind-link.c: __libc_unwind_link_get).
const LibgccName = "libgcc_s.so.1"

// Find gives what an object of the process would get if it opened a library by a name without a slash
// (dlopen(3)), and the path by which: an object that is there, or what its search finds in the root of
// the walk. It is nil where that is nothing. Nothing is loaded; not for concurrent use.
func (m *LinkMap) Find(by *Loaded, name string) (*Object, string) {
	for _, l := range m.everything() {
		if l.Object.Info.Soname == name || slices.Contains(l.Names, name) {
			return l.Object, l.Path
		}
	}
	if m.process == nil || name == "" || strings.Contains(name, "/") {
		return nil, ""
	}
	h, err := m.process.search(name, by, nil)
	if err != nil {
		return nil, ""
	}
	return h.object, h.path
}

// Libc is glibc's libc.so among the objects of the process; nil where there is none.
func (m *LinkMap) Libc() *Loaded {
	for _, l := range m.Loaded {
		if strings.HasPrefix(l.Object.Info.Soname, "libc.so.") && m.Loader.Kind == LoaderGlibc {
			return l
		}
	}
	return nil
}

// unwinder finds programs that end threads, for which glibc opens a library that it does not find: it
// then ends the process. The search is libc's own: DT_RPATH of who brought it and of the program, and
// the loader's directories, and no DT_RUNPATH but its own.
func (j *judge) unwinder() error {
	libc := j.m.Libc()
	if libc == nil || j.bindings == nil {
		return nil
	}
	if o, _ := j.m.Find(libc, LibgccName); o != nil {
		return nil
	}
	f := Finding{
		Kind: KindUnwinder, Severity: Warning, Name: LibgccName,
		Advice: "link the program with it (-Wl,--no-as-needed -lgcc_s), or give the program a DT_RPATH that leads to it",
	}
	var users, uses []string
	for _, o := range j.bindings.objects {
		imports := o.imports([]string{"pthread_cancel", "pthread_exit", "thrd_exit"})
		if imports != nil && !InLibc(o.loaded.Object.Info) {
			users, uses = append(users, base(o.loaded)), append(uses, imports...)
			f.Copies = append(f.Copies, Copy{Object: o.loaded.Object, Path: o.loaded.Path, Kept: true, Chains: chainOf(o.loaded)})
		}
	}
	if users == nil {
		return nil
	}
	slices.Sort(uses)
	f.What = fmt.Sprintf("%s %s, for which %s opens %s itself and does not find it: the process is then aborted",
		verb(users, "calls", "call"), join(slices.Compact(uses)), base(libc), LibgccName)
	j.add(f)
	return nil
}
