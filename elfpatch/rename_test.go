package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
	"github.com/stretchr/testify/require"
)

// renamed gives each name of symbols of b a longer one.
func renamed(t testing.TB, b []byte) map[string]string {
	names := map[string]string{}
	for _, s := range symbolsOf(t, b) {
		if s.Name != "" {
			names[s.Name] = s.Name + "_of_another_name"
		}
	}
	return names
}

// Symbols keep all but their names, and both hash tables lead to each by its new name, whatever the
// class, the byte order and the tables are.
func TestApplyRename(t *testing.T) {
	for name, flavour := range flavours() {
		for _, hash := range []elftest.Hash{elftest.HashBoth, elftest.HashGNU, elftest.HashSysV} {
			im := ofKind(library(), flavour)
			im.Hash = hash
			in := im.Bytes()
			names := renamed(t, in)
			if name == elf.EM_MIPS.String() && hash != elftest.HashSysV { // there the GOT is in the order of symbols
				_, err := applyBytes(in, elfpatch.Edit{RenameSymbols: names})
				require.ErrorIs(t, err, elfpatch.ErrUnsupported)
				continue
			}
			out := apply(t, in, elfpatch.Edit{RenameSymbols: names, RunPath: longPath})
			checkRenamed(t, in, out, names)
			back := map[string]string{}
			for from, to := range names {
				back[to] = from
			}
			again := apply(t, out, elfpatch.Edit{RenameSymbols: back})
			checkRenamed(t, out, again, back)
			require.LessOrEqual(t, len(again), len(out), name)
		}
	}
}

// checkRenamed compares the symbols of two files as sets, and asks the tables of the second.
func checkRenamed(t testing.TB, in, out []byte, names map[string]string) {
	t.Helper()
	before, after := symbolsOf(t, in), symbolsOf(t, out)
	key := func(s elfpatch.Symbol) string { return s.Name + "\x00" + s.Version + "\x00" + string(rune(s.Value)) }
	for i, s := range before {
		if to, ok := names[s.Name]; ok {
			before[i].Name = to
		}
	}
	sort := func(list []elfpatch.Symbol) {
		slices.SortFunc(list, func(a, b elfpatch.Symbol) int { return strings.Compare(key(a), key(b)) })
	}
	sort(before)
	sort(after)
	require.Equal(t, before, after)
	require.Equal(t, found(t, in, names), found(t, out, nil))
}

