package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
	"github.com/stretchr/testify/require"
)

// apply makes the edit e of the file in, checks what holds of every edit, and gives the result.
func apply(t testing.TB, in []byte, e elfpatch.Edit) []byte {
	t.Helper()
	img, err := elfpatch.Apply(bytes.NewReader(in), int64(len(in)), e)
	require.NoError(t, err)
	out := imageBytes(t, img)
	checkOutside(t, in, out, img)
	checkWish(t, read(t, in), read(t, out), e)
	checkDefects(t, "edit", in, out)
	if e.RemoveNeeded == nil && e.ClearVersions == nil && e.RenameSymbols == nil {
		checkNames(t, in, out)
	}
	again, err := elfpatch.Apply(bytes.NewReader(out), int64(len(out)), e)
	require.NoError(t, err)
	require.False(t, again.Changed(), "the same edit again changes the file")
	return out
}

// imageBytes reads an image in both ways.
func imageBytes(t testing.TB, img *elfpatch.Image) []byte {
	t.Helper()
	var all bytes.Buffer
	n, err := img.WriteTo(&all)
	require.NoError(t, err)
	require.Equal(t, img.Size(), n)
	require.Equal(t, img.Size(), int64(all.Len()))
	piece := make([]byte, 777)
	for off := int64(0); off < img.Size(); off += 500 {
		n, err := img.ReadAt(piece, off)
		if err != nil {
			require.EqualError(t, err, "EOF")
		}
		require.True(t, bytes.Equal(piece[:n], all.Bytes()[off:off+int64(n)]), "ReadAt differs from WriteTo at %d", off)
	}
	return all.Bytes()
}

// checkOutside checks that what no overlay names is the input's, and that the list is in order.
func checkOutside(t testing.TB, in, out []byte, img *elfpatch.Image) {
	t.Helper()
	at := int64(0)
	for _, o := range img.Overlays() {
		require.GreaterOrEqual(t, o.Off, at)
		require.True(t, bytes.Equal(in[at:o.Off], out[at:o.Off]), "bytes before %#x differ", o.Off)
		at = o.Off + o.Len
	}
	if at < int64(len(out)) {
		require.True(t, bytes.Equal(in[at:], out[at:]), "bytes behind %#x differ", at)
	}
	if !img.Changed() {
		require.True(t, bytes.Equal(in, out))
	}
}

// checkWish holds the facts of a patched file against those of the input and the edit.
func checkWish(t testing.TB, in, got *elfpatch.Info, e elfpatch.Edit) {
	t.Helper()
	want := *in
	want.Segments, want.Notes = got.Segments, got.Notes // they move
	for _, n := range in.Notes {
		require.True(t, n.Name == "NixOS" || slices.ContainsFunc(got.Notes, func(o elfpatch.Note) bool {
			return o.Name == n.Name && o.Type == n.Type && bytes.Equal(o.Desc, n.Desc)
		}), "no note %d of %q any more", n.Type, n.Name)
	}
	if e.Interp != "" {
		want.Interp = e.Interp
	}
	if e.Loader != "" {
		entry := in.Entry
		if in.Stub != nil {
			entry = in.Stub.Entry
		}
		require.Equal(t, e.Loader, got.Stub.Loader)
		require.Equal(t, entry, got.Stub.Entry)
		want.Interp, want.Stub, want.Entry = "", got.Stub, got.Entry
	}
	if e.Soname != "" {
		want.Soname = e.Soname
	}
	if e.RemoveRunPath || e.RunPath != "" {
		want.RPath, want.HasRPath, want.RunPath, want.HasRunPath = "", false, "", false
	}
	if e.RunPath != "" && e.RPath {
		want.RPath, want.HasRPath = e.RunPath, true
	} else if e.RunPath != "" {
		want.RunPath, want.HasRunPath = e.RunPath, true
	}
	if old, has := in.SearchList(); e.AddRunPath != "" && (!has || !slices.Contains(strings.Split(old, ":"), e.AddRunPath)) {
		want.RPath, want.HasRPath = "", false
		want.RunPath, want.HasRunPath = strings.TrimPrefix(old+":"+e.AddRunPath, ":"), true
	}
	if _, has := in.SearchList(); e.EmptyRunPath {
		want.RPath, want.HasRPath, want.RunPath, want.HasRunPath = "", false, "", has
	}
	if e.OSABI != nil {
		want.OSABI = *e.OSABI
	}
	if e.NoDefaultLib {
		want.DynFlags1 |= elf.DF_1_NODEFLIB
	}
	want.Debug = want.Debug || e.DebugTag
	if e.ExecStack != nil {
		present, executable := got.Stack()
		require.True(t, present)
		require.Equal(t, *e.ExecStack, executable)
	}
	want.Needed, want.VerNeeds = got.Needed, got.VerNeeds
	require.Equal(t, &want, got)
	checkNeeded(t, in, got, e)
	checkSegments(t, in.Segments, got.Segments, got.Stub != nil)
}

