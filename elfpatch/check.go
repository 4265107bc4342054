package elfpatch

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Check holds the ELF file src of size bytes against what the kernel (Linux fs/binfmt_elf.c) and the
// loader (glibc elf/dl-load.c, elf/dl-version.c, elf/rtld.c) demand of a file that they map: where
// segments lie, that every table the loader reads lies in one, and that the tables agree with each
// other. Each defect is a FormatError with its offset, in the order of the rules; a sound file has
// none. [Apply] holds each of its results against the same rules.
//
// The rules are those of all page sizes: what only some kernels can map is no defect. Object files,
// core files and separate debug files are not mapped, so they have none. Check does not read
// relocations or code. The error is of reading src, or ErrNotELF.
func Check(src io.ReaderAt, size int64) ([]*FormatError, error) {
	f, err := open(src, size)
	if err == nil {
		_, err = f.info()
	}
	var damaged *FormatError
	switch {
	case errors.As(err, &damaged):
		return []*FormatError{damaged}, nil
	case err != nil:
		return nil, err
	}
	return f.check()
}

// checker collects what is wrong with one file.
type checker struct {
	*file
	defects []*FormatError
	err     error // a failure to read
}

// check is Check of a file that Read accepts.
func (f *file) check() ([]*FormatError, error) {
	c := &checker{file: f}
	if !f.isMapped() {
		return nil, nil
	}
	rules := []func(*checker){
		(*checker).loads, (*checker).ident, (*checker).headers, (*checker).single, (*checker).thread, (*checker).relro,
		(*checker).property,
	}
	if f.dyn.present {
		rules = append(rules, (*checker).dynamicSection, (*checker).tables, (*checker).strings, (*checker).sysvHash,
			(*checker).gnuHash, (*checker).versions)
	}
	for _, rule := range append(rules, (*checker).sections) {
		rule(c)
	}
	return c.defects, c.err
}

// isMapped reports whether kernel or loader map the file: a program or a shared object, and not what
// is left of one in a separate debug file, whose PT_DYNAMIC or PT_LOADs have no content.
func (f *file) isMapped() bool {
	if f.typ != elf.ET_EXEC && f.typ != elf.ET_DYN || f.segment(elf.PT_DYNAMIC) != nil && !f.dyn.present {
		return false
	}
	return f.phnum == 0 || slices.ContainsFunc(f.segments, func(s Segment) bool {
		return s.Type == elf.PT_LOAD && s.Filesz > 0
	})
}

// loads checks the PT_LOADs, as every edit does before it begins.
func (c *checker) loads() {
	var defect *FormatError
	if errors.As(c.checkLayout(), &defect) {
		c.defects = append(c.defects, defect)
	}
}

// wrong notes a defect.
func (c *checker) wrong(off offset, format string, args ...any) {
	c.defects = append(c.defects, &FormatError{Off: max(int64(off), 0), Msg: fmt.Sprintf(format, args...)})
}

// failed notes why something could not be read: a defect, or a failure of the source.
func (c *checker) failed(off offset, what string, err error) bool {
	if err == nil {
		return false
	}
	var defect *FormatError
	if errors.As(damage(off, what, err), &defect) {
		c.defects = append(c.defects, defect)
	} else {
		c.err = firstError(c.err, err)
	}
	return true
}

// ident checks the identification as glibc does of what it maps itself: elf/dl-load.c: open_verify.
func (c *checker) ident() {
	b, err := c.read(0, elf.EI_NIDENT+8)
	if c.failed(0, "ELF header", err) {
		return
	}
	if b[elf.EI_VERSION] != byte(elf.EV_CURRENT) || c.order.Uint32(b[elf.EI_NIDENT+4:]) != uint32(elf.EV_CURRENT) {
		c.wrong(elf.EI_VERSION, "the ELF version is not 1")
	}
	if c.isProgram() {
		return
	}
	for i, pad := range b[elf.EI_PAD:elf.EI_NIDENT] {
		if pad != 0 {
			c.wrong(offset(elf.EI_PAD+i), "nonzero padding in e_ident")
			break
		}
	}
}

