package closure_test

import (
	"debug/elf"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// fileRules are about what is found there, and about filters.
var fileRules = []rule{
	{
		name: "two_links_are_one_object",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "liba.so", "libb.so", "liba.so.1"), "DIR/lib"),
			"lib/liba.so":   lib("libother.so"),
			"lib/libb.so":   elftest.Link("liba.so"),
			"lib/liba.so.1": elftest.Link("DIR/lib/libb.so"),
		},
		want: []string{"lib/liba.so [run path]"},
	},
	{
		name: "two_copies_are_two_objects",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/lib"),
			"lib/liba.so": lib(""),
			"lib/libb.so": lib(""),
		},
		want: []string{"lib/liba.so [run path]", "lib/libb.so [run path]"},
	},
	{
		name: "dangling_link_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": elftest.Link("nowhere"),
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	{
		name: "link_loop_ends_its_list",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": elftest.Link("liba.so"),
			"two/liba.so": lib(""),
		},
		missing: []string{"liba.so"},
	},
	{
		name: "link_loop_leaves_the_next_list",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "libx.so"), "DIR/two"),
			"two/libx.so": rpath(lib("", "liba.so"), "DIR/one"),
			"one/liba.so": elftest.Link("liba.so"),
			"two/liba.so": lib(""),
		},
		want: []string{"two/libx.so [rpath]", "two/liba.so [rpath]"},
	},
	{
		name: "link_loop_of_a_directory_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one":         elftest.Link("one"),
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	{
		name: "file_for_a_directory_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one":         elftest.Data("text"),
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	{
		name: "wrong_class_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": elftest.Image{Machine: elf.EM_386},
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	{
		name: "x32_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": elftest.Image{Machine: elf.EM_X86_64, Class: elf.ELFCLASS32},
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	links("40_links_are_followed", 40, []string{"one/liba.so [run path]"}),
	links("41_links_are_a_loop", 41, nil),
	{
		name: "wrong_machine_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": elftest.Image{Machine: elf.EM_AARCH64},
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	broken("text_file_stops", elftest.Data(strings.Repeat("INPUT(-lc) ", 10)), "not an ELF file"),
	broken("short_file_stops", elftest.Data("\x7fELF\x02\x01\x01"), "file too short"),
	broken("empty_file_stops", elftest.Data(""), "file too short"),
	broken("directory_stops", elftest.Dir{}, "is a directory"),
	broken("object_file_stops", elftest.Image{Type: elf.ET_REL}, "neither a library nor an executable"),
	broken("executable_stops", elftest.Image{Type: elf.ET_EXEC, Interp: x86Interp}, "is an executable, not a library"),
	broken("pie_stops", flags1(elftest.Image{Interp: x86Interp}, elf.DF_1_PIE), "is a position-independent executable, not a library"),
	broken("static_library_stops", elftest.Image{Static: true}, "object file has no dynamic section"),
	broken("other_os_stops", elftest.Image{OSABI: elf.ELFOSABI_FREEBSD}, "ELF file OS ABI invalid (ELFOSABI_FREEBSD, version 0)"),
	passedOver("other_os_of_another_machine_is_passed_over", elftest.Image{OSABI: elf.ELFOSABI_FREEBSD, Machine: elf.EM_AARCH64}),
	passedOver("other_byte_order_of_another_machine_is_passed_over", elftest.Image{Machine: elf.EM_S390}),
	broken("other_byte_order_stops", patched(lib(""), elf.EI_DATA, 2), "data encoding is not that of the program"),
	broken("padding_of_e_ident_stops", patched(lib(""), elf.EI_PAD, 1), "nonzero padding in e_ident"),
	broken("end_of_e_ident_stops", patched(lib(""), elf.EI_NIDENT-1, 1), "nonzero padding in e_ident"),
	broken("e_version_stops", patched(lib(""), 20, 2), "ELF file version does not match current one"),
	broken("e_version_of_another_machine_stops", patched(elftest.Image{Machine: elf.EM_AARCH64}, 20, 0),
		"ELF file version does not match current one"),
	broken("e_version_of_a_damaged_file_stops", patched(elftest.Image{Machine: elf.EM_AARCH64}, 20, 0)[:100],
		"ELF file version does not match current one"),
	broken("offset_off_address_stops", reloaded(func(loads []elf.Prog64) { loads[0].Vaddr -= 8; loads[0].Memsz += 8; loads[0].Filesz += 8 }),
		"ELF load command address/offset not page-aligned"),
	broken("descending_segments_stop", reloaded(func(loads []elf.Prog64) { slices.Reverse(loads) }),
		"failed to map segment from shared object"),
	{
		name: "auxiliary_goes_before",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "libfil.so", "libz1.so"), "DIR/lib"),
			"lib/libfil.so": elftest.Image{Auxiliary: []string{"libaux.so"}, RunPath: "DIR/lib", HasRunPath: true},
			"lib/libaux.so": runPath(lib("", "libdep.so"), "DIR/lib"),
			"lib/libz1.so":  lib(""),
			"lib/libdep.so": lib(""),
		},
		want: []string{"lib/libaux.so [run path]", "lib/libfil.so [run path]", "lib/libz1.so [run path]", "lib/libdep.so [run path]"},
	},
	{
		name: "auxiliary_may_be_missing",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "libfil.so"), "DIR/lib"),
			"lib/libfil.so": elftest.Image{Auxiliary: []string{"libnone.so"}},
		},
		want: []string{"lib/libfil.so [run path]"},
		mem:  true, // in trace mode the loader tells of it
	},
	{
		name: "filter_moves_forward",
		tree: tree{
			"bin/prog":        runPath(program(elftest.Image{}, "libearly.so", "libfil.so", "liblate.so"), "DIR/lib"),
			"lib/libfil.so":   elftest.Image{Filter: []string{"liblate.so", "libearly.so"}, RunPath: "DIR/lib", HasRunPath: true},
			"lib/libearly.so": lib(""),
			"lib/liblate.so":  lib(""),
		},
		want: []string{"lib/libearly.so [run path]", "lib/liblate.so [run path]", "lib/libfil.so [run path]"},
	},
	{
		name: "filtee_answers_names_before_its_filter",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "libfil.so", "libu.so", "libb.so"), "DIR/lib"),
			"lib/libfil.so": elftest.Image{Auxiliary: []string{"libf.so"}, RunPath: "DIR/lib", HasRunPath: true},
			"lib/libb.so":   lib("libn.so"),
			"lib/libf.so":   lib("libn.so"), // created after libb.so, and then moved before it
			"lib/libu.so":   elftest.Image{Auxiliary: []string{"libn.so"}, RunPath: "DIR/lib", HasRunPath: true},
		},
		want: []string{"lib/libf.so [run path]", "lib/libfil.so [run path]", "lib/libu.so [run path]", "lib/libb.so [run path]"},
	},
	{
		name: "auxiliary_before_a_need_answers_it",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "libfil.so"), "DIR/lib"),
			"lib/libfil.so": auxiliaryFirst(lib(""), "libother.so", "libn.so"),
			// The need is answered by the soname of what is there, and no file is looked for.
			"lib/libother.so": lib("libn.so"),
			"lib/libn.so":     lib("libn.so"),
		},
		want: []string{"lib/libother.so [run path]", "lib/libfil.so [run path]"},
	},
	{
		name: "need_before_an_auxiliary_answers_first",
		tree: tree{
			"bin/prog":        runPath(program(elftest.Image{}, "libfil.so"), "DIR/lib"),
			"lib/libfil.so":   elftest.Image{Needed: []string{"libn.so"}, Auxiliary: []string{"libother.so"}, RunPath: "DIR/lib", HasRunPath: true},
			"lib/libother.so": lib("libn.so"),
			"lib/libn.so":     lib("libn.so"),
		},
		want: []string{"lib/libother.so [run path]", "lib/libfil.so [run path]", "lib/libn.so [run path]"},
	},
	{
		name: "auxiliary_that_is_broken_is_missing",
		tree: tree{
			"bin/prog":       runPath(program(elftest.Image{}, "libfil.so"), "DIR/lib"),
			"lib/libfil.so":  elftest.Image{Auxiliary: []string{"libtext.so"}, RunPath: "DIR/lib", HasRunPath: true},
			"lib/libtext.so": elftest.Data("INPUT(-lc)"),
		},
		want: []string{"lib/libfil.so [run path]"},
	},
}

