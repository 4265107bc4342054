package elfpatch_test

import (
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

// nothing is a hole beyond what 32 bits count.
const nothing = int64(5) << 30

// TestFarOffsets edits a shared object all of whose file but the first segment stands behind 5 GiB of nothing,
// in a file that takes up a few pages of the disk before and after, and has the real loader load it.
func TestFarOffsets(t *testing.T) {
	for _, ld := range []string{"bfd", "lld"} {
		c := toolchain{name: ld, compiler: "g++", flags: []string{"-fuse-ld=" + ld}, dir: t.TempDir()}
		c.need(t)
		lib := c.build(t, "libhalf.so", libSource, "-shared", "-fPIC", "-Wl,-soname,libhalf.so")
		prog := c.build(t, "prog", mainSource, "-Wl,-rpath,$ORIGIN", lib)
		writeFar(t, lib)
		c.check(t, prog)
		for what, e := range map[string]elfpatch.Edit{
			"short": {RunPath: "$ORIGIN"},
			"long":  {RunPath: "$ORIGIN:" + strings.Repeat("/another", 4000), AddNeeded: []string{"libdl.so.2", "libutil.so.1"}},
			"all":   {Soname: "libhalf.so", RunPath: "$ORIGIN:" + strings.Repeat("/another", 8000), ExecStack: new(bool), DebugTag: true},
		} {
			t.Run(ld+" "+what, func(t *testing.T) {
				f, size := openFile(t, lib)
				require.Greater(t, size, nothing)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				img, err := elfpatch.Apply(f, size, e)
				runtime.ReadMemStats(&after)
				require.NoError(t, err)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20), "memory that the size of the file decides")
				require.NoError(t, elfpatch.WriteFile(f, img, elfpatch.WriteOptions{}))
				c.check(t, prog)
				require.Less(t, onDisk(t, lib), int64(1<<20), "the holes were filled")
				again, size := openFile(t, lib)
				defects, err := elfpatch.Check(again, size)
				require.NoError(t, err)
				require.Empty(t, defects)
				require.Contains(t, string(runTool(t, "readelf", "-dW", lib)), e.RunPath)
			})
		}
	}
}

func runTool(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	needTool(t, name)
	out, err := exec.Command(name, args...).Output()
	require.NoError(t, err)
	return out
}

// onDisk is how many bytes a file takes up.
func onDisk(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	require.NoError(t, err)
	const unit = 512
	return info.Sys().(*syscall.Stat_t).Blocks * unit
}

// writeFar moves all behind the first segment of a 64-bit file by nothing, section headers too.
func writeFar(t *testing.T, name string) {
	t.Helper()
	b := readFile(t, name)
	le := binary.LittleEndian
	f, err := elf.Open(name)
	require.NoError(t, err)
	defer f.Close()
	from := uint64(len(b))
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Off > 0 {
			from = min(from, p.Off)
		}
	}
	move := func(at uint64) {
		if off := le.Uint64(b[at:]); off >= from {
			le.PutUint64(b[at:], off+uint64(nothing))
		}
	}
	const phdr, pOffset, shdr, shOffset, eShoff = 56, 8, 64, 24, 40
	for i := range f.Progs {
		move(le.Uint64(b[32:]) + uint64(i)*phdr + pOffset)
	}
	shoff := le.Uint64(b[eShoff:])
	for i := range f.Sections {
		move(shoff + uint64(i)*shdr + shOffset)
	}
	move(eShoff)
	require.NoError(t, os.Remove(name))
	out, err := os.OpenFile(filepath.Clean(name), os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = out.Write(b[:from])
	require.NoError(t, err)
	_, err = out.Seek(nothing+int64(from), io.SeekStart)
	require.NoError(t, err)
	_, err = out.Write(b[from:])
	require.NoError(t, err)
	require.NoError(t, out.Close())
}
