package elfpatch

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Tags that debug/elf does not name or that it names for one system only (glibc elf/elf.h).
const (
	dtRelrSz   = elf.DynTag(35)
	dtRelr     = elf.DynTag(36)
	dtRelrEnt  = elf.DynTag(37)
	dtGNUHash  = elf.DynTag(0x6ffffef5)
	dtAudit    = elf.DynTag(0x6ffffefc)
	dtDepAudit = elf.DynTag(0x6ffffefb)

	unknownTag = -1
)

// dynEntry is one entry of the dynamic section; val is an address, a size or an offset into the
// string table, as the tag has it (gABI 5, "Dynamic Section").
type dynEntry struct {
	tag elf.DynTag
	val uint64
}

// dynamic is the dynamic section as the loader sees it: in the memory image, up to DT_NULL.
type dynamic struct {
	present bool
	off     offset     // where it stands in the file
	addr    vaddr      // and in memory
	entries []dynEntry // without the DT_NULL
	room    int        // entries that fit in PT_DYNAMIC, the terminating DT_NULL included
	strings stringTable
}

// stringTable is where DT_STRTAB is, and its DT_STRSZ where there is one.
type stringTable struct {
	addr             vaddr
	size             uint64
	present, hasSize bool
}

// maxDynamic bounds the dynamic section in bytes; real ones are under a few kilobytes.
const maxDynamic = 1 << 20

// value returns the entry of a tag that may stand once; of several the last counts (glibc
// elf/get-dynamic-info.h: elf_get_dynamic_info).
func (d *dynamic) value(tag elf.DynTag) (uint64, bool) {
	for i := len(d.entries) - 1; i >= 0; i-- {
		if d.entries[i].tag == tag {
			return d.entries[i].val, true
		}
	}
	return 0, false
}

// dynamicSegment is the PT_DYNAMIC that counts: the last with content. A separate debug file has
// the header only (glibc elf/dl-load.c: _dl_map_object_from_fd, "Debuginfo only files").
func (f *file) dynamicSegment() *Segment {
	for i := len(f.segments) - 1; i >= 0; i-- {
		if s := &f.segments[i]; s.Type == elf.PT_DYNAMIC && s.Filesz > 0 {
			return s
		}
	}
	return nil
}

// readDynamic decodes PT_DYNAMIC. The loader finds it by address, so we do (glibc
// elf/dl-load.c: _dl_map_object_from_fd, l_ld). It ends at DT_NULL: the loader would read on
// without one, past the segment; here that is a defect.
func (f *file) readDynamic() (dynamic, error) {
	s := f.dynamicSegment()
	if s == nil {
		return dynamic{}, nil
	}
	size := f.layout().dyn
	n := int64(min(s.Filesz, uint64(f.size), maxDynamic)) / size
	off, err := f.offset(vaddr(s.Vaddr), n*size)
	if err != nil {
		return dynamic{}, damage(offset(s.Off), "PT_DYNAMIC", err)
	}
	table, err := f.read(off, n*size)
	if err != nil {
		return dynamic{}, damage(off, "PT_DYNAMIC", err)
	}
	d := dynamic{present: true, off: off, addr: vaddr(s.Vaddr), room: int(n)}
	d.entries = f.entries[:0]
	for ; len(table) > 0; table = table[size:] {
		e := f.dynEntry(table)
		if e.tag == elf.DT_NULL {
			d.strings = d.stringTable()
			if f.texts != nil { // a Reader keeps the room for the next file
				f.entries = d.entries
			}
			return d, nil
		}
		d.entries = append(d.entries, e)
	}
	return dynamic{}, &FormatError{Off: int64(off), Msg: "dynamic section does not end in DT_NULL", Val: n}
}

func (d *dynamic) stringTable() stringTable {
	var t stringTable
	var addr uint64
	addr, t.present = d.value(elf.DT_STRTAB)
	t.addr = vaddr(addr)
	t.size, t.hasSize = d.value(elf.DT_STRSZ)
	return t
}

// dynEntry decodes one entry; tags are signed (gABI 5: d_tag is Elf32_Sword, Elf64_Sxword).
func (h *header) dynEntry(b []byte) dynEntry {
	if h.class == elf.ELFCLASS32 {
		return dynEntry{elf.DynTag(int32(h.order.Uint32(b))), uint64(h.order.Uint32(b[4:]))}
	}
	tag := int64(h.order.Uint64(b))
	if int64(elf.DynTag(tag)) != tag {
		tag = unknownTag // DynTag is an int, which has 32 bits on some hosts
	}
	return dynEntry{elf.DynTag(tag), h.order.Uint64(b[8:])}
}

