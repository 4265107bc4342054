package closure

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// ldCache is the ld.so.cache of one root: the paths of each soname for each kind of machine.
type ldCache struct {
	why     string // why it gives nothing
	entries ldEntries
}

// ldEntries are the entries of a cache. Those of one name stand together in the file, and only those
// does the loader see (glibc elf/dl-cache.c: search_cache).
type ldEntries struct {
	all  []ldCacheEntry
	runs map[string]ldRun
}

type ldRun struct{ from, to int32 }

func (e *ldEntries) of(name string) []ldCacheEntry {
	r := e.runs[name]
	return e.all[r.from:r.to]
}

func (e *ldEntries) add(name string, entry ldCacheEntry) {
	r, ok := e.runs[name]
	at := int32(len(e.all))
	switch {
	case !ok:
		e.runs[name] = ldRun{at, at + 1}
	case r.to == at:
		e.runs[name] = ldRun{r.from, at + 1}
	default:
		return
	}
	e.all = append(e.all, entry)
}

type ldCacheEntry struct {
	flags  uint32
	path   string
	hwcap  uint64 // as it stands there
	subdir string // for an entry of a glibc-hwcaps directory, its name
}

const (
	maxCache  = 64 << 20
	oldMagic  = "ld.so-1.7.0"
	newMagic  = "glibc-ld.so.cache1.1"
	oldHeader = 16 // magic, padding, u32 entries
	oldEntry  = 12
	extMagic  = 0xeaa42174
	newHeader = 48
	newEntry  = 24
)

// parseLdCache decodes a cache file in the format of glibc 2.2 and later (glibc
// sysdeps/generic/dl-cache.h: struct cache_file_new), alone or behind the one before it. Every
// offset is checked: the file is data of the root. ok is false when it is no such file.
func parseLdCache(data []byte, order binary.ByteOrder) (entries ldEntries, ok bool) {
	if bytes.HasPrefix(data, []byte(oldMagic)) && len(data) >= oldHeader {
		n := uint64(order.Uint32(data[12:]))
		end := (oldHeader + n*oldEntry + 7) &^ 7
		if end > uint64(len(data)) {
			return ldEntries{}, false
		}
		data = data[end:]
	}
	if len(data) < newHeader || !bytes.HasPrefix(data, []byte(newMagic)) {
		return ldEntries{}, false
	}
	const endianMask, little, big = 3, 2, 3 // u8 flags; 0 where old ldconfig did not say
	if e := data[28] & endianMask; e == little && order != binary.LittleEndian || e == big && order != binary.BigEndian {
		return ldEntries{}, false
	}
	n, text := uint64(order.Uint32(data[20:])), string(data)
	if newHeader+n*newEntry > uint64(len(data)) {
		return ldEntries{}, false
	}
	subdirs := cacheSubdirs(data, text, order)
	entries = ldEntries{make([]ldCacheEntry, 0, n), make(map[string]ldRun, n)}
	for table := data[newHeader : newHeader+n*newEntry]; len(table) > 0; table = table[newEntry:] {
		key, okKey := cString(text, order.Uint32(table[4:]))
		value, okValue := cString(text, order.Uint32(table[8:]))
		e := ldCacheEntry{flags: order.Uint32(table), path: value, hwcap: order.Uint64(table[16:])}
		if e.hwcap&hwcapNamed != 0 {
			if i := uint64(uint32(e.hwcap)); i < uint64(len(subdirs)) {
				e.subdir = subdirs[i]
			}
			okKey = okKey && e.subdir != ""
		}
		if okKey && okValue {
			entries.add(key, e)
		}
	}
	return entries, true
}

func cString(text string, off uint32) (string, bool) {
	if uint64(off) >= uint64(len(text)) {
		return "", false
	}
	rest := text[off:]
	i := strings.IndexByte(rest[:min(len(rest), maxPath)], 0)
	if i < 0 {
		return "", false
	}
	return rest[:i], true
}

// cacheFlags are the values of an entry's flags that a machine's loader takes (glibc
// sysdeps/*/dl-cache.h: _DL_CACHE_DEFAULT_ID, _dl_cache_check_flags).
func cacheFlags(info *elfpatch.Info) []uint32 {
	is32 := info.Class == elf.ELFCLASS32
	switch info.Machine {
	case elf.EM_X86_64:
		if is32 {
			return []uint32{0x803}
		}
		return []uint32{0x303}
	case elf.EM_AARCH64:
		return []uint32{0xa03}
	case elf.EM_ARM:
		if info.Flags&efArmSoft != 0 {
			return []uint32{0xb03, 3}
		}
		return []uint32{0x903, 3}
	case elf.EM_386:
		return []uint32{3, 1}
	case elf.EM_RISCV:
		return []uint32{map[uint32]uint32{0: 0xf03, 4: 0x1003}[info.Flags&efRISCVFloat]}
	case elf.EM_PPC64:
		return []uint32{0x503}
	case elf.EM_S390:
		return []uint32{0x403}
	case elf.EM_LOONGARCH:
		return []uint32{0x1203}
	}
	return nil
}

// cache reads the ld.so.cache at a path once.
func (w *walker) cache(path string, order binary.ByteOrder) *ldCache {
	if c, ok := w.caches[path]; ok {
		return c
	}
	c := &ldCache{}
	w.caches[path] = c
	n, err := w.walk(path)
	if err != nil {
		c.why = "no such file"
		return c
	}
	data, err := w.readFile(n, maxCache)
	if err != nil {
		c.why = err.Error()
		return c
	}
	var ok bool
	if c.entries, ok = parseLdCache(data, order); !ok {
		c.why = "not a cache file of this machine"
	}
	return c
}

// cached is step 3 of ld.so(8): what ld.so.cache says. A requester with DF_1_NODEFLIB gets nothing
// of it that lies in a system directory.
func (p *process) cached(by *Loaded, name string) []list {
	file := p.m.Loader.CachePath
	if file == "" {
		return nil
	}
	program := p.m.Program().Object.Info
	order := binary.ByteOrder(binary.LittleEndian)
	if program.Data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	c := p.cache(file, order)
	e, others := p.cacheEntry(c.entries.of(name), cacheFlags(program))
	l := list{rule: RuleCache}
	for _, other := range others {
		l.others = append(l.others, place{text: other.path})
	}
	switch {
	case e == nil && c.why != "":
		l.places = []place{{text: file, never: c.why}}
	case e == nil:
		l.places = []place{{text: file, never: "no entry"}}
	case by != nil && by.Object.Info.DynFlags1&elf.DF_1_NODEFLIB != 0 && p.inSystemDir(e.path):
		l.places = []place{{text: file, never: e.path + " is in a default directory (DF_1_NODEFLIB)"}}
	case !strings.HasPrefix(e.path, "/"):
		l.places = []place{{text: file, never: "relative to the current directory: " + e.path}}
	default:
		l.places = []place{{text: e.path}}
	}
	return []list{l}
}

// inSystemDir reports whether a path begins with one of the loader's own directories, as text: below
// it is in it too (glibc elf/dl-load.c: _dl_map_object).
func (p *process) inSystemDir(path string) bool {
	for _, pl := range p.system {
		if strings.HasPrefix(path, pl.text) {
			return true
		}
	}
	return false
}
