package closure_test

import (
	"debug/elf"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

var (
	tool  = elftest.StorePath("tool-1.0")
	other = elftest.StorePath("other-machine-1.0")
	alone = elftest.StorePath("alone.txt")
)

// mentionStore has one of everything that a path can lead to.
func mentionStore() elftest.Tree {
	return elftest.Tree{
		zlib + "/lib/libz.so.1.3":            elftest.Image{Soname: "libz.so.1"},
		zlib + "/lib/libz.so.1":              elftest.Link("libz.so.1.3"),
		zlib + "/lib/libz.so":                elftest.Link(zlib + "/lib/libz.so.1"),
		zlib + "/lib/libgone.so":             elftest.Link("libgone.so.1"),
		zlib + "/include/zlib.h":             elftest.Data("int z;\n"),
		tool + "/bin/tool":                   elftest.Image{Interp: "/lib/ld.so", DynFlags1: elf.DF_1_PIE},
		tool + "/bin/old":                    elftest.Image{Interp: "/lib/ld.so", Type: elf.ET_EXEC},
		tool + "/bin/script":                 elftest.Script("#!/bin/sh\n"),
		tool + "/share/script.txt":           elftest.Data("#!/bin/sh\n"),
		tool + "/share/My App/some data.bin": elftest.Data("x"),
		tool + "/share/a:b":                  elftest.Data("x"),
		tool + "/share/empty":                elftest.Dir{},
		tool + "/etc/passwd":                 elftest.Link("/etc/passwd"),
		other + "/lib/liba.so":               elftest.Image{Machine: elf.EM_AARCH64},
		other + "/bin/a":                     elftest.Image{Machine: elf.EM_AARCH64, Interp: "/lib/ld.so", DynFlags1: elf.DF_1_PIE},
		alone:                                elftest.Data("x"),
		"etc/passwd":                         elftest.Data("x"),
	}
}

// mentions are those in a file, in a store in memory and in one on the disk, which must say the same.
func mentions(t *testing.T, holder elftest.File) []closure.Mention {
	t.Helper()
	files := mentionStore()
	files["holder"] = holder
	read := func(root fs.FS) []closure.Mention {
		r := closure.NewMentionReader(root, closure.Options{}, nil)
		o, err := r.Holder("/holder")
		require.NoError(t, err)
		got, err := r.Read(o)
		require.NoError(t, err)
		for i := range got {
			assert.Equal(t, "/holder", got[i].Holder)
			assert.Equal(t, got[i].Object != nil, got[i].Object != nil && got[i].Object.Path == got[i].Target)
			got[i].Object = nil
		}
		return got
	}
	onDisk, err := closure.OpenRoot(elftest.WriteTree(t, files))
	require.NoError(t, err)
	got := read(files.FS())
	require.Equal(t, got, read(onDisk))
	return got
}

// TestMentionKinds: what a string of a program names.
func TestMentionKinds(t *testing.T) {
	const (
		library, program, data = closure.MentionLibrary, closure.MentionProgram, closure.MentionData
		folder, store, source  = closure.MentionFolder, closure.MentionStorePath, closure.MentionSource
		absent, blank          = closure.MentionAbsent, closure.MentionBlanked
	)
	for _, test := range []struct {
		name, text string
		kind       closure.MentionKind
		path       string // "" for all of text
		target     string
	}{
		{"library", zlib + "/lib/libz.so.1.3", library, "", zlib + "/lib/libz.so.1.3"},
		{"library_by_links", zlib + "/lib/libz.so", library, "", zlib + "/lib/libz.so.1.3"},
		{"library_of_another_machine", other + "/lib/liba.so", data, "", other + "/lib/liba.so"},
		{"library_that_is_not_there", zlib + "/lib/libz.so.1.3.1", absent, "", ""},
		{"link_that_dangles", zlib + "/lib/libgone.so", absent, "", ""},
		{"link_out_of_the_store", tool + "/etc/passwd", data, "", "/etc/passwd"},
		{"program", tool + "/bin/tool", program, "", tool + "/bin/tool"},
		{"program_at_a_fixed_address", tool + "/bin/old", program, "", tool + "/bin/old"},
		{"program_of_another_machine", other + "/bin/a", program, "", other + "/bin/a"},
		{"command_line", tool + "/bin/tool --all", program, tool + "/bin/tool", tool + "/bin/tool"},
		{"script", tool + "/bin/script", program, "", tool + "/bin/script"},
		{"script_that_cannot_run", tool + "/share/script.txt", data, "", tool + "/share/script.txt"},
		{"file", tool + "/share/My App/some data.bin", data, "", tool + "/share/My App/some data.bin"},
		{"file_with_a_colon", tool + "/share/a:b", data, "", tool + "/share/a:b"},
		{"file_before_a_colon", tool + "/share/script.txt:" + "12", data, tool + "/share/script.txt", tool + "/share/script.txt"},
		{"folder", tool + "/share", folder, "", tool + "/share"},
		{"folder_with_a_slash", tool + "/share/", folder, "", tool + "/share"},
		{"two_slashes", tool + "//share//empty", folder, "", tool + "/share/empty"},
		{"dots", tool + "/bin/../share/./empty", folder, "", tool + "/share/empty"},
		{"other_path_by_dots", tool + "/../" + zlib[11:] + "/lib", folder, "", zlib + "/lib"},
		{"above_the_root", tool + "/../../../../../etc/passwd", data, "", "/etc/passwd"},
		{"template", tool + "/share/%s.dat", folder, tool + "/share/", tool + "/share"},
		{"template_in_a_name", tool + "/share/page-%d.dat", folder, tool + "/share/", tool + "/share"},
		{"pattern", zlib + "/lib/*.so", folder, zlib + "/lib/", zlib + "/lib"},
		{"template_below_nothing", tool + "/none/page-%d", absent, tool + "/none/", ""},
		{"store_path", tool, store, "", tool},
		{"store_path_with_a_slash", tool + "/", store, "", tool},
		{"store_path_that_is_a_file", alone, data, "", alone},
		{"store_path_that_is_not_there", gone, absent, "", ""},
		{"store_path_with_another_name", tool + "-debug", absent, "", ""},
		{"file_below_a_file", alone + "/x", data, alone, alone},
		{"source", gone + "/include/a.hpp", source, "", ""},
		{"source_and_line", gone + "/include/a.hpp:123: assertion failed", source, gone + "/include/a.hpp", ""},
		{"source_that_is_there", zlib + "/include/zlib.h", source, "", zlib + "/include/zlib.h"},
		{"build_only_output", gone + "/share/a b", absent, gone + "/share/a", ""},
		{"blanked", blanked(tool) + "/bin/tool", blank, "", ""},
		{"capitals", upper(tool) + "/bin/tool", blank, "", ""},
		{"source_in_capitals", upper(gone) + "/include/a.hpp", source, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := mentions(t, elftest.Image{Rodata: []byte("\x00" + test.text + "\x00")})
			path := test.path
			if path == "" {
				path = test.text
			}
			require.Len(t, got, 1)
			m := got[0]
			assert.Equal(t, test.kind, m.Kind)
			assert.Equal(t, path, m.Path)
			assert.Equal(t, test.target, m.Target)
			assert.Equal(t, []any{test.text, ".rodata", true, elfpatch.UseNone}, []any{m.Text, m.Section, m.Whole, m.Use})
		})
	}
}

