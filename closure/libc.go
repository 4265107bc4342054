package closure

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// glibcFamily are the stems of the libraries that one build of glibc makes and that only work
// together: they share data and interfaces without a stable form (GLIBC_PRIVATE).
var glibcFamily = []string{
	"libc", "libm", "libpthread", "libdl", "librt", "libresolv", "libutil", "libanl", "libmvec",
	"libBrokenLocale", "libthread_db", "libc_malloc_debug",
	"libnss_files", "libnss_dns", "libnss_compat", "libnss_db", "libnss_hesiod",
}

// isLoader reports whether a soname or file name is that of a glibc loader.
func isLoader(name string) bool {
	return strings.HasPrefix(name, "ld-linux") || strings.HasPrefix(name, "ld64.so.") || name == "ld.so.1"
}

// isGlibc reports whether a soname is that of a member of the glibc family.
func isGlibc(soname string) bool {
	if isLoader(soname) || soname == "libnsl.so.1" { // libnsl.so.2 and later is not of glibc
		return true
	}
	stem, number, ok := strings.Cut(soname, ".so.")
	return ok && number != "" && slices.Contains(glibcFamily, stem)
}

// InLibc reports whether a file is a member of a C library, the loader included: all of one build
// is taken, or none of it.
func InLibc(info *elfpatch.Info) bool {
	return isGlibc(info.Soname) || isMuslName(path.Base(info.Soname))
}

// isMuslName reports whether a soname or file name is that of musl, which is one file.
func isMuslName(name string) bool {
	return name == "libc.so" || strings.HasPrefix(name, "ld-musl-") || strings.HasPrefix(name, "libc.musl-")
}

// isMusl reports whether an object is musl's loader and C library, which are one file.
func isMusl(l *Loaded) bool {
	return isMuslName(path.Base(l.Object.Path)) || isMuslName(l.Object.Info.Soname)
}

// inProcess are all objects of the process, ld.so with them even where no need put it.
func (m *LinkMap) inProcess() []*Loaded {
	if m.Interp == nil || slices.Contains(m.Loaded, m.Interp) {
		return m.Loaded
	}
	return append(slices.Clip(m.Loaded), m.Interp)
}

// twoLibcs finds members of the glibc family from two builds.
func (j *judge) twoLibcs() error {
	var members []*Loaded
	for _, l := range j.m.inProcess() {
		if isGlibc(l.Object.Info.Soname) {
			members = append(members, l)
		}
	}
	home := ""
	mixed := false
	for i, l := range members {
		at := j.store(l.Object.Path) // outside the store, one system has one glibc
		if i > 0 && at != j.store(members[0].Object.Path) {
			mixed = true
		}
		if strings.HasPrefix(l.Object.Info.Soname, "libc.so.") {
			home = at
		}
	}
	if !mixed {
		return nil
	}
	f := Finding{Kind: KindLibc, Severity: Error, Name: "glibc",
		Advice: "take all of glibc from one store path: one nixpkgs for the program and all its libraries"}
	var places []string
	for _, l := range members {
		kept := j.store(l.Object.Path) == home
		f.Copies = append(f.Copies, Copy{Object: l.Object, Path: l.Path, Kept: kept, Chains: chainOf(l)})
		if p := j.place(l.Object.Path); !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	slices.SortStableFunc(f.Copies, func(a, b Copy) int { return order(b.Kept) - order(a.Kept) })
	f.What = "parts of two glibc are in one process: of " + join(places)
	j.add(f)
	return nil
}

func order(b bool) int {
	if b {
		return 1
	}
	return 0
}

// mixedLibcs finds musl and glibc in one process.
func (j *judge) mixedLibcs() error {
	const advice = "build the program and all its libraries for one C library"
	if j.m.Loader.Kind == LoaderMusl {
		// musl answers libc.so.6 itself, and then lacks what glibc has beyond it.
		wrong := j.m.needs(func(n *Need) bool { return isGlibc(n.Name) })
		if len(wrong) > 0 {
			j.add(Finding{Kind: KindLibc, Severity: Error, Name: wrong[0].Name, Advice: advice,
				Copies: []Copy{{Path: wrong[0].Name, Chains: chains(wrong)}},
				What:   fmt.Sprintf("%s linked with glibc, and the loader is musl's", verb(requesters(wrong), "is", "are"))})
		}
		return nil
	}
	for _, l := range j.m.Loaded {
		if isMusl(l) && l.By != nil {
			j.add(Finding{Kind: KindLibc, Severity: Error, Name: path.Base(l.Path), Advice: advice,
				Copies: []Copy{{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)}},
				What:   fmt.Sprintf("%s brings musl's C library %s into a process of glibc", bringer(l), l.Path)})
		}
	}
	return nil
}

// secondLoader finds an ld.so that was mapped beside the one that runs: the loader does not know
// its own file, so another path to it is another copy, which crashes at start.
func (j *judge) secondLoader() error {
	for _, l := range j.m.Loaded {
		if l.By == nil || !isLoader(l.Object.Info.Soname) {
			continue
		}
		f := Finding{
			Kind: KindLibc, Severity: Error, Name: l.Object.Info.Soname,
			What: fmt.Sprintf("%s needs the loader as %s: it is mapped a second time and the process dies at start",
				bringer(l), l.By.Name),
			Advice: fmt.Sprintf("need it as %s", l.Object.Info.Soname),
		}
		if in := j.m.Interp; in != nil {
			f.Copies = append(f.Copies, Copy{Object: in.Object, Path: in.Path, Kept: true})
		}
		f.Copies = append(f.Copies, Copy{Object: l.Object, Path: l.Path, Chains: chainOf(l)})
		j.add(f)
	}
	return nil
}