// checkNames checks that symbols and relocations find the names and versions they had.
func checkNames(t testing.TB, in, out []byte) {
	t.Helper()
	names := func(b []byte) (list []string) {
		for _, s := range symbolsOf(t, b) {
			list = append(list, s.Name+"@"+s.Version)
		}
		return list
	}
	require.Equal(t, names(in), names(out))
}

// checkNeeded checks the needed names, and that vn_file follows them.
func checkNeeded(t testing.TB, in, got *elfpatch.Info, e elfpatch.Edit) {
	t.Helper()
	for _, name := range e.AddNeeded {
		require.Contains(t, got.Needed, name)
	}
	files := func(info *elfpatch.Info) (names []string) {
		for _, v := range info.VerNeeds {
			names = append(names, v.File)
		}
		return names
	}
	for from := range e.ReplaceNeeded {
		require.NotContains(t, got.Needed, from)
		require.NotContains(t, files(got), from)
	}
	for _, name := range e.RemoveNeeded {
		require.NotContains(t, got.Needed, name)
		require.NotContains(t, files(got), name)
	}
	for _, file := range files(got) {
		if !slices.Contains(files(in), file) {
			require.Contains(t, got.Needed, file, "vn_file is no needed name")
		}
	}
}

// checkSegments checks that every PT_LOAD is where it was, that at most one came, and that none came
// to share a page with another, whatever page size of those the file is made for.
func checkSegments(t testing.TB, in, got []elfpatch.Segment, stubbed bool) {
	t.Helper()
	loads := func(list []elfpatch.Segment) (loads []elfpatch.Segment) {
		for _, s := range list {
			if s.Type == elf.PT_LOAD {
				loads = append(loads, s)
			}
		}
		return loads
	}
	old, now := loads(in), loads(got)
	require.LessOrEqual(t, len(now), len(old)+2, "at most a start stub and a segment of tables came")
	page := (&elfpatch.Info{Segments: in}).MaxAlign()
	for i, s := range now {
		if i > 0 && page > 0 {
			last, shared := now[i-1].Vaddr+now[i-1].Memsz, false
			if i < len(old) { // the linker may have had reasons
				shared = (old[i-1].Vaddr+old[i-1].Memsz-1)/page >= old[i].Vaddr/page
			}
			require.True(t, shared || (last-1)/page < s.Vaddr/page, "segments %d and %d share a page", i-1, i)
			require.LessOrEqual(t, last, s.Vaddr)
		}
		if s.Align > 1 {
			require.Zero(t, (s.Vaddr-s.Off)%s.Align)
		}
	}
	missing := 0
	for i, o := range old {
		kept := slices.ContainsFunc(now, func(s elfpatch.Segment) bool {
			return s.Off == o.Off && s.Vaddr == o.Vaddr && s.Flags == o.Flags && s.Align == o.Align && s.Memsz >= o.Memsz
		})
		if !kept { // the segment of an earlier edit
			missing++
			require.True(t, stubbed || i == len(old)-1 && len(now) == len(old), "the PT_LOAD at %#x moved", o.Vaddr)
		}
	}
	require.LessOrEqual(t, missing, 1)
}

// longPath is a search list that fits in no place of a small file.
var longPath = "$ORIGIN/../../lib:$ORIGIN/foo-1.2:" + strings.Repeat("/x", 60)

