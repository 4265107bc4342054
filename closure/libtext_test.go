package closure_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// wished are the names that the texts of a program ask for, sorted by where they stand.
func wished(tb testing.TB, im elftest.Image) []string {
	tb.Helper()
	return wishedOf(tb, im.Bytes())
}

func wishedOf(tb testing.TB, raw []byte) []string {
	tb.Helper()
	files := elftest.Tree{x86Interp: elftest.Image{Soname: "ld-linux-x86-64.so.2"}, "/t/bin/prog": elftest.Script(raw)}
	c, err := closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{})
	require.NoError(tb, err)
	wishes, err := new(closure.Seeker).Wishes(c.LinkMaps[0])
	require.NoError(tb, err)
	var names []string
	for _, w := range wishes {
		if w.Source == closure.WishText {
			require.True(tb, bytes.HasPrefix(raw[w.Off:], []byte(w.Names[0]+"\x00")), w.Names[0])
		}
		names = append(names, w.Names...)
	}
	return names
}

// TestTextsAnywhere: a string is found wherever it stands in a file that is read in pieces, and once.
func TestTextsAnywhere(t *testing.T) {
	const piece = 1 << 20
	for _, at := range []int{0, 1, piece - 4097, piece - 4096, piece - 12, piece - 5, piece, piece + 4096, 2*piece - 8192, 2*piece - 3, 3 * piece} {
		text := make([]byte, 3*piece+100)
		copy(text[at:], "libx.so.1\x00")
		for _, im := range []elftest.Image{program(elftest.Image{Rodata: text}), program(elftest.Image{Rodata: text, NoSections: true})} {
			assert.Equal(t, []string{"libx.so.1"}, wished(t, opening(im, "dlopen")), "at %d, sections %t", at, !im.NoSections)
		}
	}
}

// TestTextsWhole: what is no name, no whole string, or no string of the program's is none.
func TestTextsWhole(t *testing.T) {
	all := opening(program(elftest.Image{}, "libneeded.so"), "dlopen libsymbol.so", "liba.so", "\x01libb.so.1", "libneeded.so", "x libc.so", "libd.so.x",
		"libe.so.", "-lf.so", "lib%s.so", "libg.so.1.2.3", "a/h.so", "linux-vdso.so.1", "plugin.so", strings.Repeat("x", 300)+".so", strings.Repeat("y", 5000)+".so", "${ORIGIN}/i.so", "/usr/lib/j.so")
	all.Rodata = append(all.Rodata, "libend.so"...) // without a NUL
	assert.Equal(t, []string{"liba.so", "libb.so.1", "libg.so.1.2.3", "plugin.so", "${ORIGIN}/i.so"}, wished(t, all))

	// Where a section begins, so does a string, whatever stands before it.
	glued := opening(program(elftest.Image{}), "dlopen", "liba.so").Bytes()
	at := bytes.Index(glued, []byte("liba.so\x00"))
	glued[at-1] = 'x'
	assert.Equal(t, []string{"liba.so"}, wishedOf(t, glued))
}

// TestTextsAreNotCut: the end of a longer string is none, where a piece of the file begins either.
func TestTextsAreNotCut(t *testing.T) {
	const text = "no namelibx.so.1\x00"
	for shift := range len(text) {
		all := strings.Repeat("-", shift) + strings.Repeat(text, 1100000/len(text))
		assert.Empty(t, wished(t, opening(program(elftest.Image{Rodata: []byte(all)}), "dlopen")), "shifted by %d", shift)
	}
}

// FuzzDlopenNotes: any text in a note is read or refused, and what is read can be asked for.
func FuzzDlopenNotes(f *testing.F) {
	for _, json := range []string{
		`[{"soname":["liba.so"],"feature":"f","description":"d","priority":"suggested"}]`, `[{"soname":[]},7,{"soname":["a\u0000b"]}]`,
		`{}`, `[`, `[{"soname":["a"],"soname":["b"]}]`, strings.Repeat("[", 5000), `[{"SONAME":["x"],"priority":7}]`,
	} {
		f.Add([]byte(json))
	}
	f.Fuzz(func(t *testing.T, desc []byte) {
		im := program(elftest.Image{Notes: []elftest.Note{{Name: "FDO", Type: 0x407c0c0a, Desc: desc}}})
		files := elftest.Tree{x86Interp: elftest.Image{Soname: "ld-linux-x86-64.so.2"}, "/t/bin/prog": im}
		c, err := closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{})
		require.NoError(t, err)
		notes, _ := closure.DlopenNotes(c.LinkMaps[0].Program().Object)
		for _, n := range notes {
			require.NotEmpty(t, n.Sonames)
			require.Contains(t, []closure.Priority{closure.PriorityRequired, closure.PriorityRecommended, closure.PrioritySuggested}, n.Priority)
			for _, name := range n.Sonames {
				require.NotEmpty(t, name)
				require.NotContains(t, name, "\x00")
			}
		}
		_, err = new(closure.Seeker).Wishes(c.LinkMaps[0])
		require.NoError(t, err)
	})
}

// FuzzWishes: a damaged file asks for less, and never stops the search.
func FuzzWishes(f *testing.F) {
	good := noted(opening(program(elftest.Image{}, "libneeded.so"), "dlopen g_module_open", "liba.so", "$ORIGIN/b.so"), `[{"soname":["libc.so.7"]}]`).Bytes()
	f.Add(good)
	f.Add(program(elftest.Image{NoSections: true}).Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		files := elftest.Tree{x86Interp: elftest.Image{Soname: "ld-linux-x86-64.so.2"}, "/t/bin/prog": elftest.Script(file)}
		root := files.FS()
		c, err := closure.Walk(root, []string{"/t/bin/prog"}, closure.Options{})
		if err != nil {
			return
		}
		var s closure.Seeker
		_, err = s.Wishes(c.LinkMaps[0])
		require.NoError(t, err)
		_, err = s.Plugins(root, c.LinkMaps[0], nil)
		require.NoError(t, err)
	})
}
