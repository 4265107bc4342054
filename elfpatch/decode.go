package elfpatch

// This file is the only one that knows github.com/saferwall/elf. Of that module only the stage
// methods are used, each over a bounded prefix in memory:
//   - never New: it maps the file, copies all of it to the heap and never unmaps it;
//   - never Parse: it panics on a bad e_shstrndx, allocates what a section size asks for, and
//     fails on 32-bit files, static files and files without section headers.
// Its two parallel worlds, 32 and 64 bits, become one here.

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"

	saferwall "github.com/saferwall/elf"
)

// header is the ELF header of either class (gABI 4, "ELF Header").
type header struct {
	class      elf.Class
	data       elf.Data
	order      binary.ByteOrder
	osABI      elf.OSABI
	abiVersion uint8
	padding    bool   // e_ident has some
	version    uint32 // e_version
	typ        elf.Type
	machine    elf.Machine
	flags      uint32
	entry      vaddr
	phoff      offset
	shoff      offset
	phnum      int
	shnum      int
	shstrndx   int
	shentsize  int // where it is not that of the class, so that there are no section headers for us

	parser *saferwall.Parser // over the first parsed bytes of the file, its header decoded
	parsed int64
}

// section is a section header of either class; name is an offset into the section name table.
type section struct {
	name, typ         uint32
	flags             uint64
	addr              vaddr
	off               offset
	size              uint64
	link, info        uint32
	addralign, entsiz uint64
}

// layout holds the sizes in bytes that differ between the two classes.
type layout struct{ ehdr, phdr, shdr, dyn, sym, word int64 }

var (
	layout32 = layout{ehdr: 52, phdr: 32, shdr: 40, dyn: 8, sym: 16, word: 4}
	layout64 = layout{ehdr: 64, phdr: 56, shdr: 64, dyn: 16, sym: 24, word: 8}
)

func (h *header) layout() layout {
	if h.class == elf.ELFCLASS32 {
		return layout32
	}
	return layout64
}

// decodeHeader decodes the ELF header at the start of p.
func decodeHeader(p *pager) (header, error) {
	ident, err := p.read(0, elf.EI_NIDENT)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return header{}, ErrNotELF
	case err != nil:
		return header{}, err
	case string(ident[:4]) != elf.ELFMAG:
		return header{}, ErrNotELF
	}
	size := layout64.ehdr
	if elf.Class(ident[elf.EI_CLASS]) == elf.ELFCLASS32 {
		size = layout32.ehdr
	}
	raw, err := p.read(0, size)
	if err != nil {
		return header{}, damage(0, "ELF header", err)
	}
	if len(p.head) > len(raw) {
		const both = 1 << 10 // with the program headers of most files
		raw = p.head[:min(len(p.head), both)]
	}
	parser, err := saferwall.NewBytes(raw)
	if err != nil {
		return header{}, &FormatError{Off: 0, Msg: "ELF header: " + err.Error()}
	}
	if err := parser.ParseIdent(); err != nil {
		return header{}, &FormatError{Off: elf.EI_CLASS, Msg: "ELF identification: " + err.Error()}
	}
	id := parser.F.Ident
	h := header{
		class: elf.Class(id.Class), data: elf.Data(id.Data), order: id.ByteOrder,
		osABI: elf.OSABI(id.OSABI), abiVersion: uint8(id.ABIVersion),
		padding: [elf.EI_NIDENT - elf.EI_PAD]byte(ident[elf.EI_PAD:]) != [elf.EI_NIDENT - elf.EI_PAD]byte{},
	}
	if err := parser.ParseELFHeader(id.Class); err != nil {
		return header{}, &FormatError{Off: 0, Msg: "ELF header: " + err.Error()}
	}
	h.parser, h.parsed = parser, int64(len(raw))
	phentsize, shentsize := h.fill(parser)
	if h.phnum > 0 && int64(phentsize) != h.layout().phdr {
		return header{}, &FormatError{Off: 0, Msg: "program header size is not that of the class", Val: phentsize}
	}
	if h.phnum == pnXNum {
		if h.phnum, err = h.manySegments(p); err != nil {
			return header{}, err
		}
	}
	if h.shnum > 0 && int64(shentsize) != h.layout().shdr {
		// The loader never reads them (gABI 4); neither do we when they cannot be right.
		h.shnum, h.shentsize = 0, int(shentsize)
	}
	return h, nil
}

const (
	pnXNum      = 0xffff  // PN_XNUM
	maxSegments = 1 << 20 // more than Linux lets a process map by far (vm.max_map_count)
)

// manySegments is the number of program headers of a core file with more than e_phnum can hold: it
// stands in sh_info of section header 0 (gABI 4, e_phnum). The kernel runs no such file.
func (h *header) manySegments(p *pager) (int, error) {
	l := h.layout()
	first, err := p.read(h.shoff, l.shdr)
	if err != nil {
		return 0, damage(h.shoff, "section header 0", err)
	}
	n := h.order.Uint32(first[8+4*l.word+4:]) // after two words, four of the address's size, sh_link
	if h.typ != elf.ET_CORE || n > maxSegments {
		return 0, &FormatError{Off: int64(h.shoff), Msg: "too many program headers", Val: n}
	}
	return int(n), nil
}

