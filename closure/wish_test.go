package closure_test

import (
	"debug/elf"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// dlopenNote is a note as systemd's macro makes it.
func dlopenNote(json string) elftest.Note {
	return elftest.Note{Section: ".note.dlopen", Name: "FDO", Type: 0x407c0c0a, Desc: append([]byte(json), 0)}
}

// opening makes an object import functions and hold strings, each whole.
func opening(im elftest.Image, functions string, texts ...string) elftest.Image {
	for _, f := range strings.Fields(functions) {
		im.Symbols = append(im.Symbols, elftest.Symbol{Name: f, Undefined: true, Relocs: []uint32{uint32(elf.R_X86_64_JMP_SLOT)}})
	}
	for _, t := range texts {
		im.Rodata = append(append(im.Rodata, t...), 0)
	}
	return im
}

func noted(im elftest.Image, json ...string) elftest.Image {
	for _, j := range json {
		im.Notes = append(im.Notes, dlopenNote(j))
	}
	return im
}

// wishText is a wish in a line.
func wishText(w *closure.Wish) string {
	got := "nothing"
	if w.Object != nil {
		got = w.Path
	}
	s := fmt.Sprintf("%s %s by %s: %s", w.Source, strings.Join(w.Names, "|"), w.By.Path, got)
	if w.Source == closure.WishNote {
		s += " " + string(w.Priority)
	}
	if w.Feature != "" {
		s += " for " + w.Feature
	}
	if w.Host != "" {
		s += " host: " + w.Host
	}
	if w.Partial {
		s += " partial"
	}
	if w.There {
		s += " there"
	}
	if w.Err != nil {
		s += " error: " + w.Err.Error()
	}
	return strings.ReplaceAll(s, "/t/", "")
}

var wishCases = []struct {
	name string
	tree tree
	want []string
}{
	{"first_alternative_that_is_there", tree{
		"bin/prog":        runPath(noted(program(elftest.Image{}), `[{"soname":["libx.so.2","libx.so.1"],"feature":"x","unknown":[1]}]`), "DIR/lib"),
		"lib/libx.so.1":   lib("libx.so.1"),
		"lib/libx.so.0":   lib("libx.so.0"),
		"lib/libother.so": lib(""),
	}, []string{"note libx.so.2|libx.so.1 by bin/prog: lib/libx.so.1 recommended for x"}},
	{"searched_for_the_holder", tree{
		"bin/prog":      runPath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
		"lib/liba.so":   runPath(noted(lib("liba.so"), `[{"soname":["libx.so.1"],"priority":"required"},{"soname":["liby.so.1"],"priority":"suggested"}]`), "DIR/x"),
		"x/libx.so.1":   lib("libx.so.1"),
		"lib/liby.so.1": lib("liby.so.1"),
	}, []string{"note libx.so.1 by lib/liba.so: x/libx.so.1 required", "note liby.so.1 by lib/liba.so: nothing suggested"}},
	{"feature_lacks_another_entry", tree{
		"bin/prog":      runPath(noted(program(elftest.Image{}), `[{"soname":["libx.so.1"],"feature":"f"}]`, `[{"soname":["libnone.so"],"feature":"f"},{"soname":["libx.so.1"],"feature":"g"}]`), "DIR/lib"),
		"lib/libx.so.1": lib("libx.so.1"),
	}, []string{"note libx.so.1 by bin/prog: lib/libx.so.1 recommended for f partial", "note libnone.so by bin/prog: nothing recommended for f",
		"note libx.so.1 by bin/prog: lib/libx.so.1 recommended for g"}},
	{"note_of_what_is_there", tree{
		"bin/prog":    runPath(noted(program(elftest.Image{}, "liba.so"), `[{"soname":["liba.so"]}]`), "DIR/lib"),
		"lib/liba.so": lib("liba.so"),
	}, []string{"note liba.so by bin/prog: lib/liba.so recommended there"}},
	{"broken_notes", tree{
		"bin/prog":    runPath(noted(program(elftest.Image{}), `[{"soname":["liba.so"]},{"soname":[]},7]`, `{}`), "DIR/lib"),
		"lib/liba.so": lib("liba.so"),
	}, []string{"note  by bin/prog: nothing recommended error: bin/prog: dlopen note at 0x254: entry 2: 0 sonames", "note liba.so by bin/prog: lib/liba.so recommended"}},
	{"text_beside_dlopen", tree{
		"bin/prog":    runPath(opening(program(elftest.Image{}, "liba.so"), "dlopen", "libp.so", "libnone.so.3", "liba.so", "see libq.so for more", "libq.so%s", "$ORIGIN/../p/q.so", "lib/rel.so", ".so", "libp.sony"), "DIR/lib"),
		"lib/liba.so": lib("liba.so"),
		"lib/libp.so": lib(""),
		"p/q.so":      lib(""),
	}, []string{"text libp.so by bin/prog: lib/libp.so", "text libnone.so.3 by bin/prog: nothing", "text $ORIGIN/../p/q.so by bin/prog: bin/../p/q.so"}},
	{"text_without_dlopen", tree{
		"bin/prog":    runPath(opening(program(elftest.Image{}), "puts", "libp.so"), "DIR/lib"),
		"lib/libp.so": lib(""),
	}, nil},
	{"text_for_who_calls_dlopen", tree{
		"bin/prog":                runPath(opening(program(elftest.Image{}, "libgmodule-2.0.so.0"), "g_module_open", "libp.so"), "DIR/lib"),
		"lib/libgmodule-2.0.so.0": runPath(opening(lib("libgmodule-2.0.so.0"), "dlopen"), "DIR/g"),
		"lib/libp.so":             lib(""), "g/libp.so": lib(""),
	}, []string{"text libp.so by lib/libgmodule-2.0.so.0: g/libp.so"}},
	{"text_of_the_machines_drivers", tree{
		"bin/prog":        runPath(opening(program(elftest.Image{}), "dlopen", "libEGL.so.1", "/run/opengl-driver/lib/libz.so", "/usr/lib/libz.so", "libcuda.so.1", "_drv_video.so"), "DIR/lib"),
		"lib/libEGL.so.1": lib(""),
	}, []string{"text libEGL.so.1 by bin/prog: nothing host: EGL", "text /run/opengl-driver/lib/libz.so by bin/prog: nothing host: the machine's drivers",
		"text libcuda.so.1 by bin/prog: nothing host: the CUDA driver", "text _drv_video.so by bin/prog: nothing"}},
	{"text_that_a_note_has", tree{
		"bin/prog":    runPath(noted(opening(program(elftest.Image{}), "dlopen", "libp.so"), `[{"soname":["libp.so"]}]`), "DIR/lib"),
		"lib/libp.so": lib(""),
	}, []string{"note libp.so by bin/prog: lib/libp.so recommended"}},
	{"file_in_the_way", tree{
		"bin/prog":    runPath(opening(program(elftest.Image{}), "dlopen", "libp.so"), "DIR/lib"),
		"lib/libp.so": elftest.Data("text"),
	}, []string{"text libp.so by bin/prog: nothing error: lib/libp.so: file too short"}},
}

// TestWishes looks for what one process may open.
func TestWishes(t *testing.T) {
	for _, c := range wishCases {
		t.Run(c.name, func(t *testing.T) {
			files := c.tree.at("/t")
			files[x86Interp] = elftest.Image{Soname: "ld-linux-x86-64.so.2"}
			cl, err := closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{})
			require.NoError(t, err)
			var s closure.Seeker
			for range 2 { // the second from what is kept
				wishes, err := s.Wishes(cl.LinkMaps[0])
				require.NoError(t, err)
				var got []string
				for i := range wishes {
					got = append(got, wishText(&wishes[i]))
				}
				assert.Equal(t, c.want, got)
			}
		})
	}
}

// TestWishesMusl: musl searches for the program, whoever calls, and knows no sonames.
func TestWishesMusl(t *testing.T) {
	prog := runPath(program(elftest.Image{}, "liba.so"), "DIR/lib")
	prog.Interp = "/lib/ld-musl-x86_64.so.1"
	files := tree{"bin/prog": prog, "lib/liba.so": runPath(opening(lib(""), "dlopen", "p.so", "q.so"), "DIR/own"),
		"own/q.so": lib(""), "lib/p.so": lib("")}.at("/t")
	files["/lib/ld-musl-x86_64.so.1"] = elftest.Image{Soname: "libc.so"}
	c, err := closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{})
	require.NoError(t, err)
	wishes, err := new(closure.Seeker).Wishes(c.LinkMaps[0])
	require.NoError(t, err)
	require.Len(t, wishes, 2)
	assert.Equal(t, "text p.so by lib/liba.so: lib/p.so", wishText(&wishes[0]))
	assert.Equal(t, "text q.so by lib/liba.so: nothing", wishText(&wishes[1]))
}
