package elfpatch

import (
	"debug/elf"
	"fmt"
	"io"
)

// Section is one section header (gABI 4, "Section Header").
type Section struct {
	Name      string // "" where the file has no names
	Type      elf.SectionType
	Flags     elf.SectionFlag
	Addr      uint64 // 0 when it is not in memory
	Off       uint64 // offset in the file, bytes
	Size      uint64 // bytes, in memory only for SHT_NOBITS
	Link      uint32 // sh_link: most often the number of a section that belongs to it
	Info      uint32 // sh_info: what it means is decided by Type
	Addralign uint64 // bytes; 0 and 1 ask for nothing
	Entsize   uint64 // bytes of one entry of a table; 0 where it is none
}

// ReadSections reads the section headers of the ELF file src of size bytes, nil where there are none.
// Loader and kernel read none of them, strip, objcopy and debuggers go by nothing else: what those
// would trip over is a *FormatError.
func ReadSections(src io.ReaderAt, size int64) ([]Section, error) {
	f, err := open(src, size)
	if err != nil {
		return nil, err
	}
	if f.shentsize != 0 {
		return nil, &FormatError{Off: int64(f.shoff), Msg: "section headers have wrong size", Val: f.shentsize}
	}
	if f.shnum == 0 || f.shoff == 0 {
		return nil, nil
	}
	if _, err := f.read(f.shoff, int64(f.shnum)*f.layout().shdr); err != nil {
		return nil, &FormatError{Off: int64(f.shoff), Msg: "section header table out of bounds", Val: f.shnum}
	}
	raw := decodeSections(f.pager, &f.header)
	names, err := f.sectionNames(raw)
	if err != nil {
		return nil, err
	}
	list := make([]Section, len(raw))
	for i, s := range raw {
		list[i] = Section{
			Type: elf.SectionType(s.typ), Flags: elf.SectionFlag(s.flags), Addr: uint64(s.addr), Off: uint64(s.off),
			Size: s.size, Link: s.link, Info: s.info, Addralign: s.addralign, Entsize: s.entsiz,
		}
		if err := f.checkSection(&list[i]); err != nil {
			return nil, f.sectionError(i, err)
		}
		if names == nil {
			continue
		}
		if int64(s.name) >= int64(len(names)) {
			return nil, f.sectionError(i, fmt.Errorf("section name offset out of bounds (%d)", s.name))
		}
		list[i].Name = cString(names[s.name:])
	}
	return list, nil
}

// sectionNames is the string table of section names; nil where there is none (e_shstrndx).
func (f *file) sectionNames(list []section) ([]byte, error) {
	index := f.shstrndx
	if index == int(elf.SHN_XINDEX) && len(list) > 0 {
		index = int(list[0].link)
	} else if index == 0 {
		return nil, nil
	}
	bad := func(msg string, val any) ([]byte, error) {
		return nil, &FormatError{Off: int64(f.shoff), Msg: "section names: " + msg, Val: val}
	}
	if index <= 0 || index >= len(list) {
		return bad("string table index out of bounds", f.shstrndx)
	}
	s := list[index]
	if s.size == 0 {
		return bad("string table size is zero", nil)
	}
	if s.size > uint64(f.size) {
		return bad("data region extends past file end", s.size)
	}
	b, err := f.read(s.off, int64(s.size))
	if err != nil {
		return bad("data region extends past file end", s.size)
	}
	if b[len(b)-1] != 0 {
		return bad("string table is not zero terminated", nil)
	}
	return b, nil
}

// checkSection checks a section that is mapped.
func (f *file) checkSection(s *Section) error {
	if s.Flags&elf.SHF_ALLOC == 0 || s.Type == elf.SHT_NOBITS || s.Type == elf.SHT_NULL || s.Size == 0 {
		return nil
	}
	if s.Off > uint64(f.size) || s.Size > uint64(f.size)-s.Off {
		return fmt.Errorf("data offset extends past file end (%#x, %d bytes)", s.Off, s.Size)
	}
	switch s.Type {
	case elf.SHT_DYNAMIC, elf.SHT_DYNSYM:
		if s.Off%uint64(f.layout().word) != 0 {
			return fmt.Errorf("section content is not naturally aligned (%#x)", s.Off)
		}
	case elf.SHT_STRTAB:
		last, err := f.read(offset(s.Off+s.Size-1), 1)
		if err != nil {
			return err
		}
		if last[0] != 0 {
			return fmt.Errorf("string table is not NUL-terminated")
		}
	}
	return nil
}

// sectionError tells of section header i.
func (f *file) sectionError(i int, err error) error {
	return &FormatError{Off: int64(f.shoff) + int64(i)*f.layout().shdr, Msg: fmt.Sprintf("section header %d: %v", i, err)}
}
