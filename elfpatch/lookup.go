package elfpatch

import (
	"debug/elf"
	"encoding/binary"
	"io"
	"strings"
)

// Symbols is what symbol lookup reads of one file: its dynamic symbols, their versions and hashes,
// and the references that its relocations make. It keeps the tables as they stand in the file and
// decodes on demand. Symbols are numbered as relocations number them; 0 is the null symbol.
type Symbols struct {
	Symbolic bool // DT_SYMBOLIC or DF_SYMBOLIC: lookup begins in the file itself
	BindNow  bool // DT_BIND_NOW, DF_BIND_NOW or DF_1_NOW: calls are bound at start
	Versions bool // the file needs or defines versions, so that those of its symbols count

	header
	table    []byte // DT_SYMTAB
	names    *nameTable
	versym   []byte    // DT_VERSYM; nil where the file has no versions
	versions []version // by index
	first    uint32    // the symbol of the first of hashes
	chains   []byte    // the words of DT_GNU_HASH from the first symbol on
	order    []hashed  // the symbols of DT_HASH, where that is the only table
	refs     []Reference
}

// Reference is a symbol that at least one relocation of a class looks up.
type Reference struct {
	Name   string
	Symbol uint32 // its number in Symbols
	Hash   uint32 // the name's hash by DT_GNU_HASH, with bit 0 set
	Class  Class
	Slot   bool // a slot of the GOT (R_*_GLOB_DAT) for protected data, which glibc up to 2.35 treats in its own way
}

type hashed struct{ hash, symbol uint32 }

// ReadLookup reads the tables of symbol lookup of the file src of size bytes, of which i was read. A
// file without a dynamic section has neither symbols nor references. Errors are those of [Read]; for
// a machine whose relocations are not known it is ErrUnsupported.
func (i *Info) ReadLookup(src io.ReaderAt, size int64) (*Symbols, error) {
	f := &file{pager: newPager(src, size), header: i.header(), segments: i.Segments}
	if d := f.dynamicSegment(); d != nil && d.Filesz <= maxDynamic {
		f.load(offset(d.Off), int64(d.Filesz))
	}
	s := &Symbols{header: f.header, versions: versionTable(i.VerNeeds, i.VerDefs)}
	var err error
	if f.dyn, err = f.readDynamic(); err != nil {
		return nil, err
	}
	if !f.dyn.present {
		return s, nil
	}
	s.flags(&f.dyn)
	f.readSpans()
	marks, err := f.markReferences()
	if err != nil {
		return nil, err
	}
	if err := f.lookupTables(s, int64(len(marks))); err != nil {
		return nil, err
	}
	return s, s.listReferences(marks)
}

// readSpans reads the tables of symbols at once: link editors put them side by side, and patchelf moves the
// strings away. Where they are further apart, each is read by itself.
func (f *file) readSpans() {
	const usual = 6 // the tables are so many times as large as the string table, and some
	t := &f.dyn.strings
	if !t.present || !t.hasSize || t.size > uint64(f.size) {
		return
	}
	most := usual*t.size + 16*pageSize
	from, to := ^uint64(0), uint64(0)
	for _, tag := range []elf.DynTag{elf.DT_HASH, dtGNUHash, elf.DT_SYMTAB, elf.DT_VERSYM, elf.DT_VERNEED, elf.DT_VERDEF} {
		if at, ok := f.dyn.value(tag); ok {
			from, to = min(from, at), max(to, at+pageSize)
		}
	}
	begin, end := uint64(t.addr), uint64(t.addr)+t.size
	if lo, hi := min(from, begin), max(to, end); hi > lo && hi-lo <= most {
		from, to = lo, hi
	} else {
		f.loadAddresses(begin, end)
	}
	if to > from && to-from <= most {
		f.loadAddresses(from, to)
	}
}

// loadAddresses reads a range of addresses at once, which may end up to a page too late.
func (f *file) loadAddresses(from, to uint64) {
	off, err := f.offset(vaddr(from), int64(to-from))
	if err != nil {
		for _, s := range f.segments {
			if end := s.Vaddr + s.Filesz; s.Type == elf.PT_LOAD && from >= s.Vaddr && from < end && to-end < pageSize {
				to = end
			}
		}
		off, err = f.offset(vaddr(from), int64(to-from))
	}
	if err == nil {
		f.load(off, int64(to-from))
	}
}

// header is as much of the ELF header as finding the tables takes.
func (i *Info) header() header {
	h := header{class: i.Class, data: i.Data, order: binary.LittleEndian, typ: i.Type, machine: i.Machine}
	if h.data == elf.ELFDATA2MSB {
		h.order = binary.BigEndian
	}
	return h
}

