package closure_test

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// isaNeeded is a note that asks for levels of x86-64, as bits.
func isaNeeded(levels uint32) elftest.Note {
	b := binary.LittleEndian.AppendUint32(nil, 0xc0008002)
	b = binary.LittleEndian.AppendUint32(b, 4)
	b = binary.LittleEndian.AppendUint32(b, levels)
	return elftest.Note{Section: ".note.gnu.property", Name: "GNU", Type: 5, Desc: append(b, 0, 0, 0, 0), Align: 8}
}

// loaderOf is a loader with the texts by which its version and its file of preloads are learnt.
func loaderOf(version string) elftest.Image {
	im := lib(ldso)
	im.Trailer = []byte("\x00ld.so (GNU libc) stable release version " + version + ".\n\x00/etc/ld.so.preload\x00")
	return im
}

// relrNeeds is a library with DT_RELR that needs versions of libc.
func relrNeeds(versions ...string) elftest.Image {
	im := elftest.Image{Soname: "liba.so.1", Needed: []string{"libc.so.6"}, Dyn: []elftest.Dyn{{Tag: elf.DynTag(36)}}}
	for _, v := range versions {
		im.VersionNeeds = append(im.VersionNeeds, elftest.VersionNeed{File: "libc.so.6", Version: v})
	}
	return im
}

var audited = []struct {
	name  string
	files elftest.Tree // over a program that needs liba.so.1
	on    closure.Machine
	want  []string
}{
	{name: "nothing_to_say"},
	{
		name:  "isa_unknown_machine",
		files: elftest.Tree{storeA + "/lib/liba.so.1": elftest.Image{Soname: "liba.so.1", Notes: []elftest.Note{isaNeeded(7)}}},
		want:  []string{"note instruction-set x86-64-v3: liba.so.1"},
	},
	{
		name:  "isa_too_late",
		files: elftest.Tree{storeA + "/lib/liba.so.1": elftest.Image{Soname: "liba.so.1", Notes: []elftest.Note{isaNeeded(3)}}},
		on:    closure.Machine{ISA: "x86-64-v1"},
		want:  []string{"warning instruction-set x86-64-v2: liba.so.1"},
	},
	{
		name:  "isa_there",
		files: elftest.Tree{storeA + "/lib/liba.so.1": elftest.Image{Soname: "liba.so.1", Notes: []elftest.Note{isaNeeded(3)}}},
		on:    closure.Machine{ISA: "x86-64-v2"},
	},
	{
		name: "relr_before_2.36",
		files: elftest.Tree{
			storeGlibc + "/lib/" + ldso:   loaderOf("2.35"),
			storeA + "/lib/liba.so.1":     elftest.Image{Soname: "liba.so.1", Dyn: []elftest.Dyn{{Tag: elf.DynTag(36)}}},
			storeGlibc + "/lib/libc.so.6": lib("libc.so.6"),
		},
		want: []string{"error relr liba.so.1: liba.so.1", "note host-files /etc/ld.so.preload: " + ldso},
	},
	{
		name:  "relr_of_the_machine",
		files: elftest.Tree{storeA + "/lib/liba.so.1": elftest.Image{Soname: "liba.so.1", Dyn: []elftest.Dyn{{Tag: elf.DynTag(36)}}}},
		on:    closure.Machine{Glibc: [2]int{2, 31}},
		want:  []string{"error relr liba.so.1: liba.so.1"},
	},
	{
		name:  "relr_known",
		files: elftest.Tree{storeA + "/lib/liba.so.1": elftest.Image{Soname: "liba.so.1", Dyn: []elftest.Dyn{{Tag: elf.DynTag(36)}}}},
		on:    closure.Machine{Glibc: [2]int{2, 36}},
	},
	{
		name:  "relr_unmarked",
		files: elftest.Tree{storeA + "/lib/liba.so.1": relrNeeds("GLIBC_2.17")},
		on:    closure.Machine{Glibc: [2]int{2, 36}},
		want:  []string{"error relr liba.so.1: liba.so.1"},
	},
	{
		name:  "relr_marked",
		files: elftest.Tree{storeA + "/lib/liba.so.1": relrNeeds("GLIBC_2.17", "GLIBC_ABI_DT_RELR")},
		on:    closure.Machine{Glibc: [2]int{2, 36}},
	},
	{
		name: "alignment_before_2.35",
		files: elftest.Tree{
			storeApp + "/bin/app":     elftest.Image{Interp: storeGlibc + "/lib/" + ldso, Needed: []string{"liba.so.1", "libc.so.6"}, PageAlign: 0x4000},
			storeA + "/lib/liba.so.1": saysAligned(elftest.Image{Soname: "liba.so.1", PageAlign: 0x4000}, 0x1000),
		},
		on:   closure.Machine{PageSizes: []uint64{0x4000}, Glibc: [2]int{2, 34}},
		want: []string{"error page-size 16 KiB pages: liba.so.1"},
	},
	{
		name: "alignment_from_2.35",
		files: elftest.Tree{
			storeApp + "/bin/app":     elftest.Image{Interp: storeGlibc + "/lib/" + ldso, Needed: []string{"liba.so.1", "libc.so.6"}, PageAlign: 0x4000},
			storeA + "/lib/liba.so.1": saysAligned(elftest.Image{Soname: "liba.so.1", PageAlign: 0x4000}, 0x1000),
		},
		on: closure.Machine{PageSizes: []uint64{0x4000}, Glibc: [2]int{2, 35}},
	},
	{
		name:  "jemalloc",
		files: elftest.Tree{storeA + "/lib/liba.so.1": jemalloc()},
		on:    closure.Machine{PageSizes: []uint64{0x1000, 0x10000}},
		want:  []string{"error page-size 64 KiB pages: app, liba.so.1, libc.so.6, " + ldso, "warning page-size liba.so.1: liba.so.1"},
	},
	{
		name:  "jemalloc_on_small_pages",
		files: elftest.Tree{storeA + "/lib/liba.so.1": jemalloc()},
		on:    closure.Machine{PageSizes: []uint64{0x1000}},
	},
	{
		name:  "name_service_and_locale",
		files: elftest.Tree{storeA + "/lib/liba.so.1": refers(elftest.Image{Soname: "liba.so.1"}, named("getaddrinfo", "setlocale")...)},
		want:  []string{"note host-files locale: liba.so.1", "note host-files name service: liba.so.1"},
	},
	{
		name:  "name_service_of_the_machine",
		files: elftest.Tree{storeA + "/lib/liba.so.1": refers(elftest.Image{Soname: "liba.so.1"}, named("getaddrinfo")...)},
		on:    closure.Machine{Glibc: [2]int{2, 36}},
	},
}