func TestApplyNothing(t *testing.T) {
	for name, b := range fixtures() {
		img, err := elfpatch.Apply(bytes.NewReader(b), int64(len(b)), elfpatch.Edit{})
		require.NoError(t, err, name)
		require.False(t, img.Changed(), name)
		require.Empty(t, img.Overlays(), name)
		require.True(t, bytes.Equal(b, imageBytes(t, img)), name)
	}
}

// Every flavour takes every kind of edit.
func TestApplyFlavours(t *testing.T) {
	edits := map[string]elfpatch.Edit{
		"short run path": {RunPath: "$ORIGIN"},
		"long run path":  {RunPath: longPath},
		"rpath":          {RunPath: "$ORIGIN/../lib", RPath: true},
		"no run path":    {RemoveRunPath: true},
		"soname":         {Soname: "libother.so.7"},
		"add needed":     {AddNeeded: []string{"libx.so.1", "libc.so.6", "liby.so.1"}},
		"replace needed": {ReplaceNeeded: map[string]string{"libc.so.6": "libcrt.so.6", "libm.so.6": "m.so.6"}},
		"remove needed":  {RemoveNeeded: []string{"libm.so.6"}},
		"add run path":   {AddRunPath: "/added"},
		"empty run path": {EmptyRunPath: true},
		"OS ABI":         {OSABI: new(elf.ELFOSABI_FREEBSD)},
		"no default lib": {NoDefaultLib: true},
		"debug tag":      {DebugTag: true},
		"exec stack":     {ExecStack: new(true)},
		"no exec stack":  {ExecStack: new(bool)},
		"all at once": {
			OSABI: new(elf.ELFOSABI_LINUX), NoDefaultLib: true, DebugTag: true, ExecStack: new(true),
			RunPath: longPath, Soname: "libsecond.so", AddNeeded: []string{"libz.so"}, RemoveNeeded: []string{"libm.so.6"},
			ReplaceNeeded: map[string]string{"libc.so.6": "libc-of-another-name.so.6"},
		},
	}
	for name, flavour := range flavours() {
		for what, e := range edits {
			t.Run(name+" "+what, func(t *testing.T) {
				apply(t, ofKind(library(), flavour).Bytes(), e)
			})
		}
		t.Run(name+" interp", func(t *testing.T) {
			b := ofKind(program(), flavour).Bytes()
			for _, interp := range []string{"/lib/ld.so", "/lib64/ld-linux-x86-64.so.2/", "/" + strings.Repeat("long/", 40) + "ld.so"} {
				b = apply(t, b, elfpatch.Edit{Interp: interp, RunPath: longPath})
			}
		})
	}
}

// A file without section headers says less of what it does not use.
func TestApplyBare(t *testing.T) {
	for name, flavour := range flavours() {
		im := ofKind(library(), flavour)
		im.NoSections = true
		b := im.Bytes()
		for _, e := range []elfpatch.Edit{
			{RunPath: "$ORIGIN/../lib"}, {RemoveRunPath: true}, {ReplaceNeeded: map[string]string{"libc.so.6": "c.so.6"}},
			{RemoveNeeded: []string{"libm.so.6"}}, {RunPath: longPath},
		} {
			t.Run(name, func(t *testing.T) { apply(t, b, e) })
		}
	}
}

// Edits of edits do not pile up: when the string table has once left its place, a second round of
// the same edits adds nothing.
func TestApplyRepeated(t *testing.T) {
	first := apply(t, library().Bytes(), elfpatch.Edit{RunPath: longPath, Soname: "libfoo.so.1.1"})
	round := func(b []byte) []byte {
		for i := range 40 {
			e := elfpatch.Edit{Soname: "lib" + strings.Repeat("s", i*7%23) + ".so"}
			if i%3 != 0 {
				e.RunPath = "$ORIGIN/" + strings.Repeat("p", i*31%200)
			}
			b = apply(t, b, e)
		}
		return b
	}
	once := round(first)
	require.LessOrEqual(t, len(once), len(first)+768)
	require.Len(t, round(once), len(once))
	require.Len(t, read(t, once).Segments, len(read(t, first).Segments))
}

