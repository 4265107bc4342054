package elftest

import "slices"

// neededFile is one record of DT_VERNEED.
type neededFile struct {
	name     string
	versions []VersionNeed
}

// versionTables are DT_VERSYM, DT_VERDEF and DT_VERNEED with their numbers of records; all are
// empty where no symbol has a version (LSB, "Symbol Versioning").
func (w *writer) versionTables() (versym, verdef []byte, defs uint32, verneed []byte, needs uint32) {
	defined, files := w.versions()
	if len(defined) == 0 && len(files) == 0 {
		return nil, nil, 0, nil, 0
	}
	if len(defined) > 0 {
		verdef = w.verdefTable(defined)
		defs = uint32(len(defined) + 1)
	}
	verneed = w.verneedTable(files, firstNeed(defined))
	versym = w.u16(nil, 0)
	for i := range w.symbols {
		versym = w.u16(versym, w.versionIndex(&w.symbols[i], defined, files))
	}
	return versym, verdef, defs, verneed, uint32(len(files))
}

// versions lists what is defined, and what is needed of each file, in the order of mention.
func (w *writer) versions() (defined []string, files []neededFile) {
	defined = slices.Clone(w.Versions)
	for _, n := range w.VersionNeeds {
		files = addNeed(files, n)
	}
	for _, s := range w.Symbols {
		switch {
		case s.Version == "":
		case s.wantsVersion():
			files = addNeed(files, VersionNeed{File: s.VersionFile, Version: s.Version})
		case !slices.Contains(defined, s.Version):
			defined = append(defined, s.Version)
		}
	}
	return defined, files
}

// wantsVersion reports whether the version of s is that of another file. So is that of a copy, the
// one definition that stands for another.
func (s *Symbol) wantsVersion() bool {
	return s.Version != "" && (s.Undefined || s.VersionFile != "")
}

func addNeed(files []neededFile, n VersionNeed) []neededFile {
	at := slices.IndexFunc(files, func(f neededFile) bool { return f.name == n.File })
	if at < 0 {
		at = len(files)
		files = append(files, neededFile{name: n.File})
	}
	same := func(v VersionNeed) bool { return v.Version == n.Version }
	if !slices.ContainsFunc(files[at].versions, same) {
		files[at].versions = append(files[at].versions, n)
	}
	return files
}

// firstNeed is the index of the first needed version: 1 is the base, then come the defined ones.
func firstNeed(defined []string) uint16 { return uint16(2 + len(defined)) }

// versionIndex is the entry of DT_VERSYM for s.
func (w *writer) versionIndex(s *Symbol, defined []string, files []neededFile) uint16 {
	const local, global, hidden = 0, 1, 0x8000
	switch {
	case s.Local:
		return local
	case s.Version == "":
		return global
	case !s.wantsVersion():
		index := uint16(2 + slices.Index(defined, s.Version))
		if s.Hidden {
			index |= hidden
		}
		return index
	}
	index := firstNeed(defined)
	for _, f := range files {
		for _, v := range f.versions {
			if f.name == s.VersionFile && v.Version == s.Version {
				return index
			}
			index++
		}
	}
	return global
}

// verdefTable is DT_VERDEF, the base version first.
func (w *writer) verdefTable(defined []string) []byte {
	const base = 1
	names := append([]string{or(w.Soname, "elftest")}, defined...)
	var b []byte
	for i, name := range names {
		flags, next := uint16(0), uint32(28)
		if i == 0 {
			flags = base
		}
		if i == len(names)-1 {
			next = 0
		}
		b = w.u16(b, 1, flags, uint16(i+1), 1)
		b = w.u32(b, sysvHash(name), 20, next)
		b = w.u32(b, w.str(name), 0)
	}
	return b
}

// verneedTable is DT_VERNEED; each file's record is followed by its versions.
func (w *writer) verneedTable(files []neededFile, index uint16) []byte {
	const weak = 2
	var b []byte
	for i, f := range files {
		next := uint32(16 + 16*len(f.versions))
		if i == len(files)-1 {
			next = 0
		}
		b = w.u16(b, 1, uint16(len(f.versions)))
		b = w.u32(b, w.str(f.name), 16, next)
		for j, v := range f.versions {
			flags, more := uint16(0), uint32(16)
			if v.Weak {
				flags = weak
			}
			if j == len(f.versions)-1 {
				more = 0
			}
			b = w.u32(b, sysvHash(v.Version))
			b = w.u16(b, flags, index)
			b = w.u32(b, w.str(v.Version), more)
			index++
		}
	}
	return b
}
