package closure

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// ResolutionCache says where the needed names of a file are found by its run path, in the form of
// patchelf's resolution cache (elfpatch.Edit.Cache): for each name in order the name and a list, both
// ending in NUL, and a NUL at last. The list has, in the order of the run path, "=" and the path of an
// object that is there, or "?" and a directory into which only the loader can look: it is relative or
// has a dynamic string token, has variants in glibc-hwcaps, or is not there yet. A name that is a path
// or is found nowhere is left out; "" says that all are.
func ResolutionCache(root fs.FS, info *elfpatch.Info) (string, error) {
	o := &objects{tree: newTree(root), bySize: map[int64][]known{}}
	list, present := info.SearchList()
	if !present {
		return "", nil
	}
	names := slices.Compact(slices.Sorted(slices.Values(info.Needed)))
	var cache strings.Builder
	for _, name := range names {
		if name == "" || strings.Contains(name, "/") {
			continue
		}
		var places []string
		for _, dir := range strings.Split(list, ":") {
			place, err := o.cachePlace(dir, name, info)
			if err != nil {
				return "", err
			}
			if place != "" {
				places = append(places, place)
			}
		}
		if len(places) > 0 {
			cache.WriteString(name + "\x00" + strings.Join(places, ":") + "\x00")
		}
	}
	if cache.Len() == 0 {
		return "", nil
	}
	return cache.String() + "\x00", nil
}

// cachePlace is what the cache says of one directory; "" where the name is not in it.
func (o *objects) cachePlace(dir, name string, info *elfpatch.Info) (string, error) {
	if isDynamicPlace(dir) || !o.isThere(dir) || o.isThere(path.Join(dir, "glibc-hwcaps")) {
		return "?" + dir, nil
	}
	holds, err := o.holds(path.Join(dir, name), info)
	if err != nil || !holds {
		return "", err
	}
	return "=" + strings.TrimSuffix(dir, "/") + "/" + name, nil
}

// isThere reports whether something is at that path; what cannot be looked at is.
func (o *objects) isThere(at string) bool {
	_, err := o.walk(at)
	return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
}