// found counts what the table that the loader uses finds, by name.
func found(t testing.TB, b []byte, names map[string]string) map[string]int {
	t.Helper()
	s, err := read(t, b).ReadLookup(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	all := map[string]int{}
	for hash, i := range s.Hashes() {
		name := s.Name(int(i))
		want := uint32(5381)
		for _, c := range []byte(name) {
			want = want*33 + uint32(c)
		}
		require.Equal(t, want|1, hash, name)
		if to, ok := names[name]; ok {
			name = to
		}
		all[name]++
	}
	return all
}

// One symbol of a large table: the rest is where it was, and a name that is not there changes nothing.
func TestApplyRenameOne(t *testing.T) {
	in := library().Bytes()
	img, err := applyBytes(in, elfpatch.Edit{RenameSymbols: map[string]string{"nobody": "somebody"}})
	require.NoError(t, err)
	require.False(t, img.Changed())
	names := map[string]string{"data": "datum"}
	checkRenamed(t, in, apply(t, in, elfpatch.Edit{RenameSymbols: names}), names)
	taken := map[string]string{"data": "plain"}
	out := apply(t, in, elfpatch.Edit{RenameSymbols: taken})
	require.Len(t, out, len(in), "a name that is there costs nothing")
	require.Equal(t, 2, found(t, out, nil)["plain"])
}

// Every symbol of that name loses its version, whichever it was.
func TestApplyClearVersions(t *testing.T) {
	for _, flavour := range flavours() {
		in := ofKind(library(), flavour).Bytes()
		out := apply(t, in, elfpatch.Edit{ClearVersions: []string{"foo", "puts"}})
		kept := map[string][]string{}
		for _, s := range symbolsOf(t, out) {
			kept[s.Name] = append(kept[s.Name], s.Version)
		}
		require.Equal(t, []string{"", ""}, kept["foo"])
		require.Equal(t, []string{""}, kept["puts"])
		require.Len(t, out, len(in))
	}
}

// A needed version goes with the last symbol that wants it, and a record with its last version. What no
// symbol wanted before stays: it may stand for more than symbols, as GLIBC_ABI_DT_RELR.
func TestApplyClearVersionsPrunes(t *testing.T) {
	const libc, libm = "libc.so.6", "libm.so.6"
	wants := func(name, version string) elftest.Symbol {
		return elftest.Symbol{Name: name, Undefined: true, Version: version}
	}
	im := elftest.Image{
		Needed: []string{libm, libc},
		Symbols: []elftest.Symbol{
			wants("exp", "GLIBC_2.29"), wants("log", "GLIBC_2.29"), wants("sin", "GLIBC_2.2.5"), wants("fcntl64", "GLIBC_2.28"),
		},
		VersionNeeds: []elftest.VersionNeed{{File: libm, Version: "GLIBC_2.40"}, {File: libc, Version: "GLIBC_ABI_DT_RELR"}},
	}
	for name, flavour := range flavours() {
		in := ofKind(im, flavour).Bytes()
		for _, c := range []struct{ clear, gone []string }{
			{[]string{"exp"}, nil},
			{[]string{"exp", "log"}, []string{"GLIBC_2.29"}},
			{[]string{"fcntl64", "none"}, []string{"GLIBC_2.28"}},
			{[]string{"log", "sin", "fcntl64", "exp"}, []string{"GLIBC_2.2.5", "GLIBC_2.28", "GLIBC_2.29"}},
		} {
			out := apply(t, in, elfpatch.Edit{ClearVersions: c.clear})
			require.Equal(t, without(versionsOf(read(t, in)), c.gone), versionsOf(read(t, out)), "%s %v", name, c.clear)
			for _, s := range symbolsOf(t, out) {
				require.Equal(t, !slices.Contains(c.clear, s.Name), s.Version != "", "%s %v %s", name, c.clear, s.Name)
			}
			for _, gone := range c.gone {
				require.NotContains(t, string(out), gone)
			}
		}
	}
	im.VersionNeeds = nil
	out := apply(t, im.Bytes(), elfpatch.Edit{ClearVersions: []string{"exp", "log", "sin", "fcntl64"}, RunPath: longPath})
	require.Empty(t, read(t, out).VerNeeds)
	require.Equal(t, []string{libm, libc}, read(t, out).Needed)
}

// Where no version is left, there is no DT_VERSYM either: the loader would look for its versions in a list
// that it has not made (glibc elf/do-rel.h).
func TestApplyDropsAllVersions(t *testing.T) {
	for name, flavour := range flavours() {
		for what, e := range map[string]elfpatch.Edit{
			"clear":  {ClearVersions: []string{"puts", "exit"}},
			"remove": {RemoveNeeded: []string{"libc.so.6"}},
		} {
			im := ofKind(program(), flavour)
			im.RunPath, im.BSS = "/opt/lib", 64
			in := im.Bytes()
			for _, b := range [][]byte{in, apply(t, in, elfpatch.Edit{RunPath: longPath, AddNeeded: []string{"a", "b"}})} {
				out := apply(t, b, e)
				f, err := elf.NewFile(bytes.NewReader(out))
				require.NoError(t, err)
				for _, tag := range []elf.DynTag{elf.DT_VERSYM, elf.DT_VERNEED, elf.DT_VERNEEDNUM} {
					values, err := f.DynValue(tag)
					require.NoError(t, err)
					require.Empty(t, values, "%s %s %v", name, what, tag)
				}
				for _, s := range f.Sections {
					require.NotEqual(t, elf.SHT_GNU_VERSYM, s.Type)
					require.NotEqual(t, elf.SHT_GNU_VERNEED, s.Type)
				}
				longer := apply(t, out, elfpatch.Edit{RunPath: strings.Repeat(longPath, 31)})
				require.LessOrEqual(t, countLoads(read(t, longer).Segments), countLoads(read(t, in).Segments)+1, "%s %s", name, what)
			}
		}
	}
}

// versionsOf lists the names of all needed versions.
func versionsOf(info *elfpatch.Info) (list []string) {
	for _, need := range info.VerNeeds {
		for _, v := range need.Versions {
			list = append(list, v.Name)
		}
	}
	return list
}

func without(list, gone []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return slices.Contains(gone, s) })
}

// The parts of an edit are about the names of the input, so their order does not matter.
func TestApplyRenameAndClear(t *testing.T) {
	in := library().Bytes()
	e := elfpatch.Edit{ClearVersions: []string{"foo"}, RenameSymbols: map[string]string{"foo": "bar", "plain": "foo"}}
	img, err := applyBytes(in, e)
	require.NoError(t, err)
	out := imageBytes(t, img)
	names := slices.Collect(maps.Keys(found(t, out, nil)))
	require.Contains(t, names, "bar")
	require.Contains(t, names, "foo")
	for _, s := range symbolsOf(t, out) {
		if s.Name == "bar" {
			require.Empty(t, s.Version)
		}
	}
}
