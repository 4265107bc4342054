package elfpatch

import (
	"debug/elf"
	"errors"
)

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

	hidden bool // bit 15 of vna_other
}

// VerDef is one version that a file defines (DT_VERDEF). The base version names the file itself.
type VerDef struct {
	Name  string
	Base  bool   // VER_FLG_BASE
	Weak  bool   // VER_FLG_WEAK
	Index uint16 // vd_ndx
}

const (
	versymHidden = 1 << 15
	verNdxGlobal = 1 // VER_NDX_GLOBAL: a symbol of no version

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
	addr vaddr  // of the record
	name uint64 // vna_name, an offset into the string table
	hash uint32 // vna_hash
}

func (f *file) verNeeds() ([]VerNeed, error) {
	var needs []VerNeed
	err := f.eachVerNeed(func(r *verNeedRecord) { needs = append(needs, r.VerNeed) })
	if err != nil {
		return nil, err
	}
	return needs, nil
}

// verNeedRecords are those of DT_VERNEED.
func (f *file) verNeedRecords() ([]verNeedRecord, error) {
	var records []verNeedRecord
	err := f.eachVerNeed(func(r *verNeedRecord) {
		records = append(records, *r)
		r.aux = nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// eachVerNeed walks DT_VERNEED as the loader does: along vn_next and vna_next to their ends,
// whatever DT_VERNEEDNUM and vn_cnt say (glibc elf/dl-version.c: _dl_check_map_versions). The room
// for aux is used again unless do takes it.
func (f *file) eachVerNeed(do func(*verNeedRecord)) error {
	at, ok := f.dyn.value(elf.DT_VERNEED)
	if !ok {
		return nil
	}
	total := 0
	var r verNeedRecord
	for {
		b, err := f.at(vaddr(at), verNeedSize)
		if err != nil {
			return f.verError("DT_VERNEED", err)
		}
		r = verNeedRecord{addr: vaddr(at), file: uint64(f.order.Uint32(b[4:])), aux: r.aux[:0]}
		if r.File, err = f.str(r.file); err != nil {
			return err
		}
		if version := f.order.Uint16(b); version != 1 {
			return &FormatError{Off: int64(f.dyn.off), Msg: "DT_VERNEED: unknown vn_version", Val: version}
		}
		const usual = 64 // a hostile count does not decide what is allocated
		r.Versions = make([]VerNeedVersion, 0, min(int(f.order.Uint16(b[2:])), usual))
		if err := f.verNeedAux(&r, at+uint64(f.order.Uint32(b[8:])), maxVersions-total); err != nil {
			return err
		}
		if total += len(r.aux) + 1; total > maxVersions {
			return f.verError("DT_VERNEED", errTooMany)
		}
		do(&r)
		next := f.order.Uint32(b[12:])
		if next == 0 {
			return nil
		}
		at += uint64(next)
	}
}

// verNeedAux adds the versions of one record, at most limit of them.
func (f *file) verNeedAux(r *verNeedRecord, at uint64, limit int) error {
	for range limit {
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
			Name: text, Weak: f.order.Uint16(b[4:])&verFlgWeak != 0, Index: f.order.Uint16(b[6:]) &^ versymHidden,
			hidden: f.order.Uint16(b[6:])&versymHidden != 0,
		})
		r.aux = append(r.aux, verNeedAux{addr: vaddr(at), name: name, hash: f.order.Uint32(b)})
		next := f.order.Uint32(b[12:])
		if next == 0 {
			return nil
		}
		at += uint64(next)
	}
	return f.verError("DT_VERNEED", errTooMany)
}

func (f *file) verDefs() ([]VerDef, error) {
	var defs []VerDef
	err := f.eachVerDef(func(d VerDef, _ uint32) { defs = append(defs, d) })
	if err != nil {
		return nil, err
	}
	return defs, nil
}

// eachVerDef walks DT_VERDEF, following vd_next, with the vd_hash of each; the first vda_name is the version's
// name.
func (f *file) eachVerDef(do func(d VerDef, hash uint32)) error {
	at, ok := f.dyn.value(elf.DT_VERDEF)
	if !ok {
		return nil
	}
	for range maxVersions {
		b, err := f.at(vaddr(at), verDefSize)
		if err != nil {
			return f.verError("DT_VERDEF", err)
		}
		if version := f.order.Uint16(b); version != 1 {
			return &FormatError{Off: int64(f.dyn.off), Msg: "DT_VERDEF: unknown vd_version", Val: version}
		}
		flags := f.order.Uint16(b[2:])
		d := VerDef{
			Base: flags&verFlgBase != 0, Weak: flags&verFlgWeak != 0, Index: f.order.Uint16(b[4:]) &^ versymHidden,
		}
		aux, err := f.at(vaddr(at+uint64(f.order.Uint32(b[12:]))), verDefAuxSize)
		if err != nil {
			return f.verError("DT_VERDEF", err)
		}
		if d.Name, err = f.str(uint64(f.order.Uint32(aux))); err != nil {
			return err
		}
		do(d, f.order.Uint32(b[8:]))
		next := f.order.Uint32(b[16:])
		if next == 0 {
			return nil
		}
		at += uint64(next)
	}
	return f.verError("DT_VERDEF", errTooMany)
}

var errTooMany = errors.New("chain does not end")

func (f *file) verError(table string, err error) error {
	if errors.Is(err, errTooMany) {
		return &FormatError{Off: int64(f.dyn.off), Msg: table + ": " + err.Error()}
	}
	return damage(f.dyn.off, table, err)
}
