package elfpatch

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// Class of a reference: what its relocation wants of a definition (glibc
// elf_machine_type_class, in sysdeps/*/dl-machine.h).
type Class uint8

// The classes of references.
const (
	ClassData Class = iota // an address: a function's entry in the program's PLT will do
	ClassCall              // a jump slot: it must be a real definition
	ClassTLS               // thread-local: the same
	ClassCopy              // a copy of a library's variable into the program, which is not looked at
)

func (c Class) String() string {
	if c > ClassCopy {
		return fmt.Sprintf("class %d", uint8(c))
	}
	return [...]string{"data", "call", "tls", "copy"}[c]
}

// MarshalText gives the class's name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// relocTypes tells the relocation types of a machine apart; what is in no list looks up an address.
type relocTypes struct {
	call, copied uint32
	slot         uint32 // of the GOT, where glibc has told them apart for protected data; 0 for none
	tls, none    []uint32
}

// markSlot is set beside the bits of classes.
const markSlot = 1 << 7

// relocations holds the machines whose relocations are known, by the names of their psABI.
var relocations = map[elf.Machine]relocTypes{
	elf.EM_X86_64: { // JUMP_SLOT; COPY; GLOB_DAT; DTPMOD64, DTPOFF64, TPOFF64, TLSDESC; NONE, RELATIVE, IRELATIVE, RELATIVE64
		call: 7, copied: 5, slot: 6, tls: []uint32{16, 17, 18, 36}, none: []uint32{0, 8, 37, 38},
	},
	elf.EM_386: { // JUMP_SLOT; COPY; GLOB_DAT; TPOFF, DTPMOD32, DTPOFF32, TPOFF32, DESC; NONE, RELATIVE, IRELATIVE
		call: 7, copied: 5, slot: 6, tls: []uint32{14, 35, 36, 37, 41}, none: []uint32{0, 8, 42},
	},
	elf.EM_AARCH64: { // JUMP_SLOT; COPY; GLOB_DAT; DTPMOD, DTPREL, TPREL, TLSDESC; NONE (two), RELATIVE, IRELATIVE
		call: 1026, copied: 1024, slot: 1025, tls: []uint32{1028, 1029, 1030, 1031}, none: []uint32{0, 256, 1027, 1032},
	},
	elf.EM_ARM: { // JUMP_SLOT; COPY; GLOB_DAT; DESC, DTPMOD32, DTPOFF32, TPOFF32; NONE, RELATIVE, IRELATIVE
		call: 22, copied: 20, slot: 21, tls: []uint32{13, 17, 18, 19}, none: []uint32{0, 23, 160},
	},
	elf.EM_RISCV: { // JUMP_SLOT; COPY; DTPMOD32 to TPREL64, TLSDESC; NONE, RELATIVE, IRELATIVE
		call: 5, copied: 4, tls: []uint32{6, 7, 8, 9, 10, 11, 12}, none: []uint32{0, 3, 58},
	},
	elf.EM_PPC64: { // JMP_SLOT; COPY; DTPMOD64, TPREL64, DTPREL64; NONE, RELATIVE, JMP_IREL, IRELATIVE
		call: 21, copied: 19, tls: []uint32{68, 73, 78}, none: []uint32{0, 22, 247, 248},
	},
	elf.EM_S390: { // JMP_SLOT; COPY; DTPMOD, DTPOFF, TPOFF; NONE, RELATIVE, IRELATIVE
		call: 11, copied: 9, tls: []uint32{54, 55, 56}, none: []uint32{0, 12, 61},
	},
}

// mark is the classes in which a symbol is looked up, one bit each; none for no lookup.
func (t *relocTypes) mark(typ uint32) uint8 {
	switch {
	case typ == t.call:
		return 1 << ClassCall
	case typ == t.copied:
		return 1 << ClassCopy
	case slices.Contains(t.none, typ):
		return 0
	case typ == t.slot:
		return markSlot
	case slices.Contains(t.tls, typ):
		return 1 << ClassTLS
	}
	return 1 << ClassData
}

