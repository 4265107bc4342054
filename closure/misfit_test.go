package closure

import (
	"debug/elf"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// TestMisfit holds what no link editor at hand makes: what kernel and loader do with it is in the
// comments of pagesize.go.
func TestMisfit(t *testing.T) {
	const r, x, w = elf.PF_R, elf.PF_R | elf.PF_X, elf.PF_R | elf.PF_W
	load := func(flags elf.ProgFlag, at, off, filesz, memsz uint64) elfpatch.Segment {
		return elfpatch.Segment{Type: elf.PT_LOAD, Flags: flags, Vaddr: at, Off: off, Filesz: filesz, Memsz: memsz, Align: 0x1000}
	}
	relro := func(at, size uint64) elfpatch.Segment {
		return elfpatch.Segment{Type: elf.PT_GNU_RELRO, Vaddr: at, Memsz: size}
	}
	for _, test := range []struct {
		name     string
		segments []elfpatch.Segment
		fits     bool
	}{
		{"apart", []elfpatch.Segment{load(x, 0, 0, 0x4000, 0x4000), load(w, 0x8000, 0x4000, 0x100, 0x100)}, true},
		{"incongruent", []elfpatch.Segment{load(x, 0, 0, 0x3000, 0x3000), load(w, 0x5000, 0x4000, 0x100, 0x100)}, false},
		{"only_gains_rights", []elfpatch.Segment{load(r, 0, 0, 0x1000, 0x1000), load(x, 0x1000, 0x1000, 0x100, 0x100)}, true},
		{"loses_rights", []elfpatch.Segment{load(x, 0, 0, 0x1000, 0x1000), load(r, 0x1000, 0x1000, 0x100, 0x100)}, false},
		{"ends_at_the_page", []elfpatch.Segment{load(x, 0, 0, 0x4000, 0x4000), load(r, 0x4000, 0x4000, 0x100, 0x100)}, true},
		{"other_contents", []elfpatch.Segment{load(r, 0, 0, 0x5000, 0x5000), load(r, 0x6000, 0x2000, 0x100, 0x100)}, false},
		{"zeroes_lost", []elfpatch.Segment{load(w, 0, 0, 0x1000, 0x2000), load(w, 0x3000, 0x3000, 0x100, 0x100)}, false},
		{"relro_first", []elfpatch.Segment{load(w, 0x5000, 0x5000, 0x5000, 0x5000), relro(0x5000, 0x3000)}, true},
		{"relro_behind_data", []elfpatch.Segment{load(w, 0x5000, 0x5000, 0x5000, 0x5000), relro(0x6000, 0x2000)}, false},
		{"relro_is_less_than_a_page", []elfpatch.Segment{load(w, 0x5000, 0x5000, 0x2000, 0x2000), relro(0x6000, 0x1000)}, true},
		{"end_of_the_address_space", []elfpatch.Segment{load(w, 0x4000, 0x4000, ^uint64(0), ^uint64(0)), load(w, ^uint64(0)&^0x3fff, 0, 1, 1), relro(^uint64(0), ^uint64(0))}, true},
	} {
		if why := misfit(&elfpatch.Info{Segments: test.segments}, 0x4000); (why == "") != test.fits {
			t.Errorf("%s: %q", test.name, why)
		}
	}
}