// fill copies the header of either class and returns e_phentsize and e_shentsize.
func (h *header) fill(parser *saferwall.Parser) (phentsize, shentsize uint16) {
	if h.class == elf.ELFCLASS32 {
		e := parser.F.Header32
		h.typ, h.machine, h.version, h.flags = elf.Type(e.Type), elf.Machine(e.Machine), e.Version, e.Flags
		h.entry, h.phoff, h.shoff = vaddr(e.Entry), offset(e.Phoff), offset(e.Shoff)
		h.phnum, h.shnum, h.shstrndx = int(e.Phnum), int(e.Shnum), int(e.Shstrndx)
		return e.Phentsize, e.Shentsize
	}
	e := parser.F.Header64
	h.typ, h.machine, h.version, h.flags = elf.Type(e.Type), elf.Machine(e.Machine), e.Version, e.Flags
	h.entry, h.phoff, h.shoff = vaddr(e.Entry), offset(e.Phoff), offset(e.Shoff)
	h.phnum, h.shnum, h.shstrndx = int(e.Phnum), int(e.Shnum), int(e.Shstrndx)
	return e.Phentsize, e.Shentsize
}

// decodeSegments decodes the program header table (gABI 5, "Program Header").
func decodeSegments(p *pager, h *header) ([]Segment, error) {
	if h.phnum == 0 {
		return nil, nil
	}
	table, err := p.read(h.phoff, int64(h.phnum)*h.layout().phdr)
	if err != nil {
		return nil, damage(h.phoff, "program header table", err)
	}
	parser, parsed := h.parser, h.parsed
	h.parser = nil
	if end := int64(h.phoff) + int64(len(table)); h.phnum < pnXNum && h.phoff > 0 && end <= parsed {
		return parsedSegments(make([]Segment, 0, h.phnum), h, parser)
	}
	segments := make([]Segment, 0, h.phnum)
	for len(table) > 0 { // e_phnum has 16 bits
		n := min(len(table), 1<<15*int(h.layout().phdr))
		if segments, err = appendSegments(segments, h, table[:n]); err != nil {
			return nil, err
		}
		table = table[n:]
	}
	return segments, nil
}

// appendSegments decodes a piece of the program header table.
func appendSegments(segments []Segment, h *header, table []byte) ([]Segment, error) {
	phnum := uint16(int64(len(table)) / h.layout().phdr)
	parser, err := tableParser(h, table, func(e *saferwall.File) {
		e.Header32.Phoff, e.Header32.Phnum, e.Header32.Phentsize = 0, phnum, uint16(layout32.phdr)
		e.Header64.Phoff, e.Header64.Phnum, e.Header64.Phentsize = 0, phnum, uint16(layout64.phdr)
	})
	if err != nil {
		return nil, err
	}
	return parsedSegments(segments, h, parser)
}

// parsedSegments adds the program headers that a parser finds.
func parsedSegments(segments []Segment, h *header, parser *saferwall.Parser) ([]Segment, error) {
	if err := parser.ParseELFProgramHeaders(saferwall.Class(h.class)); err != nil {
		return nil, &FormatError{Off: int64(h.phoff), Msg: "program header table: " + err.Error()}
	}
	for _, s := range parser.F.ProgramHeaders32 {
		segments = append(segments, Segment{
			Type: elf.ProgType(s.Type), Flags: elf.ProgFlag(s.Flags), Off: uint64(s.Off), Vaddr: uint64(s.Vaddr),
			Paddr: uint64(s.Paddr), Filesz: uint64(s.Filesz), Memsz: uint64(s.Memsz), Align: uint64(s.Align),
		})
	}
	for _, s := range parser.F.ProgramHeaders64 {
		segments = append(segments, Segment{
			Type: elf.ProgType(s.Type), Flags: elf.ProgFlag(s.Flags), Off: s.Off, Vaddr: s.Vaddr,
			Paddr: s.Paddr, Filesz: s.Filesz, Memsz: s.Memsz, Align: s.Align,
		})
	}
	return segments, nil
}

// decodeSections decodes the section header table; a table that is missing or lies outside the
// file is no table, since nothing that runs the file reads it.
func decodeSections(p *pager, h *header) []section {
	if h.shnum == 0 || h.shoff == 0 {
		return nil
	}
	table, err := p.read(h.shoff, int64(h.shnum)*h.layout().shdr)
	if err != nil {
		return nil
	}
	// saferwall refuses a table at offset 0: one header's room goes before it.
	pad := h.layout().shdr
	parser, err := tableParser(h, append(make([]byte, pad), table...), func(e *saferwall.File) {
		e.Header32.Shoff, e.Header32.Shnum, e.Header32.Shentsize = uint32(pad), uint16(h.shnum), uint16(layout32.shdr)
		e.Header64.Shoff, e.Header64.Shnum, e.Header64.Shentsize = uint64(pad), uint16(h.shnum), uint16(layout64.shdr)
	})
	if err != nil || parser.ParseELFSectionHeaders(saferwall.Class(h.class)) != nil {
		return nil
	}
	sections := make([]section, 0, h.shnum)
	for _, s := range parser.F.SectionHeaders32 {
		sections = append(sections, section{
			s.Name, s.Type, uint64(s.Flags), vaddr(s.Addr), offset(s.Off), uint64(s.Size),
			s.Link, s.Info, uint64(s.AddrAlign), uint64(s.EntSize),
		})
	}
	for _, s := range parser.F.SectionHeaders64 {
		sections = append(sections, section{
			s.Name, s.Type, s.Flags, vaddr(s.Addr), offset(s.Off), s.Size,
			s.Link, s.Info, s.AddrAlign, s.EntSize,
		})
	}
	return sections
}

// tableParser gives a parser over a header table alone; place writes into the parser's ELF header
// where the table is in those bytes.
func tableParser(h *header, table []byte, place func(*saferwall.File)) (*saferwall.Parser, error) {
	parser, err := saferwall.NewBytes(table)
	if err != nil {
		return nil, &FormatError{Off: int64(h.phoff), Msg: "header table: " + err.Error()}
	}
	parser.F.Ident.ByteOrder = h.order
	place(parser.F)
	return parser, nil
}
