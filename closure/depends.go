package closure

import (
	"fmt"
	"io/fs"
	"path"
)

// variesByCPU notes files that another processor's loader takes: the link map depends on it.
func (j *judge) variesByCPU() error {
	for _, needs := range byName(j.m.Needs) {
		n := needs[0]
		if len(n.Varies) == 0 {
			continue
		}
		f := Finding{
			Kind: KindProcessor, Severity: Note, Name: n.Name,
			What: fmt.Sprintf("which %s is loaded depends on the processor: some take %s", n.Name, n.Varies[0].Path),
		}
		if n.To != nil {
			f.Copies = append(f.Copies, keptCopy(n.To, []*Need{n}))
		}
		for _, c := range n.Varies {
			f.Copies = append(f.Copies, Copy{Object: c.Object, Path: c.Path, Chains: [][]*Need{Chain(n)}})
		}
		j.add(f)
	}
	return nil
}

// secure notes a program that is started with the rights of another user. Its loader ignores
// LD_LIBRARY_PATH, and $ORIGIN and preloads but for system directories (glibc: __libc_enable_secure,
// AT_SECURE); the walk computes what it loads without that.
func (j *judge) secure() error {
	program := j.m.Program()
	if program.Object.Mode&(fs.ModeSetuid|fs.ModeSetgid) == 0 {
		return nil
	}
	j.add(Finding{
		Kind: KindSecure, Severity: Note, Name: path.Base(program.Path),
		What: "the program has the set-user-ID or set-group-ID bit: its loader ignores LD_LIBRARY_PATH, " +
			"and $ORIGIN and preloads outside the system's own directories; what is listed is without that",
	})
	return nil
}