// TestMentionEnds: where a path ends in what is no string of its own.
func TestMentionEnds(t *testing.T) {
	share := tool + "/share/script.txt"
	asText := func(text string) elftest.File { return elftest.Data(text) }
	asStrings := func(text string) elftest.File { return elftest.Image{Rodata: []byte("runtime error" + text + "\x00")} }
	for _, test := range []struct {
		name string
		file func(string) elftest.File
		text string
		path string
		kind closure.MentionKind
	}{
		{"quotes", asText, `a = "` + share + `";`, share, closure.MentionData},
		{"spaces_in_quotes", asText, `a = "` + tool + `/share/My App/some data.bin" b`, tool + "/share/My App/some data.bin", closure.MentionData},
		{"list", asText, "PATH=" + tool + "/bin:/usr/bin", tool + "/bin", closure.MentionFolder},
		{"shebang", asText, "#!" + tool + "/bin/script -e", tool + "/bin/script", closure.MentionProgram},
		{"json", asText, `{"path":"` + share + `","b":[]}`, share, closure.MentionData},
		{"xml", asText, `<dir>` + tool + `/share</dir>`, tool + "/share", closure.MentionFolder},
		{"markdown", asText, "see (" + share + ").", share, closure.MentionData},
		{"end_of_a_sentence", asText, "It is in " + share + ". Or not", share, closure.MentionData},
		{"assignment", asText, "-ffile-prefix-map=" + tool + "=/src", tool, closure.MentionStorePath},
		{"source_for_a_script", asText, "tcc -run " + zlib + "/include/zlib.h", zlib + "/include/zlib.h", closure.MentionData},
		{"other_name_in_text", asText, share + "s", share + "s", closure.MentionAbsent},
		{"other_library_in_text", asText, zlib + "/lib/libz.so.1.9", zlib + "/lib/libz.so.1.9", closure.MentionAbsent},
		{"joined_strings", asStrings, share + "unexpected end", share, closure.MentionData},
		{"joined_strings_with_a_slash", asStrings, tool + "/bin/script/usr/bin", tool + "/bin/script", closure.MentionProgram},
		{"joined_to_a_store_path", asStrings, tool + "panic", tool, closure.MentionStorePath},
		{"joined_longest", asStrings, zlib + "/lib/libz.so.1.3x", zlib + "/lib/libz.so.1.3", closure.MentionLibrary},
		{"joined_to_nothing", asStrings, gone + "/xunexpected end", gone + "/xunexpected", closure.MentionAbsent},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := mentions(t, test.file(test.text))
			require.Len(t, got, 1)
			assert.Equal(t, test.path, got[0].Path)
			assert.Equal(t, test.kind, got[0].Kind)
			assert.True(t, strings.HasPrefix(got[0].Text, got[0].Path))
		})
	}
}

