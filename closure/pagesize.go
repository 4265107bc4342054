package closure

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// A kernel maps files in pages, whose size is its own choice: on aarch64 4, 16 (Raspberry Pi 5) or 64
// KiB. A file's segments fit some sizes and not others, by what its link editor was told.

// pageSizesOf are the page sizes beyond 4 KiB that some Linux machines use for programs of a kind.
// 32-bit Arm programs meet them on a 64-bit kernel only (Linux arch/arm64/Kconfig: COMPAT).
func pageSizesOf(machine elf.Machine) []uint64 {
	switch machine {
	case elf.EM_AARCH64:
		return []uint64{16 << 10, 64 << 10}
	case elf.EM_ARM, elf.EM_LOONGARCH:
		return []uint64{16 << 10}
	case elf.EM_PPC64:
		return []uint64{64 << 10}
	}
	return nil
}

// pageSizes finds objects that cannot be mapped.
func (a *audit) pageSizes() error {
	sizes, known := a.on.PageSizes, a.on.PageSizes != nil
	if !known {
		sizes = pageSizesOf(a.m.Program().Object.Info.Machine)
	}
	told := map[*Loaded]bool{} // what does not fit smaller pages
	for _, size := range slices.Sorted(slices.Values(sizes)) {
		if size == 0 {
			continue
		}
		f := Finding{
			Kind: KindPageSize, Severity: a.severity(known), Name: fmt.Sprintf("%d KiB pages", size>>10),
			Advice: "link them with -Wl,-z,max-page-size=65536, or let the machine start a kernel with 4 KiB pages" +
				" (Raspberry Pi 5: kernel=kernel8.img in config.txt)",
		}
		if !known && isRarePage(a.m.Program().Object.Info.Machine, size) {
			f.Severity = Note
		}
		var why string
		for _, l := range a.objects() {
			reason := a.misfit(l, size)
			if reason == "" || told[l] {
				continue
			}
			told[l] = true
			if f.Copies == nil {
				why = path.Base(l.Path) + " " + reason
			}
			f.Copies = append(f.Copies, Copy{Object: l.Object, Path: l.Path, Kept: true, Chains: chainOf(l)})
		}
		if f.Copies != nil {
			f.What = fmt.Sprintf("%d of %d files do not run where pages have %d KiB%s: %s",
				len(f.Copies), len(a.objects()), size>>10, pageMachine(size), why)
			a.add(f)
		}
	}
	return nil
}

// isRarePage reports whether hardly a machine has pages of a size for programs of a kind: 64 KiB, and more than 4 KiB
// for 32-bit Arm, whose distributions link for 4 KiB and so have no kernel of their own with larger ones.
func isRarePage(machine elf.Machine, size uint64) bool {
	return size > 16<<10 || machine == elf.EM_ARM
}

// pageMachine names who has pages of a size.
func pageMachine(size uint64) string {
	if size == 16<<10 {
		return " (Raspberry Pi 5)"
	}
	return ""
}

// misfit says why an object cannot be mapped in pages of a size; "" where it can. glibc up to 2.34
// looks at p_align too, in what it maps itself (elf/dl-load.c: _dl_map_object_from_fd).
func (a *audit) misfit(l *Loaded, page uint64) string {
	loader := a.m.Loader
	if a.on.Glibc != [2]int{} {
		loader.Version = a.on.Glibc
	}
	if loader.does(alignChecked) && l.By != nil {
		for _, s := range l.Object.Info.Segments {
			if s.Type == elf.PT_LOAD && s.Align%page != 0 {
				return fmt.Sprintf("says that its segments are aligned to %d bytes", s.Align)
			}
		}
	}
	return misfit(l.Object.Info, page)
}

func misfit(info *elfpatch.Info, page uint64) string {
	var before *elfpatch.Segment
	for i := range info.Segments {
		s := &info.Segments[i]
		if s.Type != elf.PT_LOAD {
			continue
		}
		// Linux fs/binfmt_elf.c: elf_map; glibc "ELF load command address/offset not page-aligned".
		if (s.Vaddr-s.Off)%page != 0 {
			return fmt.Sprintf("has a segment whose address %#x and offset %#x differ by no multiple of that", s.Vaddr, s.Off)
		}
		if before != nil && sharesPage(before, s, page) {
			return fmt.Sprintf("has segments at %#x and %#x that cannot share a page and would", before.Vaddr, s.Vaddr)
		}
		before = s
	}
	return relroMisfit(info, page)
}

// sharesPage reports whether the last page of a segment is lost to the one behind it, which is
// mapped over it: with other contents, over zeroes that are not in the file, or without the
// protection that the first one needs.
func sharesPage(first, second *elfpatch.Segment, page uint64) bool {
	end := first.Vaddr + first.Memsz
	if first.Memsz == 0 || end <= first.Vaddr || (end-1)/page < second.Vaddr/page {
		return false
	}
	return first.Vaddr-first.Off != second.Vaddr-second.Off || first.Memsz > first.Filesz || first.Flags&^second.Flags != 0
}

// relroMisfit: what becomes read-only after relocation begins at the start of a page, whatever is
// written there (glibc elf/dl-reloc.c: _dl_protect_relro; the end is rounded down).
func relroMisfit(info *elfpatch.Info, page uint64) string {
	for _, r := range info.Segments {
		start, end := r.Vaddr-r.Vaddr%page, (r.Vaddr+r.Memsz)/page*page
		if r.Type != elf.PT_GNU_RELRO || start >= end {
			continue
		}
		for _, s := range info.Segments {
			if s.Type == elf.PT_LOAD && s.Flags&elf.PF_W != 0 && s.Vaddr < r.Vaddr && s.Vaddr+s.Memsz > start {
				return fmt.Sprintf("has data below %#x that becomes read-only with what stands there", r.Vaddr)
			}
		}
	}
	return ""
}