// flags reads what the dynamic section says of how lookup goes (gABI 5, "Dynamic Section").
func (s *Symbols) flags(d *dynamic) {
	flags, _ := d.value(elf.DT_FLAGS)
	flags1, _ := d.value(elf.DT_FLAGS_1)
	_, symbolic := d.value(elf.DT_SYMBOLIC)
	_, now := d.value(elf.DT_BIND_NOW)
	s.Symbolic = symbolic || elf.DynFlag(flags)&elf.DF_SYMBOLIC != 0
	s.BindNow = now || elf.DynFlag(flags)&elf.DF_BIND_NOW != 0 || elf.DynFlag1(flags1)&elf.DF_1_NOW != 0
}

// lookupTables reads the tables. least is the number of symbols that relocations speak of: an empty
// hash table does not tell it.
func (f *file) lookupTables(s *Symbols, least int64) error {
	addr, ok := f.dyn.value(elf.DT_SYMTAB)
	if !ok {
		return nil
	}
	n, err := f.symbolCount(vaddr(addr))
	if err != nil {
		return err
	}
	if n = max(n, least); n <= 1 {
		return nil
	}
	if s.table, err = f.at(vaddr(addr), n*f.layout().sym); err != nil {
		return damage(f.dyn.off, "DT_SYMTAB", err)
	}
	if f.names, err = f.nameTable(); err != nil {
		return err
	}
	s.names = f.names
	if err := f.lookupVersions(s, n); err != nil {
		return err
	}
	return f.lookupHash(s)
}

// lookupVersions reads DT_VERSYM, which counts only where there are versions.
func (f *file) lookupVersions(s *Symbols, n int64) error {
	addr, ok := f.dyn.value(elf.DT_VERSYM)
	if !ok || len(s.versions) == 0 {
		return nil
	}
	s.Versions = true
	var err error
	if s.versym, err = f.at(vaddr(addr), 2*n); err != nil {
		return damage(f.dyn.off, "DT_VERSYM", err)
	}
	return nil
}

// Len is the number of symbols, the null symbol included.
func (s *Symbols) Len() int { return len(s.table) / int(s.layout().sym) }

// References are what the file's relocations look up, each symbol and class once, by symbol.
func (s *Symbols) References() []Reference { return s.refs }

// Symbol is symbol i.
func (s *Symbols) Symbol(i int) Symbol {
	sym := s.Entry(i)
	sym.Name = s.Name(i)
	return sym
}

// Entry is symbol i without its name.
func (s *Symbols) Entry(i int) Symbol {
	var sym Symbol
	s.symbol(&sym, s.table[i*int(s.layout().sym):])
	if s.versym == nil {
		return sym
	}
	versym := s.get16(s.versym[2*i:])
	sym.VersionIndex = versym &^ versymHidden
	var v version
	if int(sym.VersionIndex) < len(s.versions) {
		v = s.versions[sym.VersionIndex]
	}
	sym.Version, sym.VersionFile = v.name, v.file
	if sym.Hidden = versym&versymHidden != 0; !sym.Defined() {
		sym.Hidden = v.hidden
	}
	return sym
}

// Reach is the binding and the visibility of symbol i, which decide who can bind to it.
func (s *Symbols) Reach(i int) (elf.SymBind, elf.SymVis) {
	b := s.table[i*int(s.layout().sym):]
	if s.class == elf.ELFCLASS32 {
		return elf.ST_BIND(b[12]), elf.ST_VISIBILITY(b[13])
	}
	return elf.ST_BIND(b[4]), elf.ST_VISIBILITY(b[5])
}

// protectedData reports whether symbol i is protected and a variable.
func (s *Symbols) protectedData(i int) bool {
	if _, vis := s.Reach(i); vis != elf.STV_PROTECTED {
		return false
	}
	return s.Entry(i).Type == elf.STT_OBJECT
}

// Wanted is the version that symbol i wants or has, "" for none, and whether, of one that is wanted,
// bit 15 of vna_other is set.
func (s *Symbols) Wanted(i int) (version string, hidden bool) {
	if s.versym == nil {
		return "", false
	}
	if v := int(s.get16(s.versym[2*i:]) &^ versymHidden); v < len(s.versions) {
		return s.versions[v].name, s.versions[v].hidden
	}
	return "", false
}

// Name is the name of symbol i; "" where the file has none for it.
func (s *Symbols) Name(i int) string {
	at, text := int64(s.nameOf(i)), s.names.text
	if at >= int64(len(text)) {
		return ""
	}
	name, _, ok := strings.Cut(text[at:], "\x00")
	if !ok {
		return ""
	}
	return name
}

func (s *Symbols) nameOf(i int) uint32 { return s.get32(s.table[i*int(s.layout().sym):]) }
