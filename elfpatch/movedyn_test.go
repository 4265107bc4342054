package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
	"github.com/stretchr/testify/require"
)

const dtRldMapRel = elf.DynTag(0x70000035)

// crowded has no room for one more entry in the dynamic section, as lld makes it.
func crowded(im, flavour elftest.Image) elftest.Image {
	im = ofKind(im, flavour)
	im.Spare, im.BSS = -1, 64
	return im
}

// A dynamic section without room moves, once, into the segment that edits add.
func TestMoveDynamic(t *testing.T) {
	for name, flavour := range flavours() {
		for what, im := range map[string]elftest.Image{"library": library(), "program": program()} {
			t.Run(name+" "+what, func(t *testing.T) {
				in := crowded(im, flavour).Bytes()
				b := apply(t, in, elfpatch.Edit{AddNeeded: []string{"libx.so", "liby.so"}, RunPath: longPath})
				s := segmentOf(t, b, elf.PT_DYNAMIC)
				require.NotEqual(t, segmentOf(t, in, elf.PT_DYNAMIC).Off, s.Off)
				loads := read(t, b).Segments
				last := loads[lastLoad(loads)]
				require.Equal(t, elf.PF_R|elf.PF_W, last.Flags)
				require.True(t, last.Vaddr <= s.Vaddr && s.Vaddr+s.Memsz <= last.Vaddr+last.Memsz)
				for i := range 30 {
					b = apply(t, b, elfpatch.Edit{AddNeeded: []string{fmt.Sprintf("libmore-%d.so", i)}})
				}
				require.Equal(t, lastLoad(loads), lastLoad(read(t, b).Segments))
			})
		}
	}
}

// What a moved section leaves still leads to the tables, where they are now.
func TestMoveDynamicLeaves(t *testing.T) {
	in := crowded(program(), elftest.Image{}).Bytes()
	b := apply(t, in, elfpatch.Edit{AddNeeded: []string{"libx.so"}, RunPath: longPath})
	old, was := bytes.Clone(b), segmentOf(t, in, elf.PT_DYNAMIC)
	for field, v := range map[int]uint64{pOffset: was.Off, pVaddr: was.Vaddr, pFilesz: was.Filesz} {
		breaker{t, old}.set(elf.PT_DYNAMIC, 0, field, v)
	}
	info := read(t, old)
	require.Equal(t, []string{"libc.so.6"}, info.Needed)
	require.Equal(t, read(t, in).VerNeeds, info.VerNeeds)
}

// DT_MIPS_RLD_MAP_REL leads to the same word from wherever its entry is.
func TestRldMapRel(t *testing.T) {
	target := func(b []byte) uint64 {
		s := segmentOf(t, b, elf.PT_DYNAMIC)
		f, err := elf.NewFile(bytes.NewReader(b))
		require.NoError(t, err)
		v, err := f.DynValue(dtRldMapRel)
		require.NoError(t, err)
		for i := uint64(0); ; i++ {
			entry := b[s.Off+8*i:]
			if f.ByteOrder.Uint32(entry) == uint32(dtRldMapRel) {
				return uint64(uint32(s.Vaddr + i*8 + v[0]))
			}
		}
	}
	im := elftest.Image{
		Machine: elf.EM_MIPS, Needed: []string{"libc.so.6", "libm.so.6"}, BSS: 64, Interp: "/lib/ld.so.1",
		Dyn: []elftest.Dyn{{Tag: dtRldMapRel, Val: 16}},
	}
	for _, spare := range []int{-1, 4} {
		im.Spare = spare
		in := im.Bytes()
		for _, e := range []elfpatch.Edit{
			{RemoveNeeded: []string{"libm.so.6"}}, {AddNeeded: strings.Split("abc", "")}, {RunPath: longPath, AddNeeded: []string{"d"}},
		} {
			require.Equal(t, target(in), target(apply(t, in, e)))
		}
	}
}

func segmentOf(t testing.TB, b []byte, typ elf.ProgType) elfpatch.Segment {
	t.Helper()
	for _, s := range read(t, b).Segments {
		if s.Type == typ {
			return s
		}
	}
	t.Fatalf("no %v", typ)
	return elfpatch.Segment{}
}

func lastLoad(list []elfpatch.Segment) int {
	last := -1
	for i, s := range list {
		if s.Type == elf.PT_LOAD {
			last = i
		}
	}
	return last
}

// A loader asserts what its dynamic section does not ask for (glibc elf/get-dynamic-info.h).
func TestApplyLoader(t *testing.T) {
	loader := hostLoader(t)
	in := readFile(t, loader)
	for _, e := range []elfpatch.Edit{{RunPath: "/lib"}, {AddNeeded: []string{"libm.so.6"}}, {NoDefaultLib: true}} {
		_, err := applyBytes(in, e)
		require.ErrorIs(t, err, elfpatch.ErrUnsupported)
	}
	at := filepath.Join(t.TempDir(), "ld.so")
	for _, e := range []elfpatch.Edit{{Soname: "another-ld.so." + longPath}, {ClearVersions: []string{"malloc"}}} {
		require.NoError(t, os.WriteFile(at, apply(t, in, e), 0o755))
		out, err := exec.Command(at, "--version").CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}
