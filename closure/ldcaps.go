package closure

import (
	"encoding/binary"
	"slices"
)

// The hwcap of an entry of ld.so.cache: bit 62 is for a glibc-hwcaps directory, whose name has the
// index in the low half, and bits 32 to 41 are the ISA level that the file says it needs; all else is
// for a legacy directory (glibc sysdeps/generic/dl-cache.h: DL_CACHE_HWCAP_EXTENSION).
const (
	hwcapNamed = 1 << 62
	hwcapTLS   = 1 << 63 // _DL_HWCAP_TLS_MASK
	hwcapPlain = 0
)

// cacheSubdirs reads the names of glibc-hwcaps directories out of a cache's extensions (glibc
// sysdeps/generic/dl-cache.h: struct cache_extension, cache_extension_tag_glibc_hwcaps).
func cacheSubdirs(data []byte, text string, order binary.ByteOrder) []string {
	const hwcapsTag, sectionSize = 1, 16
	at := uint64(order.Uint32(data[32:]))
	if at == 0 || at+8 > uint64(len(data)) || order.Uint32(data[at:]) != extMagic {
		return nil
	}
	var names []string
	sections := data[at+8:]
	for range min(order.Uint32(data[at+4:]), uint32(len(sections)/sectionSize)) {
		tag, off, size := order.Uint32(sections), uint64(order.Uint32(sections[8:])), uint64(order.Uint32(sections[12:]))
		sections = sections[sectionSize:]
		if tag != hwcapsTag || off+size > uint64(len(data)) {
			continue
		}
		for list := data[off : off+size]; len(list) >= 4; list = list[4:] {
			name, _ := cString(text, order.Uint32(list))
			names = append(names, name)
		}
	}
	return names
}

// cacheEntry chooses among the entries of one name: the best of a glibc-hwcaps directory that the
// processor takes, else the first that is for it (glibc elf/dl-cache.c: search_cache). others are
// those that another processor would take instead.
func (p *process) cacheEntry(entries []ldCacheEntry, flags []uint32) (best *ldCacheEntry, others []ldCacheEntry) {
	bestRank := 0
	for i := range entries {
		e := &entries[i]
		if !slices.Contains(flags, e.flags) {
			continue
		}
		switch {
		case e.subdir != "":
			rank, ok := p.cpu.rank(e.subdir)
			if !ok || !p.cpu.hasISA(e.hwcap) {
				if p.m.Loader.does(hwcapsDirs) {
					others = append(others, *e)
				}
			} else if best == nil || rank < bestRank {
				best, bestRank = e, rank
			}
		case best != nil:
			return best, others
		case e.hwcap == hwcapPlain:
			return e, others
		case p.m.Loader.does(legacyDirs):
			if slices.Contains(p.cpu.legacy, legacyDirOf(e.path)) {
				return e, others
			}
			others = append(others, *e)
		}
	}
	return best, others
}

// hasISA reports whether the processor has the level that an entry asks for: 1 for x86-64-v2 and so
// on (glibc sysdeps/x86/dl-cacheinfo.h: dl_cache_hwcap_isa_level_compatible). Levels are the last of
// isaLevels first.
func (c *processor) hasISA(hwcap uint64) bool {
	const mask = 1<<10 - 1
	return hwcap>>32&mask <= uint64(len(c.levels))
}

// legacyDirOf is the legacy directory that a path lies in: the components between the library's
// directory and its name that can be one.
func legacyDirOf(file string) string {
	dir := origin(file)
	at := len(dir)
	for at > 0 {
		i := lastSlash(dir[:at])
		if !isLegacyName(dir[i+1 : at]) {
			break
		}
		at = max(i, 0)
	}
	if at == len(dir) {
		return ""
	}
	return dir[at+1:]
}

func lastSlash(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return i
		}
	}
	return -1
}

func isLegacyName(name string) bool {
	if name == "tls" {
		return true
	}
	for _, known := range legacyCaps {
		if slices.Contains(known.caps, name) || slices.Contains(known.platforms, name) {
			return true
		}
	}
	return false
}
