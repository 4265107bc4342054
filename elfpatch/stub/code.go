package stub

import (
	"debug/elf"
	_ "embed" // the bytes of src/stub.c
)

// Argv0Variable is the environment variable whose text becomes argv[0] of a program with a stub; the
// program does not see it.
const Argv0Variable = "NIXBUNDLE_ARGV0"

//go:embed x86_64.bin
var x86_64 []byte

//go:embed aarch64.bin
var aarch64 []byte

//go:embed arm.bin
var arm []byte

//go:embed riscv64.bin
var riscv64 []byte

// Code is the stub for a kind of program, nil where there is none: x86-64, AArch64, Arm (version 6
// and later, either float ABI) and 64-bit RISC-V, all little-endian. The bytes are shared: they must
// not be changed.
func Code(machine elf.Machine, class elf.Class, data elf.Data) []byte {
	if data != elf.ELFDATA2LSB {
		return nil
	}
	switch {
	case machine == elf.EM_ARM && class == elf.ELFCLASS32:
		return arm
	case class != elf.ELFCLASS64:
		return nil
	case machine == elf.EM_X86_64:
		return x86_64
	case machine == elf.EM_AARCH64:
		return aarch64
	case machine == elf.EM_RISCV:
		return riscv64
	}
	return nil
}