// isProgram reports whether the kernel starts the file.
func (f *file) isProgram() bool { return f.typ == elf.ET_EXEC || f.segment(elf.PT_INTERP) != nil }

// headers checks the program header table: its size (Linux fs/binfmt_elf.c: load_elf_phdrs), and that
// a loader finds it in memory. AT_PHDR is right on every kernel only where the table lies as the
// first PT_LOAD does: before Linux 5.18 it was that segment's address plus e_phoff. Of a program the
// loader learns the load address by PT_PHDR (glibc elf/rtld.c: rtld_setup_main_map).
func (c *checker) headers() {
	const most = 1 << 16
	table := extent{c.phoff, c.phoff + offset(int64(c.phnum)*c.layout().phdr)}
	if table.size() > most {
		c.wrong(c.phoff, "the program header table has %d bytes, the kernel takes %d", table.size(), most)
	}
	first, holder := c.segment(elf.PT_LOAD), c.holder(table)
	phdr, loads := (*Segment)(nil), false
	for i, s := range c.segments {
		switch {
		case s.Type == elf.PT_PHDR && loads:
			c.wrong(c.phoff, "PT_PHDR stands behind a PT_LOAD")
			phdr = &c.segments[i]
		case s.Type == elf.PT_PHDR:
			phdr = &c.segments[i]
		}
		loads = loads || s.Type == elf.PT_LOAD
	}
	if first == nil || holder == nil {
		if c.segment(elf.PT_INTERP) != nil || phdr != nil {
			c.wrong(c.phoff, "no PT_LOAD holds the program headers")
		}
		return
	}
	if c.segment(elf.PT_INTERP) != nil && holder.Vaddr-holder.Off != first.Vaddr-first.Off {
		c.wrong(c.phoff, "the program headers do not lie as the first PT_LOAD does: kernels before 5.18 do not find them")
	}
	if phdr != nil && (phdr.Off != uint64(c.phoff) || phdr.Vaddr-phdr.Off != holder.Vaddr-holder.Off ||
		phdr.Memsz < uint64(table.size())) {
		c.wrong(offset(phdr.Off), "PT_PHDR is not where the program headers are")
	}
}

// holder is the PT_LOAD that holds a range of the file, or nil.
func (f *file) holder(e extent) *Segment {
	for i := range f.segments {
		s := &f.segments[i]
		if s.Type == elf.PT_LOAD && offset(s.Off) <= e.from && e.to <= offset(s.Off+s.Filesz) {
			return s
		}
	}
	return nil
}

// single checks that there is one of what there may be one of (gABI 5, p_type).
func (c *checker) single() {
	for _, t := range []elf.ProgType{elf.PT_INTERP, elf.PT_PHDR, elf.PT_DYNAMIC, elf.PT_TLS} {
		n := 0
		for _, s := range c.segments {
			if s.Type == t {
				n++
			}
		}
		if n > 1 {
			c.wrong(c.phoff, "%d headers %v", n, t)
		}
	}
}

// thread checks PT_TLS: its image is copied for each thread (glibc csu/libc-tls.c, elf/dl-tls.c).
func (c *checker) thread() {
	s := c.segment(elf.PT_TLS)
	switch {
	case s == nil || s.Memsz == 0:
	case s.Filesz > s.Memsz:
		c.wrong(offset(s.Off), "PT_TLS is longer in the file than in memory")
	case s.Align&(s.Align-1) != 0:
		c.wrong(offset(s.Off), "PT_TLS alignment is no power of two")
	case s.Filesz > 0 && !c.mapped(s.Vaddr, s.Filesz):
		c.wrong(offset(s.Off), "PT_TLS is not in a PT_LOAD")
	}
}

// mapped reports whether one PT_LOAD holds n bytes at an address, in memory.
func (f *file) mapped(at, n uint64) bool {
	return slices.ContainsFunc(f.segments, func(s Segment) bool {
		return s.Type == elf.PT_LOAD && s.Vaddr <= at && at-s.Vaddr <= s.Memsz && n <= s.Memsz-(at-s.Vaddr)
	})
}
