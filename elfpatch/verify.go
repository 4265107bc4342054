package elfpatch

import (
	"debug/elf"
	"fmt"
	"slices"
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
	if err := p.checkDefects(f); err != nil {
		return err
	}
	return p.checkKept(f)
}

// checkDefects holds the result against the rules of Check. What is wrong with the input already is
// not this edit's; defects are told apart by what they say.
func (p *patch) checkDefects(f *file) error {
	after, err := f.check()
	if err != nil || len(after) == 0 {
		return err
	}
	before, err := p.file.check()
	if err != nil {
		return err
	}
	for _, d := range after {
		if !slices.ContainsFunc(before, func(o *FormatError) bool { return o.Msg == d.Msg }) {
			return fmt.Errorf("patched file: %w", d)
		}
	}
	return nil
}

// checkLayout holds the program headers against what the kernel (fs/binfmt_elf.c: load_elf_binary)
// and glibc (elf/dl-load.c: _dl_map_object_from_fd) demand of them.
func (f *file) checkLayout() error {
	var last Segment
	for _, s := range f.segments {
		if s.Type == elf.PT_LOAD && s.Memsz > 0 { // nothing of an empty one is mapped
			if err := f.checkLoad(s, last); err != nil {
				return err
			}
			last = s
		}
	}
	for _, t := range []elf.ProgType{elf.PT_DYNAMIC, elf.PT_INTERP, elf.PT_PHDR} {
		s := f.segment(t)
		if s == nil || s.Filesz == 0 {
			continue
		}
		if off, err := f.offset(vaddr(s.Vaddr), int64(min(s.Filesz, uint64(f.size)))); err != nil || uint64(off) != s.Off {
			return &FormatError{Off: max(int64(s.Off), 0), Msg: fmt.Sprintf("%v is not in a PT_LOAD", t)}
		}
	}
	return nil
}

// checkLoad checks one PT_LOAD; last is the one before it, if any. Where both have bytes of one page,
// the page of the second is mapped over the end of the first.
func (f *file) checkLoad(s, last Segment) error {
	bad := func(msg string) error {
		return &FormatError{Off: max(int64(s.Off), 0), Msg: "PT_LOAD " + msg, Val: s.Vaddr}
	}
	top := ^uint64(0)
	if f.class == elf.ELFCLASS32 {
		top = 1<<32 - 1
	}
	switch {
	case s.Vaddr < last.Vaddr+last.Memsz:
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
	case s.Filesz > 0 && (s.Vaddr-s.Off)&(minPage-1) != 0:
		return bad("offset and address differ modulo the page size")
	case s.Align&(minPage-1) != 0 && !f.isProgram():
		return bad("alignment is less than a page")
	case s.Filesz > 0 && last.Memsz > 0 && (last.Vaddr+last.Memsz-1)/minPage == s.Vaddr/minPage &&
		(s.Vaddr-s.Off != last.Vaddr-last.Off || last.Filesz < last.Memsz):
		return bad("is mapped over the end of the one before")
	}
	return nil
}

// checkKept checks that every PT_LOAD of the input is where it was; the read-only segment that an
// earlier edit appended is this package's own.
func (p *patch) checkKept(f *file) error {
	for i, s := range p.file.segments {
		if s.Type != elf.PT_LOAD || i == p.own || i == p.stubSegment() {
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
