package elftest

import "debug/elf"

// machine is what differs from one machine to the next.
type machine struct {
	class elf.Class
	data  elf.Data
	flags uint32
	page  uint64 // the linker's usual p_align
	rel   bool   // relocations are Rel, not Rela
	slot  uint32 // R_*_JUMP_SLOT
	copy  uint32 // R_*_COPY
	exit  string // code: exit(0)
	ret   string // code: return
}

func machineOf(m elf.Machine) machine {
	usual := machine{class: elf.ELFCLASS64, data: elf.ELFDATA2LSB, page: 0x1000}
	switch m {
	case elf.EM_X86_64:
		usual.slot, usual.copy = uint32(elf.R_X86_64_JMP_SLOT), uint32(elf.R_X86_64_COPY)
		usual.exit, usual.ret = "\x31\xff\xb8\x3c\x00\x00\x00\x0f\x05", "\x31\xc0\xc3"
	case elf.EM_386:
		usual.class, usual.rel = elf.ELFCLASS32, true
		usual.slot, usual.copy = uint32(elf.R_386_JMP_SLOT), uint32(elf.R_386_COPY)
		usual.exit, usual.ret = "\x31\xdb\xb8\x01\x00\x00\x00\xcd\x80", "\x31\xc0\xc3"
	case elf.EM_AARCH64:
		usual.page = 0x10000
		usual.slot, usual.copy = uint32(elf.R_AARCH64_JUMP_SLOT), uint32(elf.R_AARCH64_COPY)
		usual.exit, usual.ret = "\x00\x00\x80\xd2\xa8\x0b\x80\xd2\x01\x00\x00\xd4", "\xc0\x03\x5f\xd6"
	case elf.EM_ARM:
		usual.class, usual.rel, usual.page, usual.flags = elf.ELFCLASS32, true, 0x10000, 0x05000400
		usual.slot, usual.copy = uint32(elf.R_ARM_JUMP_SLOT), uint32(elf.R_ARM_COPY)
		usual.exit, usual.ret = "\x00\x00\xa0\xe3\x01\x70\xa0\xe3\x00\x00\x00\xef", "\x1e\xff\x2f\xe1"
	case elf.EM_RISCV:
		usual.flags = 5
		usual.slot, usual.copy = uint32(elf.R_RISCV_JUMP_SLOT), uint32(elf.R_RISCV_COPY)
		usual.exit, usual.ret = "\x13\x05\x00\x00\x93\x08\xd0\x05\x73\x00\x00\x00", "\x67\x80\x00\x00"
	case elf.EM_S390:
		usual.data, usual.slot = elf.ELFDATA2MSB, uint32(elf.R_390_JMP_SLOT)
	case elf.EM_MIPS, elf.EM_PPC, elf.EM_SPARC:
		usual.class, usual.data, usual.rel = elf.ELFCLASS32, elf.ELFDATA2MSB, m == elf.EM_MIPS
	case elf.EM_PPC64:
		usual.page, usual.flags, usual.slot = 0x10000, 2, uint32(elf.R_PPC64_JMP_SLOT)
	}
	return usual
}

// hashWord is the size of one entry of DT_HASH: 4, but 8 on two 64-bit machines (glibc
// sysdeps/s390/s390-64/bits/elfclass.h and sysdeps/alpha/bits/elfclass.h, Elf_Symndx).
func hashWord(class elf.Class, m elf.Machine) int {
	if class == elf.ELFCLASS64 && (m == elf.EM_S390 || m == elf.EM_ALPHA) {
		return 8
	}
	return 4
}