// relocTables are the tables of relocations that may name a symbol: address, size in bytes, and
// whether entries have an addend. DT_RELR is not among them, nor are the first entries of a table,
// of which DT_RELACOUNT says that they are relative: the loader believes it (glibc
// elf/do-rel.h: elf_dynamic_do_Rel, nrelative). The two may overlap.
func (f *file) relocTables() []relocTable {
	plt, _ := f.dyn.value(elf.DT_PLTREL)
	var tables []relocTable
	for _, t := range []struct {
		addr, size, relative elf.DynTag
		rela                 bool
	}{
		{elf.DT_RELA, elf.DT_RELASZ, elf.DT_RELACOUNT, true},
		{elf.DT_REL, elf.DT_RELSZ, elf.DT_RELCOUNT, false},
		{elf.DT_JMPREL, elf.DT_PLTRELSZ, elf.DT_NULL, elf.DynTag(plt) == elf.DT_RELA},
	} {
		addr, ok := f.dyn.value(t.addr)
		size, _ := f.dyn.value(t.size)
		relative, _ := f.dyn.value(t.relative)
		entry := uint64(f.relocSize(t.rela))
		skip := min(relative, size/entry) * entry
		if ok && size > skip {
			tables = append(tables, relocTable{t.addr, vaddr(addr + skip), size - skip, t.rela})
		}
	}
	return tables
}

// relocSize is the size of an entry: r_offset, r_info, maybe r_addend (gABI 4, "Relocation").
func (h *header) relocSize(rela bool) int64 {
	if rela {
		return 3 * h.layout().word
	}
	return 2 * h.layout().word
}

type relocTable struct {
	tag  elf.DynTag
	addr vaddr
	size uint64
	rela bool
}

// markReferences gives for each symbol number, as far as relocations name them, the classes in
// which it is looked up.
func (f *file) markReferences() (marks []uint8, err error) {
	types, known := relocations[f.machine]
	for _, t := range f.relocTables() {
		if !known {
			return nil, fmt.Errorf("%w: the relocations of %v are not known", ErrUnsupported, f.machine)
		}
		size := f.relocSize(t.rela)
		if t.size > uint64(f.size) {
			return nil, &FormatError{Off: int64(f.dyn.off), Msg: t.tag.String() + " is larger than the file", Val: t.size}
		}
		off, err := f.offset(t.addr, int64(t.size))
		if err != nil {
			return nil, damage(f.dyn.off, t.tag.String(), err)
		}
		err = f.chunks(off, int64(t.size)/size*size, size, func(b []byte) error {
			marks, err = f.markTable(marks, b, size, &types)
			return err
		})
		if err != nil {
			return nil, damage(off, t.tag.String(), err)
		}
	}
	return marks, nil
}

// markTable goes through entries of size bytes.
func (f *file) markTable(marks []uint8, b []byte, size int64, types *relocTypes) ([]uint8, error) {
	wide, big := f.class == elf.ELFCLASS64, f.data == elf.ELFDATA2MSB
	for ; int64(len(b)) >= size; b = b[size:] {
		var symbol, typ uint32
		switch {
		case !wide:
			info := f.get32(b[4:])
			symbol, typ = info>>8, info&0xff
		case big:
			symbol, typ = binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
		default:
			typ, symbol = binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
		}
		if symbol == 0 {
			continue // the file itself (glibc: STB_LOCAL)
		}
		if uint64(symbol) >= uint64(len(marks)) {
			if uint64(symbol) >= f.maxSymbols() {
				return nil, &FormatError{Off: int64(f.dyn.off), Msg: "a relocation names a symbol that cannot be", Val: symbol}
			}
			marks = append(marks, make([]uint8, int(symbol)+1-len(marks))...)
		}
		marks[symbol] |= types.mark(typ)
	}
	return marks, nil
}

// listReferences lists what was marked. Names of references are checked here.
func (s *Symbols) listReferences(marks []uint8) error {
	n := 0
	for i, m := range marks {
		if m&markSlot != 0 && (i >= s.Len() || !s.protectedData(i)) {
			m = m&^markSlot | 1<<ClassData
			marks[i] = m
		}
		n += bits.OnesCount8(m)
	}
	s.refs = make([]Reference, 0, n)
	for i, m := range marks {
		if m == 0 {
			continue
		}
		if i >= s.Len() {
			return &FormatError{Msg: "relocations name symbols, and there is no symbol table", Val: i}
		}
		name, err := s.names.at(uint64(s.nameOf(i)))
		if err != nil {
			return err
		}
		ref := Reference{Name: name, Symbol: uint32(i), Hash: NameHash(name)}
		for ; m&^markSlot != 0; m &= m - 1 {
			ref.Class = Class(bits.TrailingZeros8(m))
			s.refs = append(s.refs, ref)
		}
		if m == markSlot {
			ref.Class, ref.Slot = ClassData, true
			s.refs = append(s.refs, ref)
		}
	}
	return nil
}
