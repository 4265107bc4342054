package elfpatch_test

import (
	"debug/elf"
	"fmt"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

func countLoads(list []elfpatch.Segment) (n int) {
	for _, s := range list {
		if s.Type == elf.PT_LOAD {
			n++
		}
	}
	return n
}

// 200 edits in a row add one PT_LOAD at most, and no more bytes than the largest of them needs.
func TestManyEdits(t *testing.T) {
	for _, flavour := range []string{"EM_X86_64", "EM_386", "EM_S390", "EM_MIPS"} {
		for what, spare := range map[string]int{"": 0, " without room": -1} {
			t.Run(flavour+what, func(t *testing.T) {
				im := ofKind(program(), flavours()[flavour])
				im.Spare, im.BSS = spare, 64
				in := im.Bytes()
				b := in
				for i := range 200 {
					e := elfpatch.Edit{RunPath: "$ORIGIN/" + strings.Repeat("p", i*37%400)}
					switch i % 3 {
					case 1:
						e.Interp = "/lib/" + strings.Repeat("i", i*13%90) + "/ld.so"
					case 2:
						e.AddNeeded = []string{fmt.Sprintf("libneeded-%d.so", i%20)}
					}
					b = apply(t, b, e)
				}
				require.LessOrEqual(t, countLoads(read(t, b).Segments), countLoads(read(t, in).Segments)+1)
				require.LessOrEqual(t, len(b), len(in)+4096)
			})
		}
	}
}

// An edit and its inverse leave a file that says what the original says and is no larger than the
// edited one; what one edit makes of two wishes, two edits make one after the other, in both orders.
func TestInverseAndOrder(t *testing.T) {
	facts := func(b []byte) elfpatch.Info {
		info := *read(t, b)
		info.Segments, info.Notes, info.Entry = nil, nil, 0
		return info
	}
	for name, flavour := range flavours() {
		im := ofKind(program(), flavour)
		im.RunPath, im.Soname = "/old", "libold.so"
		in := im.Bytes()
		there := elfpatch.Edit{RunPath: longPath, Soname: "libnew-and-longer.so.2", AddNeeded: []string{"libx.so"}}
		back := elfpatch.Edit{RunPath: "/old", Soname: "libold.so", RemoveNeeded: []string{"libx.so"}}
		t.Run(name, func(t *testing.T) {
			edited := apply(t, in, there)
			again := apply(t, edited, back)
			require.Equal(t, facts(in), facts(again))
			require.LessOrEqual(t, len(again), len(edited))
			a, b := elfpatch.Edit{RunPath: there.RunPath}, elfpatch.Edit{Soname: there.Soname, AddNeeded: there.AddNeeded}
			require.Equal(t, facts(edited), facts(apply(t, apply(t, in, a), b)))
			require.Equal(t, facts(edited), facts(apply(t, apply(t, in, b), a)))
		})
	}
}
