package elfpatch

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// ArmAttributes are build attributes of a 32-bit Arm file: what its code was compiled for (Addenda
// to, and Errata in, the ABI for the Arm Architecture, "Build Attributes"). A link editor keeps the
// most that any part asks for, code that is chosen at run time included.
type ArmAttributes struct {
	CPUArch  uint64 // Tag_CPU_arch: 6 v6, 9 v6K, 10 v7, 14 v8-A
	FPArch   uint64 // Tag_FP_arch: 2 VFPv2, 3 VFPv3, 4 VFPv3-D16, 5 VFPv4, 7 that of v8-A
	SIMDArch uint64 // Tag_Advanced_SIMD_arch: 0 none, else NEON
	VFPArgs  uint64 // Tag_ABI_VFP_args: 1 means the hard-float calling convention
}

const (
	shtARMAttributes = elf.SectionType(0x70000003)
	maxAttributes    = 1 << 16 // bytes; real ones are under a hundred
)

// armAttributes reads .ARM.attributes, nil where there is none. It is a section only: nothing that
// runs the file reads it, so a damaged one is none.
func (f *file) armAttributes() *ArmAttributes {
	if f.machine != elf.EM_ARM {
		return nil
	}
	for _, s := range decodeSections(f.pager, &f.header) {
		if elf.SectionType(s.typ) != shtARMAttributes || s.size > maxAttributes {
			continue
		}
		b, err := f.read(s.off, int64(s.size))
		if err != nil || len(b) == 0 || b[0] != 'A' {
			return nil
		}
		return f.parseAttributes(b[1:])
	}
	return nil
}

// parseAttributes goes through the subsections, each a length, a vendor's name and its attributes.
func (h *header) parseAttributes(b []byte) *ArmAttributes {
	for len(b) >= 4 {
		n := h.order.Uint32(b)
		if n < 4 || uint64(n) > uint64(len(b)) {
			return nil
		}
		vendor, rest, ok := bytes.Cut(b[4:n], []byte{0})
		if b = b[n:]; ok && string(vendor) == "aeabi" {
			return h.fileAttributes(rest)
		}
	}
	return nil
}

// fileAttributes takes the part that is about the whole file (Tag_File).
func (h *header) fileAttributes(b []byte) *ArmAttributes {
	const tagFile = 1
	for len(b) >= 5 {
		n := h.order.Uint32(b[1:])
		if n < 5 || uint64(n) > uint64(len(b)) {
			return nil
		}
		if b[0] == tagFile {
			return attributes(b[5:n])
		}
		b = b[n:]
	}
	return nil
}

// attributes reads tags and values, which are numbers or, by the tag, strings.
func attributes(b []byte) *ArmAttributes {
	const compatibility, firstGeneric = 32, 32
	a := &ArmAttributes{}
	into := map[uint64]*uint64{6: &a.CPUArch, 10: &a.FPArch, 12: &a.SIMDArch, 28: &a.VFPArgs}
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return a
		}
		b = b[n:]
		text := tag == 4 || tag == 5 || tag > firstGeneric && tag%2 == 1 // CPU_raw_name, CPU_name
		if !text {
			value, n := binary.Uvarint(b)
			if n <= 0 {
				return a
			}
			if b = b[n:]; into[tag] != nil {
				*into[tag] = value
			}
		}
		if text || tag == compatibility {
			_, b, _ = bytes.Cut(b, []byte{0})
		}
	}
	return a
}
