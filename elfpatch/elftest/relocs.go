package elftest

import "debug/elf"

// gotHead is how many words of .got belong to the loader (DT_PLTGOT).
const gotHead = 3

// addRelocs adds the relocation tables: .rel.dyn, or .rela.dyn, and .rel.plt for jump slots.
func (w *writer) addRelocs() {
	_, _, _, _, word := w.sizes()
	data, plt := w.relocs()
	name, typ, size := ".rela", elf.SHT_RELA, 3*word
	if w.rel {
		name, typ, size = ".rel", elf.SHT_REL, 2*word
	}
	for _, t := range []struct {
		name string
		data []byte
	}{{name + ".dyn", data}, {name + ".plt", plt}} {
		w.add(part{
			name: t.name, typ: typ, flags: elf.SHF_ALLOC, link: ".dynsym", align: word, entsize: size, data: t.data,
		})
	}
}

// relocs encodes one relocation for each of Symbol.Relocs; slots of .got come in the same order.
func (w *writer) relocs() (data, plt []byte) {
	_, _, _, _, word := w.sizes()
	got := w.old(".got").addr + gotHead*word
	for i, s := range w.symbols {
		for _, typ := range s.Relocs {
			place := got
			if typ == w.copy && w.copy != 0 {
				place, _ = w.definition(i)
			} else {
				got += word
			}
			if typ == w.slot {
				plt = w.reloc(plt, place, i+1, typ)
			} else {
				data = w.reloc(data, place, i+1, typ)
			}
		}
	}
	return data, plt
}

func (w *writer) reloc(b []byte, place uint64, symbol int, typ uint32) []byte {
	info := uint64(symbol)<<8 | uint64(typ)
	if w.is64() {
		info = uint64(symbol)<<32 | uint64(typ)
	}
	if b = w.word(b, place, info); !w.rel {
		b = w.word(b, 0)
	}
	return b
}

// relocEntries are the entries of the dynamic section for the relocations.
func (w *writer) relocEntries() []Dyn {
	name, tag := ".rela", elf.DT_RELA
	if w.rel {
		name, tag = ".rel", elf.DT_REL
	}
	var entries []Dyn
	if p := w.old(name + ".plt"); p.name != "" {
		entries = append(entries, Dyn{Tag: elf.DT_PLTGOT, Val: w.old(".got").addr},
			Dyn{Tag: elf.DT_PLTRELSZ, Val: p.memsz()}, Dyn{Tag: elf.DT_PLTREL, Val: uint64(tag)},
			Dyn{Tag: elf.DT_JMPREL, Val: p.addr})
	}
	if p := w.old(name + ".dyn"); p.name != "" {
		// DT_RELASZ and DT_RELAENT follow DT_RELA, and so it is with DT_REL.
		entries = append(entries, Dyn{Tag: tag, Val: p.addr}, Dyn{Tag: tag + 1, Val: p.memsz()},
			Dyn{Tag: tag + 2, Val: p.entsize})
	}
	return entries
}

// addData adds what is written at run time: .got, the objects, and the room of thread-local ones.
func (w *writer) addData() {
	_, _, _, _, word := w.sizes()
	slots := uint64(0)
	for _, s := range w.symbols {
		slots += uint64(len(s.Relocs))
	}
	if slots > 0 {
		w.add(part{
			name: ".got", typ: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC | elf.SHF_WRITE, align: word,
			entsize: word, data: make([]byte, (gotHead+slots)*word),
		})
	}
	end := len(w.symbols)
	w.add(part{
		name: ".data", typ: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC | elf.SHF_WRITE, align: 16,
		data: make([]byte, w.room(end, ".data")),
	})
	w.add(part{
		name: ".tbss", typ: elf.SHT_NOBITS, flags: elf.SHF_ALLOC | elf.SHF_WRITE | elf.SHF_TLS, align: 16,
		size: w.room(end, ".tbss"),
	})
}

// text is the code: the program's entry, then one return for each function.
func (w *writer) text() []byte {
	b := []byte{}
	if w.isProgram() {
		b = pad(append(b, or(w.exit, "\x00")...), 16)
	}
	if w.Static {
		return b
	}
	size := w.room(len(w.symbols), ".text")
	for uint64(len(b)) < size {
		b = pad(append(b, or(w.ret, "\x00")...), 16)
	}
	return b
}

// room is where the definition of symbol n stands in the part it is at home in: after those of all
// symbols before it.
func (w *writer) room(n int, home string) uint64 {
	var at uint64
	if home == ".text" && w.isProgram() {
		at = alignUp(max(uint64(len(w.exit)), 1), 16)
	}
	for _, s := range w.symbols[:n] {
		if !s.Undefined && s.home() == home {
			at += alignUp(max(s.Size, 1), 16)
		}
	}
	return at
}
