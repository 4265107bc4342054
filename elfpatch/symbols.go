package elfpatch

import (
	"debug/elf"
	"io"
	"strings"
	"unsafe"
)

// Symbol is one entry of the dynamic symbol table (gABI 4, "Symbol Table"; LSB "Symbol
// Versioning").
type Symbol struct {
	Name         string
	Version      string // "" for none; the base version names nothing
	VersionFile  string // vn_file of a version that is needed; "" for one that is defined
	VersionIndex uint16 // versym without bit 15; 0 where the file has no versions
	Hidden       bool   // name@version: bit 15 of a definition's versym, or of a reference's vna_other
	Bind         elf.SymBind
	Type         elf.SymType
	Visibility   elf.SymVis
	Section      elf.SectionIndex
	Value        uint64 // an address, or of a thread-local symbol an offset
	Size         uint64 // bytes
}

// STB_GNU_UNIQUE, which debug/elf does not name.
const stbGNUUnique elf.SymBind = 10

// Defined reports whether the file defines s, and does not only refer to it.
func (s *Symbol) Defined() bool { return s.Section != elf.SHN_UNDEF }

// Exported reports whether other files can bind to s: it is defined, not local and not hidden from
// them by its visibility (gABI 4, "Symbol Visibility").
func (s *Symbol) Exported() bool {
	bound := s.Bind == elf.STB_GLOBAL || s.Bind == elf.STB_WEAK || s.Bind == stbGNUUnique
	return s.Defined() && bound && (s.Visibility == elf.STV_DEFAULT || s.Visibility == elf.STV_PROTECTED)
}

// ReadSymbols reads the dynamic symbols of the ELF file src of size bytes, in the order of the
// table and without the null symbol: what a relocation calls symbol n is at n-1. Each table is one
// read. A file without a dynamic section has none. Errors are those of [Read].
func ReadSymbols(src io.ReaderAt, size int64) ([]Symbol, error) {
	f, err := open(src, size)
	if err != nil {
		return nil, err
	}
	return f.symbols()
}

func (f *file) symbols() ([]Symbol, error) {
	addr, ok := f.dyn.value(elf.DT_SYMTAB)
	if !ok {
		return nil, nil
	}
	size := f.layout().sym
	if ent, ok := f.dyn.value(elf.DT_SYMENT); ok && ent != uint64(size) {
		return nil, &FormatError{Off: int64(f.dyn.off), Msg: "DT_SYMENT is not that of the class", Val: ent}
	}
	n, err := f.symbolCount(vaddr(addr))
	if err != nil || n <= 1 {
		return nil, err
	}
	table, err := f.at(vaddr(addr), n*size)
	if err != nil {
		return nil, damage(f.dyn.off, "DT_SYMTAB", err)
	}
	symbols := make([]Symbol, n-1)
	if f.names, err = f.nameTable(); err != nil {
		return nil, err
	}
	for i := range symbols {
		table = table[size:]
		name := f.symbol(&symbols[i], table)
		if symbols[i].Name, err = f.names.at(uint64(name)); err != nil {
			return nil, err
		}
	}
	return symbols, f.symbolVersions(symbols)
}

// symbol decodes one entry and returns its st_name.
func (h *header) symbol(s *Symbol, b []byte) (name uint32) {
	info, other, section := b[4], b[5], b[6:]
	if h.class == elf.ELFCLASS32 {
		info, other, section = b[12], b[13], b[14:]
		s.Value, s.Size = uint64(h.get32(b[4:])), uint64(h.get32(b[8:]))
	} else {
		s.Value, s.Size = h.get64(b[8:]), h.get64(b[16:])
	}
	s.Bind, s.Type, s.Visibility = elf.ST_BIND(info), elf.ST_TYPE(info), elf.ST_VISIBILITY(other)
	s.Section = elf.SectionIndex(h.get16(section))
	return h.get32(b)
}

// nameTable is the string table of all symbols. left bounds what is scanned for the ends of names,
// since those of a hostile file may overlap.
type nameTable struct {
	text string
	off  offset
	left int
}

const maxNameScan = 1 << 30

func (f *file) nameTable() (*nameTable, error) {
	t := &f.dyn.strings
	if !t.present || !t.hasSize {
		return nil, &FormatError{Off: int64(f.dyn.off), Msg: "dynamic section has symbols but no string table"}
	}
	n := int64(min(t.size, uint64(f.size)+1))
	off, err := f.offset(t.addr, n)
	if err != nil {
		return nil, damage(f.dyn.off, "DT_STRTAB", err)
	}
	b, err := f.read(off, n)
	if err != nil {
		return nil, damage(off, "DT_STRTAB", err)
	}
	// Nobody writes to b any more, since [open] shares no buffers; a copy would double the largest table.
	return &nameTable{text: unsafe.String(unsafe.SliceData(b), len(b)), off: off, left: maxNameScan}, nil
}

func (t *nameTable) at(name uint64) (string, error) {
	if name >= uint64(len(t.text)) {
		return "", &FormatError{Off: int64(t.off), Msg: "string offset outside DT_STRSZ", Val: name}
	}
	s := t.text[name:]
	n := strings.IndexByte(s, 0)
	if n < 0 {
		return "", &FormatError{Off: int64(t.off), Msg: "string does not end in NUL", Val: name}
	}
	if t.left -= n; t.left < 0 {
		return "", &FormatError{Off: int64(t.off), Msg: "names overlap too much"}
	}
	return s[:n], nil
}

// version is what an index of DT_VERSYM stands for.
type version struct {
	name, file string
	hidden     bool // of a reference
}

// symbolVersions adds the versions. Where the file neither needs nor defines any, DT_VERSYM does
// not count (glibc elf/dl-version.c: _dl_check_map_versions, l_versyms).
func (f *file) symbolVersions(symbols []Symbol) error {
	addr, ok := f.dyn.value(elf.DT_VERSYM)
	if !ok {
		return nil
	}
	needs, err := f.verNeeds()
	if err != nil {
		return err
	}
	defs, err := f.verDefs()
	if err != nil {
		return err
	}
	versions := versionTable(needs, defs)
	if len(versions) == 0 {
		return nil
	}
	table, err := f.at(vaddr(addr), 2*int64(len(symbols)+1))
	if err != nil {
		return damage(f.dyn.off, "DT_VERSYM", err)
	}
	for i := range symbols {
		s, versym := &symbols[i], f.order.Uint16(table[2*(i+1):])
		s.VersionIndex = versym &^ versymHidden
		var v version
		if int(s.VersionIndex) < len(versions) {
			v = versions[s.VersionIndex]
		}
		s.Version, s.VersionFile = v.name, v.file
		if s.Hidden = versym&versymHidden != 0; !s.Defined() {
			s.Hidden = v.hidden
		}
	}
	return nil
}

// versionTable is the versions by index: those needed, then, over them, those defined (glibc
// elf/dl-version.c: _dl_check_map_versions, l_versions).
func versionTable(needs []VerNeed, defs []VerDef) []version {
	var versions []version
	set := func(index uint16, v version) {
		if missing := int(index) + 1 - len(versions); missing > 0 {
			versions = append(versions, make([]version, missing)...)
		}
		versions[index] = v
	}
	for _, n := range needs {
		for _, v := range n.Versions {
			set(v.Index, version{v.Name, n.File, v.hidden})
		}
	}
	for _, d := range defs {
		if d.Base {
			d.Name = ""
		}
		set(d.Index, version{name: d.Name})
	}
	return versions
}
