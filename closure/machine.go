package closure

import (
	"fmt"
	"path"
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// passedOver notes files for another machine that stood in the way of a search.
func (j *judge) passedOver() error {
	var seen []*Object
	for _, n := range j.m.Needs {
		for _, c := range n.Tried {
			if c.Object == nil || slices.Contains(seen, c.Object) {
				continue
			}
			seen = append(seen, c.Object)
			f := Finding{
				Kind: KindWrongMachine, Severity: Note, Name: n.Name,
				Copies: []Copy{{Object: c.Object, Path: c.Path, Chains: [][]*Need{Chain(n)}}},
				What:   fmt.Sprintf("%s is passed over: %s", j.place(c.Path), c.Why),
				Advice: "take the directory of the other machine's library out of the run path of " + who([]*Need{n}),
			}
			if n.To != nil {
				f.Copies = []Copy{keptCopy(n.To, []*Need{n}), f.Copies[0]}
			}
			j.add(f)
		}
	}
	return nil
}

// mappedForeign finds files for another machine that musl maps: it does not look.
func (j *judge) mappedForeign() error {
	if j.m.Loader.Kind != LoaderMusl {
		return nil
	}
	want := j.m.Program().Object.Info
	for _, l := range j.m.Loaded {
		info := l.Object.Info
		if sameMachine(info, want) {
			continue
		}
		j.add(Finding{
			Kind: KindWrongMachine, Severity: Error, Name: path.Base(l.Path),
			Copies: []Copy{{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)}},
			What:   fmt.Sprintf("musl maps %s, which is for %v and not for %v", l.Path, info.Machine, want.Machine),
			Advice: "take its directory out of the run path",
		})
	}
	return nil
}

// sameMachine reports whether two files can be in one process.
func sameMachine(a, b *elfpatch.Info) bool {
	return a.Class == b.Class && a.Machine == b.Machine && a.Data == b.Data
}

// outsideStore finds what a store program loads from the machine it happens to run on.
func (j *judge) outsideStore() error {
	if j.store(j.m.Program().Object.Path) == "" {
		return nil
	}
	for _, l := range j.m.inProcess() {
		if j.store(l.Object.Path) != "" {
			continue
		}
		f := Finding{
			Kind: KindOutside, Severity: Warning, Name: l.Object.Path,
			Copies: []Copy{{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)}},
			What:   fmt.Sprintf("%s is loaded from outside the store", l.Path),
			Advice: "add the library to the build inputs of " + bringer(l),
		}
		if l == j.m.Interp {
			f.What = fmt.Sprintf("the program's loader %s is outside the store", l.Path)
			f.Advice = "let Nix set the interpreter (autoPatchelfHook, or patchelf --set-interpreter)"
		}
		j.add(f)
	}
	return nil
}

// versionFiles finds version needs of a file by a name that nothing was asked for by: glibc aborts
// (elf/dl-version.c: _dl_check_map_versions, assertion "needed != NULL").
func (j *judge) versionFiles() error {
	if j.m.Loader.Kind != LoaderGlibc {
		return nil
	}
	names := map[string]bool{}
	for _, l := range j.m.inProcess() {
		if l.By != nil || l == j.m.Interp {
			names[l.Path] = true
		}
		for _, n := range l.Names {
			names[n] = true
		}
	}
	for _, n := range j.m.Needs {
		names[n.Name] = names[n.Name] || n.To == nil // that it is missing is said already
	}
	if j.m.Interp == nil {
		names[abiLoader(j.m)] = true
	}
	for _, l := range j.m.Loaded {
		for _, v := range l.Object.Info.VerNeeds {
			if !names[v.File] {
				j.add(nobody(l, v.File))
			}
		}
	}
	return nil
}

// abiLoader is the soname that a loader which is missing would have.
func abiLoader(m *LinkMap) string {
	return path.Base(abiOf(m.Program().Object.Info).interp)
}

func nobody(l *Loaded, file string) Finding {
	return Finding{
		Kind: KindVerNeedFile, Severity: Error, Name: file,
		Copies: []Copy{{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)}},
		What: fmt.Sprintf("%s wants versions of %s, and nothing was loaded by that name: the loader aborts",
			l.Path, file),
		Advice: "where DT_NEEDED was edited, edit the version needs (vn_file) with it",
	}
}
