package elfpatch

import (
	"debug/elf"
	"math/bits"
)

// X86Level is the micro-architecture level that a file for x86 says it needs: 2 for x86-64-v2 and so
// on, 0 where it says nothing. ld.so refuses the file on a processor that has less (x86-64 psABI,
// GNU_PROPERTY_X86_ISA_1_NEEDED; glibc sysdeps/x86/dl-prop.h: dl_isa_level_check).
func (i *Info) X86Level() int {
	const (
		typeProperties = 5 // NT_GNU_PROPERTY_TYPE_0
		isaNeeded      = 0xc0008002
	)
	if i.Machine != elf.EM_X86_64 && i.Machine != elf.EM_386 {
		return 0
	}
	level := 0
	for _, n := range i.Notes {
		if n.Name == "GNU" && n.Type == typeProperties {
			level = max(level, bits.Len32(i.property(n.Desc, isaNeeded)))
		}
	}
	return level
}

// property is the value of a property of four bytes; 0 where it is not there. Properties are padded
// to the size of an address (Linux Extensions to gABI, ".note.gnu.property").
func (i *Info) property(b []byte, want uint32) uint32 {
	h := header{class: i.Class, data: i.Data}
	align := uint64(h.layout().word)
	for len(b) >= 8 {
		typ, size := h.get32(b), uint64(h.get32(b[4:]))
		b = b[8:]
		if size > uint64(len(b)) {
			return 0
		}
		if typ == want && size == 4 {
			return h.get32(b)
		}
		b = b[min(uint64(len(b)), (size+align-1)&^(align-1)):]
	}
	return 0
}