// Needed names that already are suffixes of strings cost nothing, and equal ones become one.
func TestApplyNeeded(t *testing.T) {
	im := library()
	in := read(t, im.Bytes())
	b := apply(t, im.Bytes(), elfpatch.Edit{ReplaceNeeded: map[string]string{"libc.so.6": "c.so.6"}})
	require.Len(t, b, len(im.Bytes()))
	b = apply(t, im.Bytes(), elfpatch.Edit{ReplaceNeeded: map[string]string{"libc.so.6": "libm.so.6"}})
	require.Equal(t, []string{"libm.so.6"}, read(t, b).Needed)
	b = apply(t, im.Bytes(), elfpatch.Edit{AddNeeded: []string{"b", "a", "b", "libm.so.6"}})
	require.Equal(t, append([]string{"b", "a"}, in.Needed...), read(t, b).Needed)
}

// What an edit leaves behind names no store path.
func TestApplyLeavesNothing(t *testing.T) {
	im := program()
	im.Interp, im.RunPath = "/nix/store/aaaa-glibc/lib/ld.so", "/nix/store/bbbb-foo/lib:/nix/store/cccc/lib"
	im.Needed = append(im.Needed, "/nix/store/dddd/lib/libx.so")
	for _, runPath := range []string{"$ORIGIN", longPath} {
		b := apply(t, im.Bytes(), elfpatch.Edit{
			Interp: "/lib/ld.so", RunPath: runPath, ReplaceNeeded: map[string]string{"/nix/store/dddd/lib/libx.so": "libx.so"},
		})
		require.NotContains(t, string(b), "/nix/store/")
	}
}

// A removed need takes its versions along: its symbols want none.
func TestApplyRemoveVersions(t *testing.T) {
	im := program()
	im.Needed = []string{"liba.so", "libb.so"}
	im.Symbols = []elftest.Symbol{
		{Name: "one", Undefined: true, Version: "A_1", VersionFile: "liba.so"},
		{Name: "two", Undefined: true, Version: "B_1", VersionFile: "libb.so"},
	}
	versions := func(b []byte) map[string]string {
		named := map[string]string{}
		for _, s := range symbolsOf(t, b) {
			named[s.Name] = s.Version
		}
		return named
	}
	for _, gone := range [][]string{{"liba.so"}, {"libb.so"}, {"liba.so", "libb.so"}} {
		got := versions(apply(t, im.Bytes(), elfpatch.Edit{RemoveNeeded: gone}))
		require.Equal(t, slices.Contains(gone, "liba.so"), got["one"] == "")
		require.Equal(t, slices.Contains(gone, "libb.so"), got["two"] == "")
	}
}

func TestApplyRefuses(t *testing.T) {
	lib, prog, itself := library(), program(), elftest.Image{Type: elf.ET_EXEC, Spare: -1}
	withTrailer := library()
	withTrailer.Trailer, withTrailer.Padding = bytes.Repeat([]byte("payload"), 1000), 0
	for name, c := range map[string]struct {
		in   []byte
		edit elfpatch.Edit
		err  error
	}{
		"static":            {elftest.Image{Static: true}.Bytes(), elfpatch.Edit{RunPath: "x"}, elfpatch.ErrNotDynamic},
		"object":            {elftest.Image{Type: elf.ET_REL}.Bytes(), elfpatch.Edit{RunPath: "x"}, elfpatch.ErrUnsupported},
		"text":              {[]byte("#!/bin/sh\n"), elfpatch.Edit{RunPath: "x"}, elfpatch.ErrNotELF},
		"interp of library": {lib.Bytes(), elfpatch.Edit{Interp: "/lib/ld.so"}, elfpatch.ErrUnsupported},
		"set and remove":    {lib.Bytes(), elfpatch.Edit{RunPath: "x", RemoveRunPath: true}, elfpatch.ErrUnsupported},
		"NUL":               {lib.Bytes(), elfpatch.Edit{RunPath: "a\x00b"}, elfpatch.ErrUnsupported},
		"empty need":        {lib.Bytes(), elfpatch.Edit{AddNeeded: []string{""}}, elfpatch.ErrUnsupported},
		"needed to nothing": {lib.Bytes(), elfpatch.Edit{ReplaceNeeded: map[string]string{"libc.so.6": ""}}, elfpatch.ErrUnsupported},
		"long interp":       {prog.Bytes(), elfpatch.Edit{Interp: strings.Repeat("x", 4096)}, elfpatch.ErrUnsupported},
		"starts itself":     {itself.Bytes(), elfpatch.Edit{Soname: "ld.so"}, elfpatch.ErrUnsupported},
		"trailer":           {withTrailer.Bytes(), elfpatch.Edit{RunPath: strings.Repeat("/x", 9999)}, elfpatch.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			img, err := elfpatch.Apply(bytes.NewReader(c.in), int64(len(c.in)), c.edit)
			require.ErrorIs(t, err, c.err)
			require.Nil(t, img)
		})
	}
}