// saysAligned is a file whose p_align is less than what its segments keep.
func saysAligned(im elftest.Image, align uint64) elftest.Data {
	b := im.Bytes()
	for at := binary.LittleEndian.Uint64(b[32:]); binary.LittleEndian.Uint32(b[at:]) != 0x6474e551; at += 56 { // PT_GNU_STACK is last
		if elf.ProgType(binary.LittleEndian.Uint32(b[at:])) == elf.PT_LOAD {
			binary.LittleEndian.PutUint64(b[at+48:], align)
		}
	}
	return elftest.Data(b)
}

func jemalloc() elftest.Image {
	im := refers(elftest.Image{Soname: "liba.so.1"}, named("madvise", "sysconf")...)
	im.Trailer = []byte("<jemalloc>: Unsupported system page size\n")
	return im
}

func TestAudit(t *testing.T) {
	for _, test := range audited {
		t.Run(test.name, func(t *testing.T) {
			files := glibc(storeGlibc)
			files[storeApp+"/bin/app"] = app(storeGlibc, "", "liba.so.1", "libc.so.6")
			files[storeA+"/lib/liba.so.1"] = elftest.Image{Soname: "liba.so.1"}
			maps.Copy(files, test.files)
			program := files[storeApp+"/bin/app"].(elftest.Image)
			program.RPath = storeA + "/lib:" + storeGlibc + "/lib"
			files[storeApp+"/bin/app"] = program
			findings, err := closure.Audit(walk(t, files, storeApp+"/bin/app"), test.on)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range findings {
				var copies []string
				for _, c := range f.Copies {
					copies = append(copies, path.Base(c.Path))
					require.Equal(t, "loaded", f.State(&c), "an audit is of what is in the process")
				}
				got = append(got, fmt.Sprintf("%v %v %s: %s", f.Severity, f.Kind, f.Name, strings.Join(copies, ", ")))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestAuditPagesOfNoMachine: where none is named, pages that many machines have are a warning, and others a note.
func TestAuditPagesOfNoMachine(t *testing.T) {
	for _, test := range []struct {
		machine elf.Machine
		align   uint64
		want    []string
	}{
		{elf.EM_AARCH64, 0x1000, []string{"warning 16 KiB pages"}},
		{elf.EM_AARCH64, 0x4000, []string{"note 64 KiB pages"}},
		{elf.EM_AARCH64, 0x10000, nil},
		{elf.EM_ARM, 0x1000, []string{"note 16 KiB pages"}},
		{elf.EM_X86_64, 0x1000, nil},
	} {
		files := elftest.Tree{storeApp + "/bin/app": elftest.Image{Static: true, Machine: test.machine, PageAlign: test.align}}
		findings, err := closure.Audit(walk(t, files, storeApp+"/bin/app"), closure.Machine{})
		require.NoError(t, err)
		var got []string
		for _, f := range findings {
			got = append(got, fmt.Sprintf("%v %s", f.Severity, f.Name))
		}
		require.Equal(t, test.want, got, "%v aligned to %#x", test.machine, test.align)
	}
}

// TestAuditStore: Debian's arm64 libraries are made for pages up to 64 KiB, its armhf ones for 4 KiB and
// for ARMv7.
func TestAuditStore(t *testing.T) {
	results := storeDir(t, "results")
	raspberry := closure.Machine{PageSizes: []uint64{4096, 16384}, ISA: "armv6+vfp2"}
	for _, test := range []struct {
		name string
		on   closure.Machine
		want []string
	}{
		{name: "sensor-plain"},
		{name: "sensor-plain", on: raspberry},
		{name: "misc-muslHello", on: raspberry},
		{name: "armhf-sqlite3"},
		{name: "armhf-sqlite3", on: raspberry, want: []string{"error page-size 16 KiB pages", "warning instruction-set armv7"}},
		{name: "armhf-sqlite3", on: closure.Machine{PageSizes: []uint64{4096}, ISA: "armv7"}},
	} {
		root := os.DirFS("/")
		programs, err := closure.Programs(root, path.Join(results, test.name), closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := closure.Walk(root, programs, closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := closure.Audit(c, test.on)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range findings {
			if f.Severity < closure.Note {
				got = append(got, fmt.Sprintf("%v %v %s", f.Severity, f.Kind, f.Name))
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s on %v: got %q, want %q", test.name, test.on, got, test.want)
		}
	}
}

// TestAuditArm: what a library has for later processors may be chosen at run time, and so is no error; the
// program is compiled as all is.
func TestAuditArm(t *testing.T) {
	needOracle(t, "arm-linux-gnueabihf-gcc")
	dir := elftest.WriteTree(t, elftest.Tree{
		"prog.c": elftest.Data("float twice(float); void _start(void) { twice(1); }"),
		"lib.c":  elftest.Data("float twice(float x) { return 2 * x; }"),
	})
	for _, test := range []struct{ program, library, isa, want string }{
		{"armv6+fp", "armv6+fp", "armv6+vfp2", ""},
		{"armv6+fp", "armv7-a+neon", "armv6+vfp2", "warning armv7: lib.so"},
		{"armv7-a+fp", "armv6+fp", "armv6+vfp2", "warning armv7: prog"},
		{"armv7-a+fp", "armv7-a+neon", "armv7-a+vfpv3-d16", ""},
		{"armv7-a+fp", "armv8-a+simd", "armv7-a+vfpv3-d16", "warning armv8: lib.so"},
		{"armv8-a+simd", "armv8-a+simd", "", ""},
	} {
		for _, args := range [][]string{
			{"-march=" + test.library, "-shared", "-fPIC", "-Wl,-soname,lib.so", "-o", "lib.so", "lib.c"},
			{"-march=" + test.program, "-nostartfiles", "-Wl,-rpath," + dir, "-o", "prog", "prog.c", "lib.so"},
		} {
			cmd := exec.Command("arm-linux-gnueabihf-gcc", append(args, "-nostdlib", "-marm", "-mfpu=auto")...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		c, err := closure.Walk(os.DirFS("/"), []string{dir + "/prog"}, closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := closure.Audit(c, closure.Machine{ISA: test.isa, PageSizes: []uint64{4096}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range findings {
			if f.Kind == closure.KindISA {
				got = fmt.Sprintf("%v %s: %s", f.Severity, f.Name, path.Base(f.Copies[0].Path))
			}
		}
		if got != test.want {
			t.Errorf("%+v: got %q", test, got)
		}
	}
}
