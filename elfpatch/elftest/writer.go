package elftest

import (
	"debug/elf"
	"encoding/binary"
)

// A writer makes the bytes of an Image as an assembler does, in passes: build makes the parts with
// the addresses that the pass before found, place gives the addresses.
type writer struct {
	Image
	machine
	order   byteOrder
	symbols []Symbol // in the order of the symbol table, from entry 1 on
	hashed  int      // how many of them, at the end, are in the GNU hash table
	buckets int      // of it
	strings []byte   // the dynamic string table
	strAt   map[string]uint32
	parts   []part // in file order
	prev    []part // those of the pass before, with their places
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// part is a section, whether or not the file has section headers.
type part struct {
	name    string
	typ     elf.SectionType
	flags   elf.SectionFlag
	link    string // the name of the section for sh_link
	info    uint32
	align   uint64
	entsize uint64
	data    []byte
	size    uint64 // of an SHT_NOBITS
	addr    uint64
	off     uint64
}

func (p *part) memsz() uint64 { return max(p.size, uint64(len(p.data))) }

func newWriter(im Image) *writer {
	im.setDefaults()
	w := &writer{
		Image: im, machine: machineOf(im.Machine), order: binary.LittleEndian,
		strings: []byte{0}, strAt: map[string]uint32{},
	}
	if im.Data == elf.ELFDATA2MSB {
		w.order = binary.BigEndian
	}
	w.sortSymbols()
	return w
}

func (w *writer) is64() bool { return w.Class == elf.ELFCLASS64 }

// sizes of the records that differ between the classes.
func (w *writer) sizes() (ehdr, phdr, shdr, sym, word uint64) {
	if w.is64() {
		return 64, 56, 64, 24, 8
	}
	return 52, 32, 40, 16, 4
}

// word appends numbers that are as long as an address.
func (w *writer) word(b []byte, values ...uint64) []byte {
	for _, v := range values {
		if w.is64() {
			b = w.order.AppendUint64(b, v)
		} else {
			b = w.order.AppendUint32(b, uint32(v))
		}
	}
	return b
}

func (w *writer) u32(b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = w.order.AppendUint32(b, v)
	}
	return b
}

func (w *writer) u16(b []byte, values ...uint16) []byte {
	for _, v := range values {
		b = w.order.AppendUint16(b, v)
	}
	return b
}

// str is the offset of s in the string table, which it joins if it is not there.
func (w *writer) str(s string) uint32 {
	if s == "" {
		return 0
	}
	at, ok := w.strAt[s]
	if !ok {
		at = uint32(len(w.strings))
		w.strAt[s] = at
		w.strings = append(append(w.strings, s...), 0)
	}
	return at
}

// old is the part of that name as the pass before had it; a part without a place before there was
// one.
func (w *writer) old(name string) part {
	for _, p := range w.prev {
		if p.name == name {
			return p
		}
	}
	return part{}
}

// index is the section index of the part of that name, 0 if there is none.
func (w *writer) index(name string) uint32 {
	for i, p := range w.prev {
		if name != "" && p.name == name {
			return uint32(i + 1)
		}
	}
	return 0
}

func (w *writer) add(p part) {
	if len(p.data) > 0 || p.size > 0 {
		p.align = max(p.align, 1)
		w.parts = append(w.parts, p)
	}
}

// build makes all parts: first what is read, then code, then what is written, then what is not
// mapped.
func (w *writer) build() {
	w.prev, w.parts = w.parts, nil
	_, _, _, _, word := w.sizes()
	if w.Interp != "" {
		w.add(part{name: ".interp", typ: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, data: append([]byte(w.Interp), 0)})
	}
	w.addNotes()
	if !w.Static {
		w.addTables()
	}
	w.add(part{name: ".rodata", typ: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, align: 8, data: w.Rodata})
	w.add(part{
		name: ".text", typ: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, align: 16, data: w.text(),
	})
	if !w.Static {
		w.add(part{
			name: ".dynamic", typ: elf.SHT_DYNAMIC, flags: elf.SHF_ALLOC | elf.SHF_WRITE,
			link: ".dynstr", align: word, entsize: 2 * word, data: w.dynamic(),
		})
		w.addData()
	}
	w.add(part{name: ".bss", typ: elf.SHT_NOBITS, flags: elf.SHF_ALLOC | elf.SHF_WRITE, align: 16, size: w.BSS})
	if !w.NoSections {
		w.add(part{name: ".debug_str", typ: elf.SHT_PROGBITS, data: []byte(w.Debug)})
		w.add(part{name: ".shstrtab", typ: elf.SHT_STRTAB, data: w.sectionNames()})
	}
}

func (w *writer) addNotes() {
	notes := w.Notes
	if len(w.BuildID) > 0 {
		id := Note{Section: ".note.gnu.build-id", Name: "GNU", Type: 3, Desc: w.BuildID}
		notes = append([]Note{id}, notes...)
	}
	for _, n := range notes {
		align := int(max(n.Align, 4))
		b := w.u32(nil, uint32(len(n.Name)+1), uint32(len(n.Desc)), n.Type)
		b = pad(append(append(b, n.Name...), 0), align)
		b = pad(append(b, n.Desc...), align)
		w.add(part{
			name: or(n.Section, ".note"), typ: elf.SHT_NOTE, flags: elf.SHF_ALLOC, align: uint64(align), data: b,
		})
	}
}

// sectionNames is the table of section names, which names itself last.
func (w *writer) sectionNames() []byte {
	table := []byte{0}
	for _, p := range w.parts {
		table = append(append(table, p.name...), 0)
	}
	return append(table, ".shstrtab\x00"...)
}

func pad(b []byte, align int) []byte {
	return append(b, make([]byte, -len(b)&(align-1))...)
}

func alignUp(v, align uint64) uint64 { return (v + align - 1) &^ (align - 1) }
