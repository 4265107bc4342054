package closure

import (
	"debug/elf"
	"fmt"
)

// executableStacks finds objects for whose sake the stack becomes executable. From glibc 2.41 on it no
// longer does when a process is under way: opening such a library fails (elf/dl-load.c:
// _dl_map_object_from_fd). musl leaves the stack as the kernel made it for the program.
func (j *judge) executableStacks() error {
	program, already := j.m.Program(), false
	for _, l := range j.m.everything() {
		if l == j.m.Interp || j.m.Loader.Kind == LoaderMusl && l != program {
			continue
		}
		why := stackExecutable(l)
		if why == "" {
			continue
		}
		f := Finding{
			Kind: KindStack, Severity: Warning, Name: base(l),
			Copies: []Copy{{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)}},
			What:   fmt.Sprintf("%s %s: the whole process gets one, and what overflows a buffer can run", base(l), why),
			Advice: "build it with -Wl,-z,noexecstack, and its assembler sources with a .note.GNU-stack section",
		}
		if l.Opened != nil && !already && j.m.Loader.does(stackStays) {
			f.Severity = Error
			f.What = fmt.Sprintf("%s %s: glibc %d.%d does not open it", base(l), why, j.m.Loader.Version[0], j.m.Loader.Version[1])
		}
		already = already || l.Opened == nil
		j.add(f)
	}
	return nil
}

// stackExecutable says why an object's stack is executable; "" where it is not.
func stackExecutable(l *Loaded) string {
	present, executable := l.Object.Info.Stack()
	switch {
	case executable:
		return "asks for an executable stack"
	case !present && stackDefault(l.Object.Info.Machine):
		return "does not say whether its stack is executable, which then it is"
	}
	return ""
}

// stackDefault is whether a file without PT_GNU_STACK has an executable stack (glibc
// sysdeps/*/stackinfo.h: DEFAULT_STACK_PERMS).
func stackDefault(machine elf.Machine) bool {
	switch machine {
	case elf.EM_AARCH64, elf.EM_RISCV, elf.EM_LOONGARCH, elf.EM_PPC64:
		return false
	}
	return true
}

// textRelocations finds objects whose code is written to when they are loaded.
func (j *judge) textRelocations() error {
	for _, l := range j.m.everything() {
		if !l.Object.Info.TextRel {
			continue
		}
		j.add(Finding{
			Kind: KindTextRel, Severity: Warning, Name: base(l),
			Copies: []Copy{{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)}},
			What: fmt.Sprintf("%s has relocations in its code (DT_TEXTREL): every process has its own copy, "+
				"and a system that forbids code which was written to does not load it", base(l)),
			Advice: "compile all of it with -fPIC",
		})
	}
	return nil
}

// oddPlaces finds elements of run paths whose meaning is decided where the program is started.
func (j *judge) oddPlaces() error {
	if j.m.process == nil || j.m.Loader.Kind != LoaderGlibc {
		return nil
	}
	for _, l := range j.m.everything() {
		info, tag := l.Object.Info, "DT_RUNPATH"
		list := info.RunPath
		if !info.HasRunPath {
			list, tag = info.RPath, "DT_RPATH"
		}
		for _, p := range j.m.process.pathList(list, l, ":") {
			if p.never == "" {
				continue
			}
			j.add(Finding{
				Kind: KindPlace, Severity: Warning, Name: base(l),
				Copies: []Copy{{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)}},
				What:   fmt.Sprintf("%s of %s is %q, with %q in it: %s", tag, base(l), list, p.text, p.never),
				Advice: "name directories from the root on, or from $ORIGIN",
			})
			break
		}
	}
	return nil
}
