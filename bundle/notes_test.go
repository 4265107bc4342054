package bundle_test

import (
	"debug/elf"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// opening makes an image import a function and hold strings, each whole.
func opening(im elftest.Image, function string, texts ...string) elftest.Image {
	im.Symbols = append(im.Symbols, elftest.Symbol{Name: function, Undefined: true, Relocs: []uint32{uint32(elf.R_X86_64_JMP_SLOT)}})
	for _, t := range texts {
		im.Rodata = append(append(im.Rodata, t...), 0)
	}
	return im
}

// TestNotesOfTheMachine: what a need brings is not left to the machine.
func TestNotesOfTheMachine(t *testing.T) {
	player := opening(runPath(program("libGL.so.1", "libOpenCL.so.1"), "gl-1"), "dlopen",
		"libGL.so.1", "libGL.so", "libOpenCL.so", "libOpenGL.so.0", "libGLX_mesa.so.0", "libcuda.so.1")
	root := storeTree(t, map[string]elftest.File{
		"gl-1/lib/libGL.so.1":         lib("libGL.so.1"),
		"gl-1/lib/libOpenCL.so.1":     elftest.Link("libOpenCL.so.1.0.0"),
		"gl-1/lib/libOpenCL.so.1.0.0": lib("libOpenCL.so.1"),
		"player-1/bin/player":         player,
	})
	p, err := gathered(t, root, closure.Follow{}, bundle.Options{}, "player-1/bin/player")
	require.NoError(t, err)
	require.Equal(t, []string{
		"player: left to the machine: libOpenGL.so.0, libGLX_mesa.so.0 (OpenGL)",
		"player: left to the machine: libcuda.so.1 (the CUDA driver)",
	}, notesAbout(p, "left to the machine"))
}

// TestNotesOfLaunchers: a program that is started by a script needs a shell, and the reader is told so once a bundle.
func TestNotesOfLaunchers(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{"one-1/bin/one": program(), "two-1/bin/two": program()})
	set := closure.Follow{Env: []wrapper.Change{{Op: wrapper.Set, Name: "MODEL", Value: "x"}, {Op: wrapper.SetDefault, Name: "CONF", Value: "y"}}}
	for _, test := range []struct {
		follow closure.Follow
		interp string
		want   []string
	}{
		{closure.Follow{}, "", nil},
		{closure.Follow{}, "wrapper", []string{"one/bin/one, one/bin/two: started by a sh script: the target needs /bin/sh"}},
		{set, "", []string{"one/bin/one, one/bin/two: started by a sh script, which sets MODEL, CONF: the target needs /bin/sh"}},
	} {
		p, err := gathered(t, root, test.follow, bundle.Options{Interp: test.interp}, "one-1/bin/one", "two-1/bin/two")
		require.NoError(t, err)
		require.Equal(t, test.want, notesAbout(p, "/bin/sh"))
	}
	p, err := gathered(t, root, closure.Follow{}, bundle.Options{Prefix: "/opt/one"}, "one-1/bin/one")
	require.NoError(t, err)
	require.Empty(t, notesAbout(p, "/bin/sh"))
}

// notesAbout are the notes of a plan that have some words in them.
func notesAbout(p *bundle.Plan, words string) []string {
	var found []string
	for _, n := range p.Notes {
		if strings.Contains(n, words) {
			found = append(found, n)
		}
	}
	return found
}
