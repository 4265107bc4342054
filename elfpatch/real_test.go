package elfpatch_test

import (
	"debug/elf"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// The judges of this file are debug/elf, which reads by section headers, and readelf.

func TestReadLikeDebugELF(t *testing.T) {
	for _, name := range realFiles(t, 400) {
		file, size := openFile(t, name)
		info, err := elfpatch.Read(file, size)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f, err := elf.NewFile(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compareHeaders(t, name, info, f)
		if s := f.Section(".dynamic"); s != nil && s.Type == elf.SHT_DYNAMIC { // not in a debug file
			compareDynamic(t, name, info, f)
			compareVersions(t, name, info, f)
		}
	}
}

func compareHeaders(t *testing.T, name string, info *elfpatch.Info, f *elf.File) {
	t.Helper()
	if info.Class != f.Class || info.Data != f.Data || info.Machine != f.Machine || info.Type != f.Type ||
		info.Entry != f.Entry {
		t.Errorf("%s: %v %v %v %v", name, info.Class, info.Data, info.Machine, info.Type)
	}
	if len(info.Segments) != len(f.Progs) {
		t.Errorf("%s: %d segments, want %d", name, len(info.Segments), len(f.Progs))
		return
	}
	for i, p := range f.Progs {
		if elf.ProgHeader(info.Segments[i]) != p.ProgHeader {
			t.Errorf("%s: segment %d is %+v, want %+v", name, i, info.Segments[i], p.ProgHeader)
		}
		if p.Type == elf.PT_INTERP && p.Filesz > 0 {
			want, _ := io.ReadAll(p.Open())
			if info.Interp != strings.TrimRight(string(want), "\x00") {
				t.Errorf("%s: interp %q, want %q", name, info.Interp, want)
			}
		}
	}
}

func compareDynamic(t *testing.T, name string, info *elfpatch.Info, f *elf.File) {
	t.Helper()
	for tag, got := range map[elf.DynTag][]string{
		elf.DT_NEEDED: info.Needed, elf.DT_SONAME: oneIf(info.Soname != "", info.Soname),
		elf.DT_RPATH: oneIf(info.HasRPath, info.RPath), elf.DT_RUNPATH: oneIf(info.HasRunPath, info.RunPath),
	} {
		if want, err := f.DynString(tag); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v is %q, want %q (%v)", name, tag, got, want, err)
		}
	}
	for tag, got := range map[elf.DynTag]uint64{
		elf.DT_FLAGS: uint64(info.DynFlags), elf.DT_FLAGS_1: uint64(info.DynFlags1),
	} {
		if want, _ := f.DynValue(tag); len(want) > 0 && want[0] != got || len(want) == 0 && got != 0 {
			t.Errorf("%s: %v is %#x, want %#x", name, tag, got, want)
		}
	}
}

func oneIf(there bool, s string) []string {
	if !there {
		return nil
	}
	return []string{s}
}

func compareVersions(t *testing.T, name string, info *elfpatch.Info, f *elf.File) {
	t.Helper()
	defs, _ := f.DynamicVersions() // an error means that there are none
	var want []elfpatch.VerDef
	for _, d := range defs {
		base, weak := d.Flags&elf.VER_FLG_BASE != 0, d.Flags&elf.VER_FLG_WEAK != 0
		want = append(want, elfpatch.VerDef{Name: d.Name, Base: base, Weak: weak, Index: d.Index})
	}
	if !reflect.DeepEqual(info.VerDefs, want) {
		t.Errorf("%s: defines %v, want %v", name, info.VerDefs, want)
	}
	needs, _ := f.DynamicVersionNeeds()
	var wantNeeds []elfpatch.VerNeed
	for _, n := range needs {
		need := elfpatch.VerNeed{File: n.Name}
		for _, v := range n.Needs {
			weak := v.Flags&elf.VER_FLG_WEAK != 0
			need.Versions = append(need.Versions, elfpatch.VerNeedVersion{Name: v.Dep, Weak: weak, Index: v.Index})
		}
		wantNeeds = append(wantNeeds, need)
	}
	if !reflect.DeepEqual(info.VerNeeds, wantNeeds) {
		t.Errorf("%s: needs %v, want %v", name, info.VerNeeds, wantNeeds)
	}
}

func TestReadLikeReadelf(t *testing.T) {
	readelf := needTool(t, "readelf")
	for _, name := range realFiles(t, 60) {
		file, size := openFile(t, name)
		info, err := elfpatch.Read(file, size)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cmd := exec.Command(readelf, "-ldnW", name)
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for what, pattern := range map[string]struct {
			re  string
			got []string
		}{
			"interp":   {`program interpreter: (.*)\]`, oneIf(info.Interp != "", info.Interp)},
			"needed":   {`\(NEEDED\) .*\[(.*)\]`, info.Needed},
			"soname":   {`\(SONAME\) .*\[(.*)\]`, oneIf(info.Soname != "", info.Soname)},
			"run path": {`\(RUNPATH\) .*\[(.*)\]`, oneIf(info.HasRunPath, info.RunPath)},
			"rpath":    {`\(RPATH\) .*\[(.*)\]`, oneIf(info.HasRPath, info.RPath)},
			"build id": {`Build ID: (.*)`, oneIf(info.BuildID != nil, hex.EncodeToString(info.BuildID))},
		} {
			var want []string
			for _, m := range regexp.MustCompile(pattern.re).FindAllStringSubmatch(string(out), -1) {
				want = append(want, m[1])
			}
			bySection := what == "build id" && info.Type == elf.ET_REL // an object file has no segments
			if !slices.Equal(pattern.got, want) && !bySection {
				t.Errorf("%s: %s %q, readelf says %q", name, what, pattern.got, want)
			}
		}
	}
}

// The cost of Read does not grow with the file: some pages of 4 KiB, whatever the size.
func TestReadsLittle(t *testing.T) {
	name := largest(t, realFiles(t, 1000))
	file, size := openFile(t, name)
	src := &counting{ReaderAt: file}
	info, err := elfpatch.Read(src, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d of %d bytes in %d reads, %d needed", name, src.bytes, size, src.reads, len(info.Needed))
	// A large library has its few strings anywhere in a table of megabytes: most reads are theirs.
	if src.reads > 24 || src.bytes > 96<<10 {
		t.Errorf("%d reads, %d bytes", src.reads, src.bytes)
	}
	src = &counting{ReaderAt: file}
	symbols, err := elfpatch.ReadSymbols(src, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d symbols: %d bytes in %d reads", len(symbols), src.bytes, src.reads)
	if src.reads > 12 {
		t.Errorf("%d reads for the symbols", src.reads)
	}
}

// largest is the largest shared object with a soname.
func largest(t testing.TB, names []string) string {
	t.Helper()
	var best string
	var most int64
	for _, name := range names {
		info, err := os.Stat(name)
		if err == nil && info.Size() > most && strings.Contains(name, ".so") {
			best, most = name, info.Size()
		}
	}
	if best == "" {
		t.Skip("no shared object on this machine")
	}
	return best
}

// counting counts what is read through it.
type counting struct {
	io.ReaderAt
	reads int
	bytes int64
}

func (c *counting) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, off)
	c.reads++
	c.bytes += int64(n)
	return n, err
}
