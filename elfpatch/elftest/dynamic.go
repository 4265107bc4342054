package elftest

import "debug/elf"

// Tags that debug/elf has no name for.
const (
	dtGNUHash   elf.DynTag = 0x6ffffef5
	dtFilter    elf.DynTag = 0x7fffffff
	dtAuxiliary elf.DynTag = 0x7ffffffd
)

// dynamic is the dynamic section, in the order in which binutils writes it.
func (w *writer) dynamic() []byte {
	entries := w.names()
	entries = append(entries, w.tableEntries()...)
	entries = append(entries, w.relocEntries()...)
	if w.DynFlags != 0 {
		entries = append(entries, Dyn{Tag: elf.DT_FLAGS, Val: uint64(w.DynFlags)})
	}
	if w.DynFlags1 != 0 {
		entries = append(entries, Dyn{Tag: elf.DT_FLAGS_1, Val: uint64(w.DynFlags1)})
	}
	entries = append(entries, w.Dyn...)
	entries = append(entries, make([]Dyn, 1+w.Spare)...)
	var b []byte
	for _, e := range entries {
		if e.Str != "" {
			e.Val = uint64(w.str(e.Str))
		}
		b = w.word(b, uint64(e.Tag), e.Val)
	}
	return b
}

// names are the entries with strings.
func (w *writer) names() []Dyn {
	var entries []Dyn
	list := func(tag elf.DynTag, values ...string) {
		for _, v := range values {
			entries = append(entries, Dyn{Tag: tag, Str: v})
		}
	}
	list(elf.DT_NEEDED, w.Needed...)
	list(dtFilter, w.Filter...)
	list(dtAuxiliary, w.Auxiliary...)
	if w.Soname != "" {
		list(elf.DT_SONAME, w.Soname)
	}
	if w.HasRPath || w.RPath != "" {
		list(elf.DT_RPATH, w.RPath)
	}
	if w.HasRunPath || w.RunPath != "" {
		list(elf.DT_RUNPATH, w.RunPath)
	}
	return entries
}

// tableEntries are the entries that tell where the tables are.
func (w *writer) tableEntries() []Dyn {
	_, _, _, sym, _ := w.sizes()
	var entries []Dyn
	table := func(tag elf.DynTag, name string) {
		if w.index(name) != 0 {
			entries = append(entries, Dyn{Tag: tag, Val: w.old(name).addr})
		}
	}
	table(elf.DT_HASH, ".hash")
	table(dtGNUHash, ".gnu.hash")
	table(elf.DT_STRTAB, ".dynstr")
	table(elf.DT_SYMTAB, ".dynsym")
	entries = append(entries, Dyn{Tag: elf.DT_STRSZ, Val: uint64(len(w.strings))}, Dyn{Tag: elf.DT_SYMENT, Val: sym})
	if w.isProgram() {
		entries = append(entries, Dyn{Tag: elf.DT_DEBUG})
	}
	table(elf.DT_VERSYM, ".gnu.version")
	table(elf.DT_VERDEF, ".gnu.version_d")
	if w.index(".gnu.version_d") != 0 {
		entries = append(entries, Dyn{Tag: elf.DT_VERDEFNUM, Val: uint64(w.old(".gnu.version_d").info)})
	}
	table(elf.DT_VERNEED, ".gnu.version_r")
	if w.index(".gnu.version_r") != 0 {
		entries = append(entries, Dyn{Tag: elf.DT_VERNEEDNUM, Val: uint64(w.old(".gnu.version_r").info)})
	}
	return entries
}
