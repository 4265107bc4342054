package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

// On these machines no program header is redundant in a position-independent program, so room for one is
// made behind the table. The build id stays wherever the longer table does not reach it.
func TestBuildIDStays(t *testing.T) {
	grow := elfpatch.Edit{RunPath: "$ORIGIN:" + strings.Repeat("/opt/some/where", 9000)}
	long := "-Wl,--dynamic-linker,/lib/" + strings.Repeat("./", 40)
	for _, c := range toolchains(t) {
		if c.run == nil {
			continue
		}
		for _, k := range []struct {
			name  string
			flags []string
			stays bool
		}{
			{"no-pie", []string{"-no-pie"}, true}, // which needs no PT_PHDR
			{"no-pie, long path", []string{"-no-pie", long + filepath.Base(c.loader)}, true},
			{"pie", []string{"-pie"}, false},
			{"pie, long path", []string{"-pie", long + filepath.Base(c.loader)}, true}, // which PT_INTERP leaves
		} {
			t.Run(c.name+" "+k.name, func(t *testing.T) {
				c.need(t)
				c.dir = t.TempDir()
				lib := c.build(t, "libhalf.so", libSource, "-shared", "-fPIC", "-Wl,-soname,libhalf.so")
				require.NoError(t, os.Mkdir(filepath.Join(c.dir, "sub"), 0o755))
				c.write(t, "sub/libhalf.so", readFile(t, lib))
				prog := c.build(t, "prog", mainSource, append(k.flags, "-Wl,--build-id", "-Wl,-rpath,$ORIGIN", lib)...)
				in := readFile(t, prog)
				for what, e := range map[string]elfpatch.Edit{
					"": grow, " and interp": {RunPath: grow.RunPath, Interp: c.loader},
					" and stack": {RunPath: grow.RunPath, Interp: c.loader, AddNeeded: []string{"libdl.so.2"}, ExecStack: new(bool)},
				} {
					out := apply(t, in, e)
					require.Equal(t, countLoads(read(t, in).Segments)+1, countLoads(read(t, out).Segments), what)
					buildID(t, in, out)
					require.Equal(t, k.stays, buildIDAt(t, in) == buildIDAt(t, out), what)
					c.write(t, "after", out)
					c.check(t, "./after")
					c.stripped(t, "strip", "after", "-o", "stripped")
				}
			})
		}
	}
}

// buildIDAt is the offset of the note that has the build id.
func buildIDAt(t *testing.T, b []byte) uint64 {
	t.Helper()
	notes := read(t, b).Notes
	i := slices.IndexFunc(notes, func(n elfpatch.Note) bool { return n.Name == "GNU" && n.Type == 3 })
	require.GreaterOrEqual(t, i, 0)
	return notes[i].Off
}

// tableEnd is where the program headers end in the file.
func tableEnd(t *testing.T, b []byte) uint64 {
	t.Helper()
	const ehdr32, phdr32, ehdr64, phdr64 = 52, 32, 64, 56
	n := uint64(len(read(t, b).Segments))
	if elf.Class(b[elf.EI_CLASS]) == elf.ELFCLASS32 {
		return ehdr32 + n*phdr32
	}
	return ehdr64 + n*phdr64
}

// TestDynamicSymbolFollows: _DYNAMIC follows a dynamic section that leaves its place, be it a symbol of its section
// or, as GNU ld for Arm writes it, of none.
func TestDynamicSymbolFollows(t *testing.T) {
	for _, c := range toolchains(t) {
		t.Run(c.name, func(t *testing.T) {
			c.need(t)
			c.dir = t.TempDir()
			in := readFile(t, c.build(t, "libhalf.so", libSource, "-shared", "-fPIC", "-Wl,-soname,libhalf.so"))
			out := apply(t, in, elfpatch.Edit{AddNeeded: manyNames(9), RunPath: "/x"})
			require.NotEqual(t, dynamicAt(t, in), dynamicAt(t, out))
			f, err := elf.NewFile(bytes.NewReader(out))
			require.NoError(t, err)
			symbols, err := f.Symbols()
			require.NoError(t, err)
			i := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Name == "_DYNAMIC" })
			require.GreaterOrEqual(t, i, 0)
			require.Equal(t, dynamicAt(t, out), symbols[i].Value)
		})
	}
}

// dynamicAt is the address of the dynamic section.
func dynamicAt(t *testing.T, b []byte) uint64 {
	segments := read(t, b).Segments
	return segments[slices.IndexFunc(segments, func(s elfpatch.Segment) bool { return s.Type == elf.PT_DYNAMIC })].Vaddr
}