// auxiliaryFirst is a library with DT_AUXILIARY before DT_NEEDED, as LLVM's lld writes it.
func auxiliaryFirst(im elftest.Image, auxiliary, needed string) elftest.Image {
	im.Auxiliary, im.RunPath, im.HasRunPath = []string{auxiliary}, "DIR/lib", true
	im.Dyn = append(im.Dyn, elftest.Dyn{Tag: elf.DT_NEEDED, Str: needed})
	return im
}

// links is a library at the end of a chain of links; where they are too many, the rest of the list
// is not looked at either.
func links(name string, n int, want []string) rule {
	r := rule{
		name: name,
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": elftest.Link("1"),
			"two/liba.so": lib(""),
		},
		want: want,
	}
	for i := 1; i < n; i++ {
		r.tree["one/"+strconv.Itoa(i)] = elftest.Link(strconv.Itoa(i + 1))
	}
	r.tree["one/"+strconv.Itoa(n)] = lib("")
	if want == nil {
		r.missing = []string{"liba.so"}
	}
	return r
}

// broken is a file in the way at which the loader stops though a good one stands behind it.
// passedOver is a case of a file that Debian's glibc passes over.
func passedOver(name string, f elftest.File) rule {
	r := broken(name, f, "")
	r.want = []string{"two/liba.so [run path]"}
	return r
}

// patched is a file with one byte of it replaced.
func patched(im elftest.Image, at int, value byte) elftest.Data {
	b := im.Bytes()
	b[at] = value
	return elftest.Data(b)
}

// reloaded is a library whose PT_LOAD headers are edited.
func reloaded(edit func(loads []elf.Prog64)) elftest.Data {
	b := lib("").Bytes()
	headers := b[binary.LittleEndian.Uint64(b[32:]):][:56*int(binary.LittleEndian.Uint16(b[56:]))]
	var loads []elf.Prog64
	var at []int
	for i := 0; i < len(headers); i += 56 {
		var p elf.Prog64
		if _, err := binary.Decode(headers[i:], binary.LittleEndian, &p); err == nil && elf.ProgType(p.Type) == elf.PT_LOAD {
			loads, at = append(loads, p), append(at, i)
		}
	}
	edit(loads)
	for k, i := range at {
		if _, err := binary.Encode(headers[i:], binary.LittleEndian, &loads[k]); err != nil {
			panic(err)
		}
	}
	return elftest.Data(b)
}

func broken(name string, f elftest.File, why string) rule {
	return rule{
		name: name,
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": f,
			"two/liba.so": lib(""),
		},
		stops: why,
	}
}
