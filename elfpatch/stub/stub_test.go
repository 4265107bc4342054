package stub_test

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/elfpatch/stub"
)

// TestBytes: the bytes in the repository are those of the sources, and small.
func TestBytes(t *testing.T) {
	for _, cc := range []string{"x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc", "arm-linux-gnueabihf-gcc", "riscv64-linux-gnu-gcc"} {
		out, err := exec.Command(cc, "--version").Output()
		if debian := "(Debian 12.2.0-"; err == nil && strings.Contains(string(out), debian) {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s of Debian 12 is missing: run make deps: %v", cc, err)
		}
		t.Skipf("needs %s of Debian 12, with which the stubs are built: run make deps", cc)
	}
	dir := t.TempDir()
	out, err := exec.Command("src/build.sh", dir).CombinedOutput()
	require.NoError(t, err, string(out))
	built, err := filepath.Glob(dir + "/*.bin")
	require.NoError(t, err)
	require.Len(t, built, 4)
	for _, file := range built {
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Base(file))
		require.NoError(t, err)
		require.Equal(t, want, got, "%s is not what its source gives: run make stubs", filepath.Base(file))
		require.LessOrEqual(t, len(got), 2304, file)
		require.Zero(t, len(got)%4, file)
		require.Contains(t, string(got), stub.Argv0Variable+"=\x00", file)
	}
}

func TestCode(t *testing.T) {
	require.NotNil(t, stub.Code(elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2LSB))
	require.Nil(t, stub.Code(elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2MSB))
	require.Nil(t, stub.Code(elf.EM_X86_64, elf.ELFCLASS32, elf.ELFDATA2LSB), "x32")
	require.Nil(t, stub.Code(elf.EM_RISCV, elf.ELFCLASS32, elf.ELFDATA2LSB))
	require.Nil(t, stub.Code(elf.EM_386, elf.ELFCLASS32, elf.ELFDATA2LSB))
}

// TestNote: what is written is read again, and no damage of it is more than an error.
func TestNote(t *testing.T) {
	order := binary.LittleEndian
	want := stub.Note{Addr: 0x12340, Entry: 1 << 40, Loader: "../lib/ld.so"}
	b := want.Encode(order, []byte("code"))
	require.Zero(t, len(b)%4)
	require.True(t, stub.Is(order, b))
	got, err := stub.Decode(order, b)
	require.NoError(t, err)
	require.Equal(t, want, *got)
	for n := range stub.Head {
		require.False(t, stub.Is(order, b[:n]))
	}
	for n := stub.Head; n < len(b)-4; n++ {
		_, err := stub.Decode(order, b[:n])
		require.Error(t, err, n)
	}
	for i := range b[:stub.Head] {
		for _, v := range []byte{0, 1, 0x7f, 0xff} {
			bad := append([]byte{}, b...)
			bad[i] = v
			if stub.Is(order, bad) {
				_, _ = stub.Decode(order, bad)
			}
		}
	}
	for _, loader := range []string{"", "/lib/ld.so", "../lib/", "a\x00b", strings.Repeat("x", stub.MaxLoader+1)} {
		require.Error(t, stub.CheckLoader(loader), loader)
	}
}