// The extension of e_shnum is refused, or the headers would go stale.
func TestApplyManySections(t *testing.T) {
	b := library().Bytes()
	shoff := le.Uint64(b[40:])
	le.PutUint64(b[shoff+32:], uint64(le.Uint16(b[60:])))
	le.PutUint16(b[60:], 0)
	_, err := applyBytes(b, elfpatch.Edit{RunPath: "$ORIGIN"})
	require.ErrorIs(t, err, elfpatch.ErrUnsupported)
	require.ErrorContains(t, err, "e_shnum")
}

func applyBytes(b []byte, e elfpatch.Edit) (*elfpatch.Image, error) {
	return elfpatch.Apply(bytes.NewReader(b), int64(len(b)), e)
}

// withoutSections clears what the ELF header says of section headers, and cuts off what only they
// describe, as sstrip does.
func withoutSections(t testing.TB, b []byte) []byte {
	end := uint64(0)
	for _, s := range read(t, b).Segments {
		end = max(end, s.Off+s.Filesz)
	}
	b = slices.Clone(b[:end])
	if b[elf.EI_CLASS] == byte(elf.ELFCLASS32) {
		clear(b[32:36]) // e_shoff
		clear(b[46:52]) // e_shentsize, e_shnum, e_shstrndx
	} else {
		clear(b[40:48])
		clear(b[58:64])
	}
	return b
}

// TestInterpShrinksInOwnSegment: a shorter PT_INTERP in the segment that an edit added leaves no hole there, by
// which the next edit would take it for another's and add one more.
func TestInterpShrinksInOwnSegment(t *testing.T) {
	long := "/lib/" + strings.Repeat("../lib/", 60) + "ld.so"
	tried := 0
	for name, b := range fixtures() {
		info, err := elfpatch.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil || info.Interp == "" || !info.Dynamic {
			continue
		}
		tried++
		loads := countLoads(info.Segments)
		for n := range 4 {
			for _, e := range []elfpatch.Edit{
				{Interp: long, RunPath: longPath + strings.Repeat(":/a/path", 9*n)}, {Interp: "/ld.so"},
				{RunPath: longPath + strings.Repeat(":/the/path", 40*n)}, {Interp: long},
				{Interp: long[7:], RunPath: longPath + strings.Repeat(":/path", 99*n)},
			} {
				b = apply(t, b, e)
				require.LessOrEqual(t, countLoads(read(t, b).Segments), loads+1, name)
				require.Empty(t, defects(t, b), name)
			}
		}
	}
	require.Greater(t, tried, 4)
}

// TestReadOnlyDynamic: the loader writes DT_DEBUG where there is one, so a dynamic section that it may not write
// gets none.
func TestReadOnlyDynamic(t *testing.T) {
	im := library()
	b := im.Bytes()
	k := breaker{t, b}
	le.PutUint32(k.header(elf.PT_DYNAMIC, 0)[pFlags:], uint32(elf.PF_R))
	_, err := elfpatch.Apply(bytes.NewReader(b), int64(len(b)), elfpatch.Edit{DebugTag: true})
	require.ErrorIs(t, err, elfpatch.ErrUnsupported)
	require.ErrorContains(t, err, "read-only")
	apply(t, b, elfpatch.Edit{RunPath: "/x"})
}
