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

// TestNotesOfTexts: what is hardly the name of a library is counted, and not listed.
func TestNotesOfTexts(t *testing.T) {
	for _, test := range []struct {
		texts []string
		want  []string
	}{
		{[]string{"libabsent.so.3"}, []string{"app: app may open libabsent.so.3, which nothing answers"}},
		{[]string{"_plugin.so"}, []string{"app: the text _plugin.so may be the name of a library, and nothing answers it"}},
		{[]string{"complex.so", "4libdbus-1.so.3", "libabsent.so.3", "rational.so"}, []string{
			"app: app may open libabsent.so.3, which nothing answers",
			"app: 3 texts such as complex.so may be names of libraries, and nothing answers them",
		}},
	} {
		root := storeTree(t, map[string]elftest.File{"app-1/bin/app": opening(runPath(program()), "dlopen", test.texts...)})
		p, err := gathered(t, root, closure.Follow{}, bundle.Options{}, "app-1/bin/app")
		require.NoError(t, err)
		require.Equal(t, test.want, notesAbout(p, "nothing answers"))
	}
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

// TestNotesOfPlugins: what is asked for is not told as left out any more, and what is not there is said.
func TestNotesOfPlugins(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{
		"ruby-3/lib/libruby-3.1.so.3.1":       lib("libruby-3.1.so.3.1"),
		"ruby-3/lib/ruby/3.1.0/x86/etc.so":    lib(""),
		"fonts-2/lib/libfontconfig.so.1":      lib("libfontconfig.so.1"),
		"fonts-2/etc/fonts/fonts.conf":        elftest.Data("<fontconfig/>"),
		"gst-1/lib/libgstreamer-1.0.so.0":     lib("libgstreamer-1.0.so.0"),
		"app-1/bin/app":                       runPath(program("libruby-3.1.so.3.1", "libfontconfig.so.1", "libgstreamer-1.0.so.0"), "ruby-3", "fonts-2", "gst-1"),
		"gst-1/lib/gstreamer-1.0/README":      elftest.Data("text"),
		"fonts-2/share/fonts/truetype/README": elftest.Data("text"),
	})
	gst := elftest.StorePath("gst-1")
	for _, test := range []struct {
		plugins         []string
		notes, warnings []string
	}{
		{nil, []string{"app: not taken along unless asked for: --plugins fontconfig,ruby"}, nil},
		{[]string{"ruby"}, []string{"app: not taken along unless asked for: --plugins fontconfig"}, nil},
		{[]string{"ruby", "fontconfig", "-qt6-plugins"}, nil, nil},
		{[]string{"ruby", "fontconfig", "python", "gstreamer", "gstreamer", "vulkan"}, nil, []string{
			"--plugins gstreamer: plugins of GStreamer: none found below " + gst + ": lib/gstreamer-1.0",
			"--plugins python: Python's library with its extension modules: no program loads libpython3.*.so*",
			"--plugins vulkan: Vulkan drivers: they belong to the machine that runs the program, and are never taken along",
		}},
	} {
		p, err := gathered(t, root, closure.Follow{Plugins: test.plugins}, bundle.Options{}, "app-1/bin/app")
		require.NoError(t, err)
		require.Equal(t, test.notes, notesAbout(p, "--plugins"))
		require.Equal(t, test.warnings, p.Warnings)
		v := verify(t, written(t, "x.tar", pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})))
		require.Empty(t, v.Findings)
		require.Empty(t, v.Accepted, "what is not there is no conflict")
	}
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
