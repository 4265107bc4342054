package closure

import "slices"

// VersionFault is a version that the check at start does not find (glibc elf/dl-version.c:
// _dl_check_map_versions).
type VersionFault struct {
	From    *Loaded // who needs it
	To      *Loaded // in which it was looked for
	Version string
	Weak    bool // a warning only
	NoInfo  bool // To has no versions at all: a warning only
}

// String says it as the loader does (glibc elf/dl-version.c: match_symbol).
func (f VersionFault) String() string {
	if f.NoInfo {
		return f.To.Path + ": no version information available (required by " + f.From.Path + ")"
	}
	return f.To.Path + ": version `" + f.Version + "' not found (required by " + f.From.Path + ")"
}

// Fatal reports whether the loader gives up.
func (f *VersionFault) Fatal() bool { return !f.Weak && !f.NoInfo }

// checkVersions looks for every version that is needed in the object that has the needed name.
func (b *Bindings) checkVersions() {
	for _, o := range b.objects {
		if !o.binds {
			continue
		}
		for _, need := range o.loaded.Object.Info.VerNeeds {
			to := b.Map.named(need.File)
			if to == nil {
				continue
			}
			defs := to.Object.Info.VerDefs
			for _, v := range need.Versions {
				there := false
				for _, d := range defs {
					there = there || d.Name == v.Name
				}
				if !there {
					b.Faults = append(b.Faults, VersionFault{
						From: o.loaded, To: to, Version: v.Name, Weak: v.Weak, NoInfo: len(defs) == 0,
					})
				}
			}
		}
	}
}

// named is the object that answers to a name; nil where none does.
func (m *LinkMap) named(name string) *Loaded {
	for _, l := range m.inProcess() {
		if l.Path == name && l != m.Program() || slices.Contains(l.Names, name) {
			return l
		}
	}
	for _, n := range m.Needs {
		if n.Name == name && n.To != nil {
			return n.To
		}
	}
	if m.Interp != nil && m.Interp.Object.Info.Soname == name {
		return m.Interp
	}
	return nil
}
