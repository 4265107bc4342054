package closure

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// cacheLine is one entry of a cache that a test makes.
type cacheLine struct {
	flags      uint32
	key, value string
	hwcap      uint64
}

// makeCache makes a cache file as ldconfig of glibc 2.32 and later does.
func makeCache(order binary.AppendByteOrder, lines ...cacheLine) []byte {
	const head, entry = 48, 24
	var table, text []byte
	base := uint32(head + entry*len(lines))
	str := func(s string) uint32 {
		at := base + uint32(len(text))
		text = append(append(text, s...), 0)
		return at
	}
	for _, l := range lines {
		table = order.AppendUint32(table, l.flags)
		table = order.AppendUint32(table, str(l.key))
		table = order.AppendUint32(table, str(l.value))
		table = order.AppendUint32(table, 0)
		table = order.AppendUint64(table, l.hwcap)
	}
	file := []byte("glibc-ld.so.cache1.1")
	file = order.AppendUint32(file, uint32(len(lines)))
	file = order.AppendUint32(file, uint32(len(text)))
	file = append(file, make([]byte, head-len(file))...)
	return append(append(file, table...), text...)
}

// behindOld puts a cache behind one of the format before it.
func behindOld(file []byte) []byte {
	old := append([]byte("ld.so-1.7.0\x00"), 1, 0, 0, 0)
	old = append(old, make([]byte, 12)...)
	for len(old)%8 != 0 {
		old = append(old, 0)
	}
	return append(old, file...)
}

func TestLdCache(t *testing.T) {
	lines := []cacheLine{
		{0x303, "liba.so.1", "/lib64/liba.so.1", 0},
		{0xa03, "liba.so.1", "/lib/aarch64/liba.so.1", 0},
		{0x303, "libb.so.1", "/lib/glibc-hwcaps/x86-64-v3/libb.so.1", 1 << 62},
		{0x303, "libb.so.1", "/lib/libb.so.1", 0},
	}
	little := makeCache(binary.LittleEndian, lines...)
	big := makeCache(binary.BigEndian, lines...)
	big[28] = 3
	for name, test := range map[string]struct {
		file  []byte
		order binary.ByteOrder
	}{
		"little":     {little, binary.LittleEndian},
		"big":        {big, binary.BigEndian},
		"behind old": {behindOld(little), binary.LittleEndian},
	} {
		entries, ok := parseLdCache(test.file, test.order)
		if !ok || len(entries.of("liba.so.1")) != 2 || len(entries.of("libb.so.1")) != 1 {
			t.Errorf("%s: got %v, %v", name, entries, ok)
			continue
		}
		if e := entries.of("liba.so.1")[1]; e.flags != 0xa03 || e.path != "/lib/aarch64/liba.so.1" {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	if _, ok := parseLdCache(big, binary.LittleEndian); ok {
		t.Error("a big-endian cache was taken for little-endian")
	}
}

// TestLdCachePrefixes: every prefix of a cache is an answer, never a panic.
func TestLdCachePrefixes(t *testing.T) {
	file := behindOld(makeCache(binary.LittleEndian, cacheLine{0x303, "liba.so.1", "/lib64/liba.so.1", 0}))
	for n := range file {
		parseLdCache(file[:n], binary.LittleEndian)
	}
	for i := range file {
		for _, b := range []byte{0, 1, 0x7f, 0xff} {
			bad := bytes.Clone(file)
			bad[i] = b
			parseLdCache(bad, binary.LittleEndian)
		}
	}
}

func FuzzLdCache(f *testing.F) {
	f.Add(makeCache(binary.LittleEndian, cacheLine{0x303, "liba.so.1", "/lib64/liba.so.1", 0}), false)
	f.Add(behindOld(makeCache(binary.LittleEndian, cacheLine{3, "a", "b", 1 << 62})), false)
	f.Add(makeCache(binary.BigEndian, cacheLine{0x503, "liba.so.1", "/lib64/liba.so.1", 0}), true)
	if real, err := os.ReadFile("/etc/ld.so.cache"); err == nil {
		f.Add(real[:min(len(real), 4096)], false)
	}
	f.Fuzz(func(t *testing.T, data []byte, big bool) {
		order := binary.ByteOrder(binary.LittleEndian)
		if big {
			order = binary.BigEndian
		}
		entries, _ := parseLdCache(data, order)
		// The table cannot hold more than the file has room for.
		n := len(entries.all)
		if n*newEntry > len(data) {
			t.Errorf("%d entries of %d bytes", n, len(data))
		}
	})
}

// TestLdCacheInWalk: a walk takes the entry of the program's own machine; one whose file is gone
// leaves the search to the default directories.
func TestLdCacheInWalk(t *testing.T) {
	for _, test := range []struct {
		machine elf.Machine
		flags   uint32
		order   binary.AppendByteOrder
	}{
		{elf.EM_X86_64, 0x303, binary.LittleEndian},
		{elf.EM_AARCH64, 0xa03, binary.LittleEndian},
		{elf.EM_ARM, 0x903, binary.LittleEndian},
		{elf.EM_386, 3, binary.LittleEndian},
		{elf.EM_RISCV, 0x1003, binary.LittleEndian},
	} {
		const interp = "/lib/ld.so.1"
		program := elftest.Image{Machine: test.machine, Interp: interp, Needed: []string{"liba.so.1", "libb.so.1"}}
		nodeflib := program
		nodeflib.DynFlags1 = elf.DF_1_NODEFLIB
		files := elftest.Tree{
			"/bin/prog":          program,
			"/bin/nodeflib":      nodeflib,
			"/opt/a/liba.so.1":   elftest.Image{Machine: test.machine},
			"/usr/lib/libb.so.1": elftest.Image{Machine: test.machine},
			"/etc/ld.so.cache": elftest.Data(makeCache(test.order,
				cacheLine{0x7703, "liba.so.1", "/other/liba.so.1", 0},
				cacheLine{test.flags, "liba.so.1", "/opt/a/liba.so.1", 0},
				cacheLine{test.flags, "libb.so.1", "/usr/lib/gone/libb.so.1", 0})),
		}
		c, err := Walk(files.FS(), []string{"/bin/prog", "/bin/nodeflib"}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, b := c.LinkMaps[0].Needs[0], c.LinkMaps[0].Needs[1]
		if a.Path != "/opt/a/liba.so.1" || a.Rule != RuleCache || b.Path != "/usr/lib/libb.so.1" || b.Rule != RuleDefault {
			t.Errorf("%v: got %+v, %+v", test.machine, a, b)
		}
		a, b = c.LinkMaps[1].Needs[0], c.LinkMaps[1].Needs[1]
		if a.Path != "/opt/a/liba.so.1" || b.To != nil {
			t.Errorf("%v, DF_1_NODEFLIB: got %+v, %+v", test.machine, a, b)
		}
	}
}