// TestMentionUses: what the loader reads is told from what is the program's own.
func TestMentionUses(t *testing.T) {
	im := elftest.Image{
		Interp: zlib + "/lib/ld.so", Needed: []string{zlib + "/lib/libz.so.1", "libc.so.6"}, Soname: zlib + "/lib/own.so",
		RunPath: zlib + "/lib:" + tool + "/lib", Rodata: []byte("\x00" + alone + "\x00"), Debug: "\x00" + tool + "/share\x00",
		Dyn:     []elftest.Dyn{{Tag: elf.DynTag(0x6f000001), Str: gone + "/lib"}},
		Symbols: []elftest.Symbol{{Name: "path_of_it", Type: elf.STT_OBJECT, Size: 200}, {Name: "next", Type: elf.STT_OBJECT, Size: 200}},
	}
	b := im.Bytes()
	file, err := elf.NewFile(strings.NewReader(string(b)))
	require.NoError(t, err)
	symbols, err := file.DynamicSymbols()
	require.NoError(t, err)
	section := file.Section(".data")
	for _, s := range symbols {
		if s.Name == "next" {
			copy(b[s.Value-section.Addr+section.Offset+10:], tool+"/bin/tool\x00")
		}
	}
	type use struct {
		path, section, symbol string
		use                   elfpatch.Use
	}
	var got []use
	for _, m := range mentions(t, elftest.Script(b)) {
		got = append(got, use{m.Path, m.Section, m.Symbol, m.Use})
		if m.Section == ".debug_str" {
			assert.Equal(t, closure.MentionSource, m.Kind, "no program reads debugging information")
		}
	}
	assert.ElementsMatch(t, []use{
		{zlib + "/lib/ld.so", ".interp", "", elfpatch.UseInterp},
		{zlib + "/lib/libz.so.1", ".dynstr", "", elfpatch.UseNeeded},
		{zlib + "/lib/own.so", ".dynstr", "", elfpatch.UseSoname},
		{zlib + "/lib", ".dynstr", "", elfpatch.UseRunPath},
		{tool + "/lib", ".dynstr", "", elfpatch.UseRunPath},
		{gone + "/lib", ".dynstr", "", elfpatch.UseDead},
		{alone, ".rodata", "", elfpatch.UseNone},
		{tool + "/bin/tool", ".data", "next", elfpatch.UseNone},
		{tool + "/share", ".debug_str", "", elfpatch.UseNone},
	}, got)
}

// TestMentionOrder: many files on many processors, always in the same order; the objects that are known
// are the ones that mentions lead to.
func TestMentionOrder(t *testing.T) {
	files := mentionStore()
	for i := range 40 {
		files["h/"+string(rune('a'+i%26))+string(rune('a'+i/26))] = elftest.Data("\n" + zlib + "/lib/libz.so\n" + tool + "\n")
	}
	root, err := closure.OpenRoot(elftest.WriteTree(t, files))
	require.NoError(t, err)
	lib, err := closure.ReadObject(root, zlib+"/lib/libz.so")
	require.NoError(t, err)
	read := func() (all []closure.Mention) {
		r := closure.NewMentionReader(root, closure.Options{}, []*closure.Object{lib})
		var holders []*closure.Object
		for i := range 40 {
			o, err := r.Holder("/h/" + string(rune('a'+i%26)) + string(rune('a'+i/26)))
			require.NoError(t, err)
			holders = append(holders, o)
		}
		all, err := r.Read(holders...)
		require.NoError(t, err)
		return all
	}
	want := read()
	require.Len(t, want, 80)
	assert.Same(t, lib, want[0].Object)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	assert.Equal(t, len(want), len(read()))
	for i, m := range read() {
		assert.Equal(t, want[i].Holder, m.Holder)
		assert.Equal(t, want[i].Path, m.Path)
	}
}

// TestMentionHolders: what cannot be looked through, and a root without a store.
func TestMentionHolders(t *testing.T) {
	dir := elftest.WriteTree(t, elftest.Tree{"file": elftest.Data(zlib + "/x y"), "folder": elftest.Dir{}, "gone": elftest.Data("x")})
	root, err := closure.OpenRoot(dir)
	require.NoError(t, err)
	r := closure.NewMentionReader(root, closure.Options{}, nil)
	var refused *closure.ProgramError
	for _, name := range []string{"/none", "/folder"} {
		_, err := r.Holder(name)
		require.ErrorAs(t, err, &refused, name)
	}
	o, err := r.Holder("/file")
	require.NoError(t, err)
	got, err := r.Read(o)
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, closure.MentionAbsent, got[0].Kind)
	assert.Equal(t, zlib+"/x", got[0].Path)

	o, err = r.Holder("/gone")
	require.NoError(t, err)
	require.NoError(t, os.Remove(dir+"/gone"))
	_, err = r.Read(o)
	assert.EqualError(t, err, "/gone: no such file or directory")
}
