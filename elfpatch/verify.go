package elfpatch

import (
	"debug/elf"
	"fmt"
)

// verify reads the result and holds it against the wish and the rules of the loader. A failure is
// a defect of this package: it is reported instead of a broken file.
func (p *patch) verify() error {
	f, err := open(p.img, p.img.Size())
	if err != nil {
		return fmt.Errorf("patched file: %w", err)
	}
	got, err := f.info()
	if err != nil {
		return fmt.Errorf("patched file: %w", err)
	}
	if fact := differs(got, p.want); fact != "" {
		return unsupported("the patched file would not say the %s asked for", fact)
	}
	if err := f.checkLayout(); err != nil {
		return fmt.Errorf("patched file: %w", err)
	}
	if err := f.checkTags(); err != nil {
		return fmt.Errorf("patched file: %w", err)
	}
	return p.checkKept(f)
}

// checkLayout holds the program headers against what the kernel (fs/binfmt_elf.c: load_elf_binary)
// and glibc (elf/dl-load.c: _dl_map_object_from_fd) demand of them.
func (f *file) checkLayout() error {
	var end uint64
	for _, s := range f.segments {
		if s.Type == elf.PT_LOAD {
			if err := f.checkLoad(s, end); err != nil {
				return err
			}
			end = s.Vaddr + s.Memsz
		}
	}
	for _, t := range []elf.ProgType{elf.PT_DYNAMIC, elf.PT_INTERP, elf.PT_PHDR} {
		s := f.segment(t)
		if s == nil {
			continue
		}
		if off, err := f.offset(vaddr(s.Vaddr), int64(min(s.Filesz, uint64(f.size)))); err != nil || uint64(off) != s.Off {
			return &FormatError{Off: int64(s.Off), Msg: fmt.Sprintf("%v is not in a PT_LOAD", t)}
		}
	}
	return nil
}

// checkLoad checks one PT_LOAD; the ones before it end at address end.
func (f *file) checkLoad(s Segment, end uint64) error {
	bad := func(msg string) error { return &FormatError{Off: int64(s.Off), Msg: "PT_LOAD " + msg, Val: s.Vaddr} }
	top := ^uint64(0)
	if f.class == elf.ELFCLASS32 {
		top = 1<<32 - 1
	}
	switch {
	case s.Vaddr < end:
		return bad("addresses overlap or do not ascend")
	case s.Filesz > s.Memsz:
		return bad("is longer in the file than in memory")
	case s.Off > uint64(f.size) || s.Filesz > uint64(f.size)-s.Off:
		return bad("lies outside the file")
	case s.Vaddr > top || s.Memsz > top-s.Vaddr:
		return bad("leaves the address space")
	case s.Align > 1 && s.Align&(s.Align-1) != 0:
		return bad("alignment is no power of two")
	case s.Align > 1 && (s.Vaddr-s.Off)&(s.Align-1) != 0:
		return bad("offset and address differ modulo its alignment")
	}
	return nil
}

// addressTags are the tags whose value is an address that the loader follows (gABI 5, d_ptr).
var addressTags = []elf.DynTag{
	elf.DT_HASH, dtGNUHash, elf.DT_STRTAB, elf.DT_SYMTAB, elf.DT_RELA, elf.DT_REL, dtRelr, elf.DT_JMPREL,
	elf.DT_VERSYM, elf.DT_VERNEED, elf.DT_VERDEF,
}

// checkTags checks that every table the loader reads lies in a segment.
func (f *file) checkTags() error {
	for _, tag := range addressTags {
		if v, ok := f.dyn.value(tag); ok && v != 0 {
			if _, err := f.offset(vaddr(v), 0); err != nil {
				return &FormatError{Off: int64(f.dyn.off), Msg: fmt.Sprintf("%v: %v", tag, err)}
			}
		}
	}
	return nil
}

// checkKept checks that every PT_LOAD of the input is where it was; the read-only segment that an
// earlier edit appended is this package's own.
func (p *patch) checkKept(f *file) error {
	for i, s := range p.file.segments {
		if s.Type != elf.PT_LOAD || i == p.own {
			continue
		}
		kept := false
		for _, t := range f.segments {
			kept = kept || t.Type == elf.PT_LOAD && t.Off == s.Off && t.Vaddr == s.Vaddr && t.Flags == s.Flags &&
				t.Align == s.Align && t.Filesz >= s.Filesz && t.Memsz >= s.Memsz
		}
		if !kept {
			return unsupported("the patched file would not keep the PT_LOAD at %#x", s.Vaddr)
		}
	}
	return nil
}
