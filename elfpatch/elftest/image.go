package elftest

import "debug/elf"

// Image describes one ELF file. The zero value is a valid shared object for x86-64 without needs
// and without symbols.
type Image struct {
	Machine elf.Machine // 0: EM_X86_64
	Class   elf.Class   // 0: that of the machine
	Data    elf.Data    // byte order; 0: that of the machine
	Type    elf.Type    // 0: ET_DYN; an ET_REL has sections only, an ET_CORE segments only
	Flags   uint32      // e_flags; 0: hard-float EABI5 for Arm, double-float for RISC-V, else none
	OSABI   elf.OSABI   // as it is, but ELFOSABI_LINUX where a symbol is an IFUNC or unique

	Static     bool   // no PT_DYNAMIC; all about the dynamic section below is ignored
	Interp     string // PT_INTERP: the file is a program and has an entry point
	Soname     string
	Needed     []string
	RPath      string // DT_RPATH, there if not empty or HasRPath
	HasRPath   bool
	RunPath    string // DT_RUNPATH, there if not empty or HasRunPath
	HasRunPath bool
	Filter     []string
	Auxiliary  []string
	DynFlags   elf.DynFlag
	DynFlags1  elf.DynFlag1
	Dyn        []Dyn // further entries, after all others
	Spare      int   // DT_NULL entries after the one that ends the section; 0: 4, less: none

	Symbols      []Symbol
	Versions     []string      // versions defined beside, and before, those that Symbols name
	VersionNeeds []VersionNeed // versions needed beside, and before, those that Symbols name
	Hash         Hash

	BuildID   []byte
	Notes     []Note
	Rodata    []byte // .rodata, which is read only, behind the tables of the loader
	Debug     string // .debug_str, which is not mapped; not without section headers
	NoStack   bool   // no PT_GNU_STACK
	ExecStack bool   // PT_GNU_STACK with PF_X
	BSS       uint64 // bytes of the writable segment that are not in the file
	PageAlign uint64 // p_align of the PT_LOADs; 0: that of the machine

	NoSections bool   // neither section headers nor their names
	Padding    int    // zero bytes between the last segment and the section headers
	Trailer    []byte // what stands after the end of the ELF file
}

// Symbol is a dynamic symbol. The zero value of all but Name is a global function that is defined.
type Symbol struct {
	Name       string
	Undefined  bool        // a reference
	Local      bool        // STB_LOCAL
	Bind       elf.SymBind // 0: STB_GLOBAL, or STB_LOCAL if Local
	Type       elf.SymType // 0: STT_FUNC, or STT_NOTYPE if Undefined
	Visibility elf.SymVis
	Section    elf.SectionIndex // 0: chosen by Type
	Value      uint64           // 0: an address of its own, or none if Undefined
	Size       uint64           // bytes

	// Version is the version of the definition, or the one that the reference wants of the file
	// VersionFile (vn_file; "" means the first of Image.Needed). A definition with a VersionFile is
	// a copy, which has the version of that file.
	Version     string
	VersionFile string
	Hidden      bool // name@version, not name@@version

	// Relocs are relocation types of the machine; each gives the symbol one relocation, at a place
	// of its own or, for a COPY, at the symbol.
	Relocs []uint32
}

// VersionNeed is a version that is needed without a symbol that wants it, such as
// GLIBC_ABI_DT_RELR.
type VersionNeed struct {
	File, Version string
	Weak          bool // VER_FLG_WEAK
}

// Dyn is an entry of the dynamic section. With Str, the value is its offset in the string table.
type Dyn struct {
	Tag elf.DynTag
	Val uint64 // not heeded with Str
	Str string
}

// Note is one note, in a section and a PT_NOTE of its own.
type Note struct {
	Section string // its section's name; "" means .note
	Name    string // the owner
	Type    uint32 // what it means is the owner's affair
	Desc    []byte
	Align   uint64 // 4 or 8; 0 means 4
}

// Hash tells which hash tables a file has.
type Hash int

// The zero value is the usual: both.
const (
	HashBoth Hash = iota // DT_GNU_HASH and DT_HASH
	HashGNU              // DT_GNU_HASH alone
	HashSysV             // DT_HASH alone
	HashNone             // none: the loader finds no symbol in it
)

// Bytes returns the file. The same Image always gives the same bytes.
func (im Image) Bytes() []byte {
	w := newWriter(im)
	for range 3 { // the first finds which parts there are, the second how long, the third where
		w.build()
		w.place()
	}
	return w.join()
}

// isProgram reports whether the file has an entry point.
func (im *Image) isProgram() bool {
	return im.Interp != "" || im.Type == elf.ET_EXEC || im.Static && im.Type == elf.ET_DYN
}

// setDefaults replaces the zero values that stand for something else.
func (im *Image) setDefaults() {
	if im.Machine == elf.EM_NONE {
		im.Machine = elf.EM_X86_64
	}
	m := machineOf(im.Machine)
	im.Class = or(im.Class, m.class)
	im.Data = or(im.Data, m.data)
	im.Flags = or(im.Flags, m.flags)
	im.PageAlign = or(im.PageAlign, m.page)
	im.Type = or(im.Type, elf.ET_DYN)
	im.Spare = max(or(im.Spare, 4), 0)
	im.Static = im.Static || im.Type == elf.ET_REL || im.Type == elf.ET_CORE
	symbols := make([]Symbol, len(im.Symbols)) // the caller's stay as they are
	for i, s := range im.Symbols {
		symbols[i] = s.withDefaults(im.Needed)
		if s.Bind == stbGNUUnique || s.Type == elf.STT_GNU_IFUNC {
			im.OSABI = or(im.OSABI, elf.ELFOSABI_LINUX)
		}
	}
	im.Symbols = symbols
}

const stbGNUUnique elf.SymBind = 10

func (s Symbol) withDefaults(needed []string) Symbol {
	if !s.Local {
		s.Bind = or(s.Bind, elf.STB_GLOBAL)
	}
	if !s.Undefined {
		s.Type = or(s.Type, elf.STT_FUNC)
	}
	if s.Version != "" && s.Undefined && s.VersionFile == "" && len(needed) > 0 {
		s.VersionFile = needed[0]
	}
	return s
}

// or is value, or where that is zero, what it stands for.
func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
