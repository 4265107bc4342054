package elfpatch

import "debug/elf"

// VerNeed is what a file needs of one other file (DT_VERNEED; LSB "Symbol Versioning"). At start
// the loader wants File to be the name of something it has loaded, and aborts if it is not
// (glibc elf/dl-version.c: _dl_check_map_versions).
type VerNeed struct {
	File     string // vn_file
	Versions []VerNeedVersion
}

// VerNeedVersion is one version that is needed.
type VerNeedVersion struct {
	Name  string // vna_name
	Weak  bool   // VER_FLG_WEAK: only a warning when it is missing
	Index uint16 // vna_other: the index that .gnu.version uses for it
}

// VerDef is one version that a file defines (DT_VERDEF). The base version names the file itself.
type VerDef struct {
	Name  string
	Base  bool   // VER_FLG_BASE
	Weak  bool   // VER_FLG_WEAK
	Index uint16 // vd_ndx
}

const (
	verFlgBase = 1
	verFlgWeak = 2

	// The records have one layout in both classes.
	verNeedSize, verNeedAuxSize = 16, 16
	verDefSize, verDefAuxSize   = 20, 8

	// maxVersions bounds a chain of records, which a hostile file may tie to a loop; the index
	// that names a version has 15 bits.
	maxVersions = 1 << 15
)

// A verNeedRecord is a VerNeed with the places of what can be edited in it.
type verNeedRecord struct {
	VerNeed
	addr vaddr  // of the record
	file uint64 // vn_file, an offset into the string table
	aux  []verNeedAux
}

type verNeedAux struct {
	name uint64 // vna_name, an offset into the string table
}

func (f *file) verNeeds() ([]VerNeed, error) {
	records, err := f.verNeedRecords()
	if err != nil {
		return nil, err
	}
	var needs []VerNeed
	for _, r := range records {
		needs = append(needs, r.VerNeed)
	}
	return needs, nil
}

// verNeedRecords walks DT_VERNEED, following vn_next and vna_next.
func (f *file) verNeedRecords() ([]verNeedRecord, error) {
	at, ok := f.dyn.value(elf.DT_VERNEED)
	if !ok {
		return nil, nil
	}
	var records []verNeedRecord
	total := 0
	for {
		b, err := f.at(vaddr(at), verNeedSize)
		if err != nil {
			return nil, f.verError("DT_VERNEED", err)
		}
		r := verNeedRecord{addr: vaddr(at), file: uint64(f.order.Uint32(b[4:]))}
		if r.File, err = f.str(r.file); err != nil {
			return nil, err
		}
		if total += int(f.order.Uint16(b[2:])) + 1; total > maxVersions {
			return nil, f.verError("DT_VERNEED", errTooMany)
		}
		if err := f.verNeedAux(&r, at+uint64(f.order.Uint32(b[8:])), f.order.Uint16(b[2:])); err != nil {
			return nil, err
		}
		records = append(records, r)
		next := f.order.Uint32(b[12:])
		if next == 0 {
			return records, nil
		}
		at += uint64(next)
	}
}

func (f *file) verNeedAux(r *verNeedRecord, at uint64, count uint16) error {
	for range count {
		b, err := f.at(vaddr(at), verNeedAuxSize)
		if err != nil {
			return f.verError("DT_VERNEED", err)
		}
		name := uint64(f.order.Uint32(b[8:]))
		text, err := f.str(name)
		if err != nil {
			return err
		}
		r.Versions = append(r.Versions, VerNeedVersion{
			Name: text, Weak: f.order.Uint16(b[4:])&verFlgWeak != 0, Index: f.order.Uint16(b[6:]) & 0x7fff,
		})
		r.aux = append(r.aux, verNeedAux{name: name})
		next := f.order.Uint32(b[12:])
		if next == 0 {
			return nil
		}
		at += uint64(next)
	}
	return nil
}

// verDefs walks DT_VERDEF, following vd_next; the first vda_name is the version's name.
func (f *file) verDefs() ([]VerDef, error) {
	at, ok := f.dyn.value(elf.DT_VERDEF)
	if !ok {
		return nil, nil
	}
	var defs []VerDef
	for {
		b, err := f.at(vaddr(at), verDefSize)
		if err != nil {
			return nil, f.verError("DT_VERDEF", err)
		}
		flags := f.order.Uint16(b[2:])
		d := VerDef{Base: flags&verFlgBase != 0, Weak: flags&verFlgWeak != 0, Index: f.order.Uint16(b[4:]) & 0x7fff}
		aux, err := f.at(vaddr(at+uint64(f.order.Uint32(b[12:]))), verDefAuxSize)
		if err != nil {
			return nil, f.verError("DT_VERDEF", err)
		}
		if d.Name, err = f.str(uint64(f.order.Uint32(aux))); err != nil {
			return nil, err
		}
		if defs = append(defs, d); len(defs) > maxVersions {
			return nil, f.verError("DT_VERDEF", errTooMany)
		}
		next := f.order.Uint32(b[16:])
		if next == 0 {
			return defs, nil
		}
		at += uint64(next)
	}
}

var errTooMany = &FormatError{Msg: "chain does not end"}

func (f *file) verError(table string, err error) error {
	return &FormatError{Off: int64(f.dyn.off), Msg: table + ": " + err.Error()}
}