// get16, get32 and get64 decode without the call of an interface, which loops over symbols would feel.
func (h *header) get16(b []byte) uint16 {
	if h.data == elf.ELFDATA2MSB {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (h *header) get32(b []byte) uint32 {
	if h.data == elf.ELFDATA2MSB {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (h *header) get64(b []byte) uint64 {
	if h.data == elf.ELFDATA2MSB {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// word decodes an address-sized number.
func (h *header) word(b []byte) uint64 {
	if h.class == elf.ELFCLASS32 {
		return uint64(h.order.Uint32(b))
	}
	return h.order.Uint64(b)
}

// One string of the dynamic string table, and all that are read of one file, are bounded: many
// entries of a hostile file may name one long string.
const (
	maxString  = 1 << 20
	maxStrings = 4 << 20
)

// str reads the string at offset o of the dynamic string table (DT_STRTAB).
func (f *file) str(o uint64) (string, error) {
	t := &f.dyn.strings
	if !t.present {
		return "", &FormatError{Off: int64(f.dyn.off), Msg: "dynamic section has no DT_STRTAB"}
	}
	if t.hasSize && o >= t.size || t.addr+vaddr(o) < t.addr {
		return "", &FormatError{Off: int64(f.dyn.off), Msg: "string offset outside DT_STRSZ", Val: o}
	}
	start, err := f.offset(t.addr+vaddr(o), 1)
	if err != nil {
		return "", damage(f.dyn.off, "string table", err)
	}
	if f.names != nil {
		return f.names.at(o)
	}
	limit := int64(maxString)
	if t.hasSize {
		limit = int64(min(t.size-o, maxString))
	}
	text, err := f.untilNUL(start, limit)
	if err != nil {
		return "", err
	}
	if f.text += len(text); f.text > maxStrings {
		return "", &FormatError{Off: int64(start), Msg: "strings are longer than 4 MiB together"}
	}
	return text, nil
}

// untilNUL reads the string of less than limit bytes that begins at start.
func (f *file) untilNUL(start offset, limit int64) (string, error) {
	var text []byte
	for at := start; int64(len(text)) < limit; {
		// To the end of the page: strings of one table share pages, so this is rarely a read.
		n := min(pageSize-int64(at)%pageSize, f.size-int64(at), limit-int64(len(text)))
		if n <= 0 {
			break
		}
		b, err := f.read(at, n)
		if err != nil {
			return "", damage(at, "string table", err)
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			if text == nil {
				return f.pager.text(b[:i]), nil
			}
			return string(append(text, b[:i]...)), nil
		}
		text, at = append(text, b...), at+offset(n)
	}
	return "", &FormatError{Off: int64(start), Msg: "string does not end in NUL"}
}

// dynamicInfo fills the part of an Info that the dynamic section gives.
func (f *file) dynamicInfo(info *Info) error {
	for _, e := range f.dyn.entries {
		var into *string
		var list *[]string
		switch e.tag {
		case elf.DT_NEEDED:
			list = &info.Needed
		case elf.DT_FILTER:
			list = &info.Filter
		case elf.DT_AUXILIARY:
			list = &info.Auxiliary
		case elf.DT_SONAME:
			into = &info.Soname
		case elf.DT_RPATH:
			into, info.HasRPath = &info.RPath, true
		case elf.DT_RUNPATH:
			into, info.HasRunPath = &info.RunPath, true
		case dtAudit:
			into = &info.Audit
		case dtDepAudit:
			into = &info.DepAudit
		case elf.DT_SYMBOLIC:
			info.Symbolic = true
		case elf.DT_INIT_ARRAYSZ:
			info.Inits = int(min(e.val, maxDynamic)) / int(f.layout().word)
		case elf.DT_FLAGS:
			info.DynFlags = elf.DynFlag(e.val)
		case elf.DT_FLAGS_1:
			info.DynFlags1 = elf.DynFlag1(e.val)
		case elf.DT_TEXTREL:
			info.TextRel = true
		case elf.DT_DEBUG:
			info.Debug = true
		case dtRelr:
			info.Relr = true
		}
		if into == nil && list == nil {
			continue
		}
		s, err := f.str(e.val)
		if err != nil {
			return err
		}
		if list != nil {
			*list = append(*list, s)
		} else {
			*into = s
		}
	}
	if len(info.Filter)+len(info.Auxiliary) > 0 {
		info.order = f.dependencyOrder()
	}
	info.TextRel = info.TextRel || info.DynFlags&elf.DF_TEXTREL != 0
	info.Symbolic = info.Symbolic || info.DynFlags&elf.DF_SYMBOLIC != 0
	var err error
	if info.VerNeeds, err = f.verNeeds(); err != nil {
		return err
	}
	info.VerDefs, err = f.verDefs()
	return err
}
