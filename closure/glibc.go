package closure

import (
	"fmt"
	"strconv"
	"strings"
)

// change is something that glibc's loader does from one minor version of glibc 2 on, or up to one.
type change struct {
	from, until int
	// patched tells for minor versions before from with how many commits of their release branch
	// they do it too (glibc, git rev-list --count glibc-2.41..release/2.41/master).
	patched map[int]int
}

// What changed in glibc's loader between 2.31 and 2.43, as far as it decides what is mapped and bound. A
// loader whose version is not known counts as 2.40.
var (
	// hwcapsDirs: glibc-hwcaps/<level>/ in every search directory and in ld.so.cache.
	hwcapsDirs = change{from: 33}
	// alignChecked: p_align of what is loaded must be a multiple of the page size.
	alignChecked = change{until: 35}
	// protectedCopied: a slot of the GOT for protected data leads to the program's copy of it
	// (ELF_RTYPE_CLASS_EXTERN_PROTECTED_DATA; x86, Arm).
	protectedCopied = change{until: 36}
	// depthFirst: objects are relocated depth first; before, by another sort (elf/dl-sort-maps.c).
	depthFirst = change{from: 35}
	// relrRead: DT_RELR is processed.
	relrRead = change{from: 36}
	// abiTags: a file whose NT_GNU_ABI_TAG names another system is passed over.
	abiTags = change{until: 36}
	// legacyDirs: tls/, platform and hwcap directories, and their entries in ld.so.cache.
	legacyDirs = change{until: 37}
	// notDirGoesOn: ENOTDIR is as good as ENOENT; before, it ends the list.
	notDirGoesOn = change{from: 39}
	// versionAsserted: a lookup of a version that meets the symbol in the file that is to have the version, and has no
	// versions, ends the process (elf/dl-lookup.c: check_match).
	versionAsserted = change{until: 41}
	// interpListed: ld.so is on the list even where no need put it there.
	interpListed = change{from: 41}
	// stackStays: a library that is opened does not make the stack executable.
	stackStays = change{from: 41}
	// exactFirst: of one object, the wanted version of a symbol is taken before its base version.
	exactFirst = change{from: 42, patched: map[int]int{39: 246, 40: 174, 41: 88}}
)

// does reports whether the loader is one of glibc that has a change.
func (l *Loader) does(c change) bool {
	minor := l.Version[1]
	if l.Version == [2]int{} {
		minor = 40
	}
	if patches, ok := c.patched[minor]; ok && l.Patches >= patches {
		return l.Kind == LoaderGlibc
	}
	return l.Kind == LoaderGlibc && minor >= c.from && (c.until == 0 || minor < c.until)
}

// patches is how many commits of its release branch a glibc has on top of the release. nixpkgs says it
// in the name, glibc-2.40-66, which is in the directories that ld.so searches; of Debian's the revisions
// that took a change in are known (its changelog); others do not tell.
func patches(v [2]int, banner string, dirs []string) int {
	version := fmt.Sprintf("-%d.%d-", v[0], v[1])
	for _, dir := range dirs {
		if _, rest, ok := strings.Cut(dir, version); ok {
			rest, _, _ = strings.Cut(rest, "/")
			if n, err := strconv.Atoi(rest); err == nil {
				return max(n, 0)
			}
		}
	}
	if _, revision, ok := strings.Cut(banner, "Debian GLIBC 2.41-12+deb13u"); ok {
		if revision, _, _ = strings.Cut(revision, ")"); revision != "1" {
			return exactFirst.patched[41]
		}
	}
	return 0
}
