package closure

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// instructionSet finds objects that are compiled for later processors than the machine may have. It warns
// and no more: a system's least processor says what it also runs on, not what the reader's machine has.
func (a *audit) instructionSet() error {
	switch a.m.Program().Object.Info.Machine {
	case elf.EM_ARM:
		a.armArchitecture()
	case elf.EM_X86_64:
		a.x86Level()
	}
	return nil
}

// x86Level looks at what ld.so itself checks before anything runs (glibc sysdeps/x86/dl-prop.h:
// dl_isa_level_check).
func (a *audit) x86Level() {
	floor, known := isaNumber(a.on.ISA, "x86-64-v")
	if !known {
		floor = 1
	}
	level := 0
	var over []*Loaded
	for _, l := range a.objects() {
		if n := l.Object.Info.X86Level(); n > floor {
			level, over = max(level, n), append(over, l)
		}
	}
	if over == nil {
		return
	}
	f := a.isaFinding(fmt.Sprintf("x86-64-v%d", level), over)
	f.What += ": the loader stops on a processor that has less"
	if f.Severity = Note; known {
		f.Severity = Warning
		f.What += ", as the machine may"
	}
	a.add(f)
}

// armArchitecture looks at the build attributes, which hold the most that any part of a file asks for:
// of a library some code may be for later processors only and chosen at run time. The program and
// the C library are compiled as all of the closure is.
func (a *audit) armArchitecture() {
	floor, known := isaNumber(a.on.ISA, "armv")
	if !known {
		return
	}
	var over []*Loaded
	level, certain := 0, false
	for _, l := range a.objects() {
		if n := armNeeds(l.Object.Info.Arm); n > floor {
			level, over = max(level, n), append(over, l)
			certain = certain || l == a.m.Program() || l == a.m.Interp || strings.HasPrefix(l.Object.Info.Soname, "libc.so.")
		}
	}
	if over == nil {
		return
	}
	f := a.isaFinding(fmt.Sprintf("armv%d", level), over)
	f.What += fmt.Sprintf(", and the machine may have no more than %s", a.on.ISA)
	f.Severity = Warning
	if certain {
		f.What += ": there the program ends with an illegal instruction"
	} else {
		f.What += ": there it is an illegal instruction, unless that code is chosen at run time"
	}
	a.add(f)
}

func (a *audit) isaFinding(level string, over []*Loaded) Finding {
	f := Finding{Kind: KindISA, Name: level, Advice: "build for the least processor that it must run on"}
	for _, l := range over {
		f.Copies = append(f.Copies, Copy{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)})
	}
	f.What = fmt.Sprintf("%d of %d files are compiled for %s, %s among them", len(over), len(a.objects()), level, path.Base(over[0].Path))
	return f
}

// armNeeds is the architecture that build attributes ask for: 6 for all that ARM1176 (Raspberry Pi 1
// and Zero: v6KZ, VFPv2) and its elders have, 7 or 8 for more; 0 for none.
func armNeeds(attributes *elfpatch.ArmAttributes) int {
	const v6K, v7, vfp2, vfp4D16 = 9, 10, 2, 6
	old := []uint64{0, 1, 2, 3, 4, 5, 6, 7, v6K} // v6T2, 8, has Thumb-2
	switch a := attributes; {
	case a == nil:
		return 0
	case a.CPUArch > v7 || a.FPArch > vfp4D16:
		return 8
	case !slices.Contains(old, a.CPUArch) || a.FPArch > vfp2 || a.SIMDArch > 0:
		return 7
	}
	return 6
}

// isaNumber is the number behind a prefix: 7 of "armv7-a" for "armv".
func isaNumber(isa, prefix string) (int, bool) {
	rest, ok := strings.CutPrefix(isa, prefix)
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	n, err := strconv.Atoi(rest[:digits])
	return n, ok && err == nil
}

// relr finds relocations that the C library passes over: the program then runs with pointers that
// nobody has set. A file that link editors mark so is refused, by the version GLIBC_ABI_DT_RELR, and a C
// library that knows them refuses a file that is not marked.
func (a *audit) relr() error {
	loader := a.m.Loader
	if a.on.Glibc != [2]int{} {
		loader.Version = a.on.Glibc
	}
	if loader.Version == [2]int{} || loader.Kind != LoaderGlibc {
		return nil
	}
	for _, l := range a.objects() {
		info := l.Object.Info
		f := Finding{
			Kind: KindRelr, Severity: Error, Name: path.Base(l.Path),
			Copies: []Copy{{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)}},
			What: fmt.Sprintf("%s has DT_RELR relocations, which glibc %d.%d does not know: it ends at start, or its pointers are wrong",
				path.Base(l.Path), loader.Version[0], loader.Version[1]),
			Advice: "link it without -z pack-relative-relocs, or bring a glibc of 2.36 or later",
		}
		if loader.does(relrRead) {
			if !relrUnmarked(info) {
				continue
			}
			f.What = fmt.Sprintf("%s has DT_RELR relocations and does not need the version %s: the loader stops at it", path.Base(l.Path), relrVersion)
			f.Advice = "link it with -z pack-relative-relocs of a link editor that adds the version"
		}
		if info.Relr {
			a.add(f)
		}
	}
	return nil
}

// relrVersion is what a file with DT_RELR needs of libc.so.6 (gABI; glibc 2.36).
const relrVersion = "GLIBC_ABI_DT_RELR"

// relrUnmarked reports whether a loader that knows DT_RELR stops at a file (glibc elf/dl-version.c:
// _dl_check_map_versions): it needs versions and a libc.so.*, but not the one for DT_RELR.
func relrUnmarked(info *elfpatch.Info) bool {
	marked := slices.ContainsFunc(info.VerNeeds, func(n elfpatch.VerNeed) bool {
		return slices.ContainsFunc(n.Versions, func(v elfpatch.VerNeedVersion) bool { return v.Name == relrVersion })
	})
	libc := slices.ContainsFunc(info.Needed, func(name string) bool { return strings.HasPrefix(name, "libc.so.") })
	return info.Relr && len(info.VerNeeds) > 0 && libc && !marked
}
