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

// ShrinkRunPath gives the search list of a file without the directories that find it nothing: an
// absolute directory stays where it is the first to hold a needed object of the file's machine, and
// where prefixes are given begins with one of them. What only the loader can tell stays: a directory
// that is relative or has a dynamic string token ($ORIGIN). An empty entry, which is the current
// directory of the process, goes. A directory that cannot be looked into is an error.
func ShrinkRunPath(root fs.FS, info *elfpatch.Info, prefixes []string) (string, error) {
	o := &objects{tree: newTree(root), bySize: map[int64][]known{}}
	list, _ := info.SearchList()
	missing := slices.DeleteFunc(slices.Clone(info.Needed), func(name string) bool {
		return name == "" || strings.Contains(name, "/") // the loader takes it as a path
	})
	var kept []string
	for _, dir := range strings.Split(list, ":") {
		switch {
		case dir == "":
		case isDynamicPlace(dir):
			kept = append(kept, dir)
		case !allowed(dir, prefixes):
		default:
			found := 0
			for i := 0; i < len(missing); {
				holds, err := o.holds(path.Join(dir, missing[i]), info)
				if err != nil {
					return "", err
				}
				if !holds {
					i++
					continue
				}
				found++
				missing = slices.Delete(missing, i, i+1)
			}
			if found > 0 {
				kept = append(kept, dir)
			}
		}
	}
	return strings.Join(kept, ":"), nil
}

// isDynamicPlace reports whether only the loader can tell which directory an entry is.
func isDynamicPlace(dir string) bool {
	return !strings.HasPrefix(dir, "/") || strings.Contains(dir, "$")
}

func allowed(dir string, prefixes []string) bool {
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(dir, p) })
}

// holds reports whether an object for the machine of info is at that path.
func (o *objects) holds(at string, info *elfpatch.Info) (bool, error) {
	n, err := o.walk(at)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return false, nil
	case err != nil:
		return false, &fs.PathError{Op: "look for", Path: at, Err: err}
	}
	object, err := o.object(n)
	var defect *unreadable
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNotRegular), errors.As(err, &defect):
		return false, nil // a linker script, for one
	case err != nil:
		return false, &fs.PathError{Op: "look for", Path: at, Err: err}
	}
	a, b := object.Info, info
	return a.Machine == b.Machine && a.Class == b.Class && a.Data == b.Data, nil
}
