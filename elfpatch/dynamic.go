package elfpatch

import (
	"debug/elf"
)

// Tags that debug/elf does not name or that it names for one system only (glibc elf/elf.h).
const (
	dtRelrSz  = elf.DynTag(35)
	dtRelr    = elf.DynTag(36)
	dtFilter  = elf.DynTag(0x7fffffff)
	dtAux     = elf.DynTag(0x7ffffffd)
	dtGNUHash = elf.DynTag(0x6ffffef5)
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
}

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

// readDynamic decodes PT_DYNAMIC. The loader finds it by address, so we do (glibc
// elf/dl-load.c: _dl_map_object_from_fd, l_ld); it ends at DT_NULL, or here at the segment's end.
func (f *file) readDynamic() (dynamic, error) {
	s := f.segment(elf.PT_DYNAMIC)
	if s == nil {
		return dynamic{}, nil
	}
	size := f.layout().dyn
	n := int64(min(s.Filesz, uint64(f.size))) / size
	off, err := f.offset(vaddr(s.Vaddr), n*size)
	if err != nil {
		return dynamic{}, &FormatError{Off: int64(s.Off), Msg: "PT_DYNAMIC: " + err.Error()}
	}
	table, err := f.read(off, n*size)
	if err != nil {
		return dynamic{}, &FormatError{Off: int64(off), Msg: "PT_DYNAMIC lies outside the file"}
	}
	d := dynamic{present: true, off: off, addr: vaddr(s.Vaddr), room: int(n)}
	for ; len(table) > 0; table = table[size:] {
		e := f.dynEntry(table)
		if e.tag == elf.DT_NULL {
			return d, nil
		}
		d.entries = append(d.entries, e)
	}
	return dynamic{}, &FormatError{Off: int64(off), Msg: "dynamic section does not end in DT_NULL", Val: n}
}

// dynEntry decodes one entry; tags are signed (gABI 5: d_tag is Elf32_Sword, Elf64_Sxword).
func (h *header) dynEntry(b []byte) dynEntry {
	if h.class == elf.ELFCLASS32 {
		return dynEntry{elf.DynTag(int32(h.order.Uint32(b))), uint64(h.order.Uint32(b[4:]))}
	}
	return dynEntry{elf.DynTag(h.order.Uint64(b)), h.order.Uint64(b[8:])}
}

// word decodes an address-sized number.
func (h *header) word(b []byte) uint64 {
	if h.class == elf.ELFCLASS32 {
		return uint64(h.order.Uint32(b))
	}
	return h.order.Uint64(b)
}

// maxString bounds one string of the dynamic string table.
const maxString = 1 << 20

// str reads the string at offset o of the dynamic string table (DT_STRTAB).
func (f *file) str(o uint64) (string, error) {
	base, ok := f.dyn.value(elf.DT_STRTAB)
	if !ok {
		return "", &FormatError{Off: int64(f.dyn.off), Msg: "dynamic section has no DT_STRTAB"}
	}
	size, hasSize := f.dyn.value(elf.DT_STRSZ)
	if hasSize && o >= size {
		return "", &FormatError{Off: int64(f.dyn.off), Msg: "string offset outside DT_STRSZ", Val: o}
	}
	start, err := f.offset(vaddr(base+o), 1)
	if err != nil {
		return "", &FormatError{Off: int64(f.dyn.off), Msg: "string table: " + err.Error(), Val: o}
	}
	limit := int64(maxString)
	if hasSize {
		limit = min(limit, int64(min(size-o, maxString)))
	}
	var text []byte
	for at := start; int64(len(text)) < limit; {
		// To the end of the page: strings of one table share pages, so this is rarely a read.
		n := min(pageSize-int64(at)%pageSize, f.size-int64(at), limit-int64(len(text)))
		b, err := f.read(at, n)
		if err != nil || n == 0 {
			break
		}
		for i, c := range b {
			if c == 0 {
				return string(append(text, b[:i]...)), nil
			}
		}
		text, at = append(text, b...), at+offset(n)
	}
	return "", &FormatError{Off: int64(start), Msg: "string does not end in NUL", Val: o}
}

// dynamicInfo fills the part of an Info that the dynamic section gives.
func (f *file) dynamicInfo(info *Info) error {
	for _, e := range f.dyn.entries {
		var into *string
		var list *[]string
		switch e.tag {
		case elf.DT_NEEDED:
			list = &info.Needed
		case dtFilter:
			list = &info.Filter
		case dtAux:
			list = &info.Auxiliary
		case elf.DT_SONAME:
			into = &info.Soname
		case elf.DT_RPATH:
			into, info.HasRPath = &info.RPath, true
		case elf.DT_RUNPATH:
			into, info.HasRunPath = &info.RunPath, true
		case elf.DT_FLAGS:
			info.DynFlags = elf.DynFlag(e.val)
		case elf.DT_FLAGS_1:
			info.DynFlags1 = elf.DynFlag1(e.val)
		case elf.DT_TEXTREL:
			info.TextRel = true
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
	info.TextRel = info.TextRel || info.DynFlags&elf.DF_TEXTREL != 0
	var err error
	if info.VerNeeds, err = f.verNeeds(); err != nil {
		return err
	}
	info.VerDefs, err = f.verDefs()
	return err
}
