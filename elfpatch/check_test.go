package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

func defects(t testing.TB, b []byte) (list []string) {
	t.Helper()
	found, err := elfpatch.Check(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	for _, d := range found {
		list = append(list, d.Error())
	}
	return list
}

// checkDefects checks that an edit made no defect that the file had not.
func checkDefects(t testing.TB, what string, in, out []byte) {
	t.Helper()
	old, _ := elfpatch.Check(bytes.NewReader(in), int64(len(in)))
	found, err := elfpatch.Check(bytes.NewReader(out), int64(len(out)))
	require.NoError(t, err, what)
	for _, d := range found {
		if !slices.ContainsFunc(old, func(o *elfpatch.FormatError) bool { return o.Msg == d.Msg }) {
			t.Fatalf("%s: the edit made a defect: %v", what, d)
		}
	}
}

// Sound files have no defect: those of elftest, and this machine's own.
func TestCheckSound(t *testing.T) {
	for name, b := range fixtures() {
		require.Empty(t, defects(t, b), name)
	}
	n := 300
	if os.Getenv("NIXBUNDLE_FULL") != "" {
		n = 1 << 20
	}
	for _, name := range realFiles(t, n) {
		f, size := openFile(t, name)
		found, err := elfpatch.Check(f, size)
		require.NoError(t, err, name)
		require.Empty(t, found, name)
		f.Close()
	}
}

// breaker damages a file of 64 bits and little endian.
type breaker struct {
	t testing.TB
	b []byte
}

// header is where the first program header of that type stands, the n-th of them.
func (k breaker) header(typ elf.ProgType, n int) []byte {
	for at := k.b[le.Uint64(k.b[32:]):]; ; at = at[56:] {
		if elf.ProgType(le.Uint32(at)) == typ {
			if n--; n < 0 {
				return at
			}
		}
	}
}

// Further fields of a program header.
const pFlags, pAlign = 4, 48

func (k breaker) set(typ elf.ProgType, n, field int, v uint64) {
	le.PutUint64(k.header(typ, n)[field:], v)
}

func (k breaker) get(typ elf.ProgType, n, field int) uint64 {
	return le.Uint64(k.header(typ, n)[field:])
}

// entry is the entry of a tag in the dynamic section.
func (k breaker) entry(tag elf.DynTag) []byte {
	for at := k.b[k.get(elf.PT_DYNAMIC, 0, pOffset):]; ; at = at[16:] {
		if elf.DynTag(le.Uint64(at)) == tag {
			return at
		}
	}
}

func (k breaker) setDyn(tag elf.DynTag, v uint64) { le.PutUint64(k.entry(tag)[8:], v) }

// table is what the address of a tag leads to; elftest puts it at that offset in the first segment.
func (k breaker) table(tag elf.DynTag) []byte { return k.b[le.Uint64(k.entry(tag)[8:]):] }

// One row for each rule. The file is a program, which is broken in one way.
var defectRows = []struct {
	name  string
	spoil func(k breaker)
	want  string
}{
	{"version of ELF", func(k breaker) { k.b[20] = 2 }, "version is not 1"},
	{"loads_descend", func(k breaker) { k.set(elf.PT_LOAD, 1, pVaddr, 0) }, "do not ascend"},
	{"load_longer_in_file", func(k breaker) { k.set(elf.PT_LOAD, 0, pMemsz, 1) }, "longer in the file"},
	{"load_outside_file", func(k breaker) {
		k.set(elf.PT_LOAD, 2, pFilesz, 1<<40)
		k.set(elf.PT_LOAD, 2, pMemsz, 1<<40)
	}, "outside the file"},
	{"load_out_of_address_space", func(k breaker) { k.set(elf.PT_LOAD, 2, pMemsz, ^uint64(0)) }, "leaves the address space"},
	{"align_no_power", func(k breaker) { k.set(elf.PT_LOAD, 0, pAlign, 0x3000) }, "no power of two"},
	{"align_not_congruent", func(k breaker) { k.set(elf.PT_LOAD, 1, pAlign, 1<<30) }, "modulo its alignment"},
	{"page_not_congruent", func(k breaker) {
		k.set(elf.PT_LOAD, 1, pAlign, 1)
		k.set(elf.PT_LOAD, 1, pVaddr, k.get(elf.PT_LOAD, 1, pVaddr)+1)
	}, "modulo the page size"},
	{"loads_share_a_page", func(k breaker) {
		k.set(elf.PT_LOAD, 0, pMemsz, k.get(elf.PT_LOAD, 1, pVaddr)&^4095+1)
	}, "over the end of the one before"},
	{"interp_elsewhere", func(k breaker) { k.set(elf.PT_INTERP, 0, pVaddr, 1<<40) }, "PT_INTERP is not in a PT_LOAD"},
	{"interp_twice", func(k breaker) { le.PutUint32(k.header(elf.PT_NOTE, 0), uint32(elf.PT_INTERP)) }, "2 headers PT_INTERP"},
	{"phdr_elsewhere", func(k breaker) {
		k.set(elf.PT_PHDR, 0, pOffset, 0)
		k.set(elf.PT_PHDR, 0, pVaddr, 0)
	}, "PT_PHDR is not where"},
	{"phdr_behind_load", func(k breaker) {
		a, b := bytes.Clone(k.header(elf.PT_PHDR, 0)[:56]), k.header(elf.PT_GNU_STACK, 0)
		copy(k.header(elf.PT_PHDR, 0), b[:56])
		copy(b, a)
	}, "behind a PT_LOAD"},
	{"tls_longer_in_file", func(k breaker) { k.set(elf.PT_TLS, 0, pFilesz, 1<<20) }, "PT_TLS is longer"},
	{"tls_align", func(k breaker) { k.set(elf.PT_TLS, 0, pAlign, 3) }, "PT_TLS alignment"},
	{"relro_beyond", func(k breaker) {
		le.PutUint32(k.header(elf.PT_NOTE, 0), uint32(elf.PT_GNU_RELRO))
		k.set(elf.PT_GNU_RELRO, 0, pMemsz, 1<<30)
	}, "PT_GNU_RELRO reaches"},
	{"property_is_another_note", func(k breaker) { // of what the kernel enters itself
		le.PutUint32(k.header(elf.PT_NOTE, 0), uint32(elf.PT_GNU_PROPERTY))
		le.PutUint32(k.header(elf.PT_INTERP, 0), uint32(elf.PT_NULL))
		le.PutUint64(k.entry(elf.DT_NEEDED), 0x6ffffd00)
	}, "property note"},
	{"dynamic_elsewhere", func(k breaker) { k.set(elf.PT_DYNAMIC, 0, pOffset, 64) }, "PT_DYNAMIC is not in a PT_LOAD"},
	{"dynamic_not_writable", func(k breaker) { le.PutUint32(k.header(elf.PT_LOAD, 2)[pFlags:], uint32(elf.PF_R)) }, "lies in a PT_LOAD that is not"},
	{"dynamic_without_strings", func(k breaker) { le.PutUint64(k.entry(elf.DT_SYMTAB), 0x6ffffd00) }, "no DT_STRTAB or no DT_SYMTAB"},
	{"size_of_symbol", func(k breaker) { k.setDyn(elf.DT_SYMENT, 23) }, "DT_SYMENT is 23 and must be 24"},
	{"kind_of_plt_relocations", func(k breaker) { k.setDyn(elf.DT_PLTREL, 1) }, "DT_PLTREL is neither"},
	{"table_elsewhere", func(k breaker) { k.setDyn(elf.DT_SYMTAB, 1<<40) }, "DT_SYMTAB: address"},
	{"relocations_too_long", func(k breaker) { k.setDyn(elf.DT_RELASZ, 1<<40) }, "DT_RELA: address"},
	{"strings_do_not_end", func(k breaker) { k.table(elf.DT_STRTAB)[le.Uint64(k.entry(elf.DT_STRSZ)[8:])-1] = 'x' }, "not end in NUL"},
	{"name_outside_strings", func(k breaker) { le.PutUint32(k.table(elf.DT_SYMTAB)[24:], 1<<20) }, "1 of the 4 dynamic symbols"},
	{"hash_leads_astray", func(k breaker) { le.PutUint32(k.table(elf.DT_HASH)[8:], 99) }, "DT_HASH leads to"},
	{"filter_of_gnu_hash", func(k breaker) { le.PutUint32(k.table(0x6ffffef5)[8:], 3) }, "no power of two"},
	{"gnu_hash_before_first", func(k breaker) {
		le.PutUint32(k.table(0x6ffffef5)[4:], 3)
		le.PutUint32(k.table(0x6ffffef5)[24:], 2)
	}, "and its first is 3"},
	{"version_of_nothing", func(k breaker) { le.PutUint16(k.table(elf.DT_VERSYM)[2:], 77) }, "1 symbols have a version that no table names"},
	{"versions_of_what_is_not_needed", func(k breaker) { k.setDyn(elf.DT_NEEDED, 0) }, "which is not needed"},
	{"version_hash", func(k breaker) { need := k.table(elf.DT_VERNEED); need[le.Uint32(need[8:])] ^= 1 }, "which is that of another name"},
	{"version_record", func(k breaker) { le.PutUint16(k.table(elf.DT_VERNEED), 2) }, "unknown vn_version"},
	{"section_elsewhere", func(k breaker) {
		section := k.b[le.Uint64(k.b[40:])+64:]
		le.PutUint64(section[16:], le.Uint64(section[16:])+16)
	}, "section 1 does not lie as its PT_LOAD"},
	{"section_outside_file", func(k breaker) { le.PutUint64(k.b[le.Uint64(k.b[40:])+64+32:], 1<<40) }, "section 1 lies outside the file"},
}

// TestPropertyMended: patchelf 0.14 moves the property note and leaves PT_GNU_PROPERTY. No kernel minds while the
// program names a loader, and every edit puts it right, since with a start stub it would.
func TestPropertyMended(t *testing.T) {
	im := program()
	im.BuildID = library().BuildID
	for what, kind := range map[string]struct {
		note byte
		want elf.ProgType
	}{"no note": {3, elf.PT_NULL}, "moved note": {5, elf.PT_GNU_PROPERTY}} {
		b := im.Bytes()
		k := breaker{t, b}
		note := k.get(elf.PT_NOTE, 0, pOffset)
		b[note+8] = kind.note
		header := k.header(elf.PT_GNU_STACK, 0)
		i := (len(b) - len(header) - 64) / 56
		le.PutUint32(header, uint32(elf.PT_GNU_PROPERTY))
		k.set(elf.PT_GNU_PROPERTY, 0, pOffset, k.get(elf.PT_INTERP, 0, pOffset))
		k.set(elf.PT_GNU_PROPERTY, 0, pVaddr, k.get(elf.PT_INTERP, 0, pVaddr))
		k.set(elf.PT_GNU_PROPERTY, 0, pFilesz, 16)
		require.Empty(t, defects(t, b), what)
		out := read(t, apply(t, b, elfpatch.Edit{Soname: "x"})).Segments[i]
		require.Equal(t, kind.want, out.Type, what)
		if kind.want != elf.PT_NULL {
			require.Equal(t, note, out.Off, what)
		}
	}
}

func TestCheckDefects(t *testing.T) {
	im := program()
	im.BuildID = library().BuildID
	im.Symbols = append(im.Symbols[:2:2], library().Symbols[8])
	im.Symbols[0].Relocs = []uint32{uint32(elf.R_X86_64_JMP_SLOT)}
	im.Symbols[1].Relocs = []uint32{uint32(elf.R_X86_64_GLOB_DAT)}
	require.Empty(t, defects(t, im.Bytes()))
	for _, row := range defectRows {
		t.Run(row.name, func(t *testing.T) {
			b := im.Bytes()
			row.spoil(breaker{t, b})
			found := strings.Join(defects(t, b), "\n")
			require.Contains(t, found, row.want)
			require.Contains(t, found, "at offset 0x")
		})
	}
}

// What only the loader of a shared object asks.
func TestCheckLibrary(t *testing.T) {
	b := library().Bytes()
	b[elf.EI_PAD] = 1
	require.Contains(t, defects(t, b)[0], "nonzero padding in e_ident at offset 0x9")
	b = library().Bytes()
	breaker{t, b}.set(elf.PT_LOAD, 0, pAlign, 16)
	require.Contains(t, defects(t, b)[0], "alignment is less than a page")
}

func TestCheckOther(t *testing.T) {
	_, err := elfpatch.Check(strings.NewReader("#!/bin/sh\n"), 10)
	require.ErrorIs(t, err, elfpatch.ErrNotELF)
	b := library().Bytes()
	require.Contains(t, defects(t, b[:200])[0], "lies outside the file")
}

func FuzzCheck(f *testing.F) {
	for _, b := range fixtures() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		found, err := elfpatch.Check(bytes.NewReader(b), int64(len(b)))
		if err != nil && found != nil {
			t.Errorf("both %v and %v", found, err)
		}
		for _, d := range found {
			if d.Off < 0 || d.Msg == "" {
				t.Errorf("a defect at %d: %q", d.Off, d.Msg)
			}
		}
	})
}
