package closure

import (
	"errors"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
)

// ErrNoMatch says that no file has a name that the pattern describes.
var ErrNoMatch = errors.New("nothing matches")

// ReadItems reads what a path or a pattern means, as [ReadItem] does one path: in a pattern, * and ? and
// [a-z] mean what path.Match says, in names that begin with a dot too, and ** is any number of folders, none
// that a link leads to. What lies in a folder that matches is not an item of its own. A link that matches and
// cannot be followed is an item that is a link, among its Dangling or Outside. Items are sorted by path. Where
// nothing matches, the error is an ErrNoMatch in an [*ItemError].
func ReadItems(root fs.FS, pattern string, opts Options) ([]*Item, error) {
	t := newTree(root)
	if _, err := t.walk(pattern); err == nil || !strings.ContainsAny(pattern, `*?[\`) {
		item, err := ReadItem(root, pattern, opts)
		if err != nil {
			return nil, err
		}
		return []*Item{item}, nil
	}
	paths, err := t.glob(pattern, opts.storeDir())
	if err != nil {
		return nil, err
	}
	var items []*Item
	for _, at := range paths {
		if n := len(items); n > 0 && strings.HasPrefix(at, items[n-1].Path+"/") {
			continue
		}
		item, err := t.item(at, opts.storeDir())
		if err != nil {
			item, err = t.linkItem(at, opts.storeDir(), err)
		}
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// linkItem is a link by itself, which cannot be followed in the store; what is none keeps its error.
func (t *tree) linkItem(at, storeDir string, cause error) (*Item, error) {
	dir, err := t.walk(path.Dir(at))
	if err != nil {
		return nil, cause
	}
	kid, err := t.kid(dir, path.Base(at))
	if err != nil || kid.mode&fs.ModeSymlink == 0 {
		return nil, cause
	}
	r := &itemReader{tree: t, storeDir: storeDir, item: &Item{Path: at, Target: kid.abs()}}
	return r.item, r.add(kid, ".")
}

// glob lists the paths that match a pattern, sorted part by part.
func (t *tree) glob(pattern, storeDir string) ([]string, error) {
	if !path.IsAbs(pattern) {
		return nil, &ItemError{Path: pattern, Why: "not an absolute path"}
	}
	plain, parts := splitPattern(pattern)
	for _, part := range parts {
		if _, err := path.Match(part, ""); err != nil {
			return nil, &ItemError{Path: pattern, Why: "not a pattern: " + part, Err: err,
				What: "a [ needs its ], and a character that means itself a \\ before it"}
		}
	}
	at := path.Clean(plain)
	if at != path.Clean(storeDir) {
		var err error
		if at, err = t.inStore(plain, storeDir); err != nil {
			return nil, err
		}
	}
	dir, err := t.walk(at)
	if err != nil {
		return nil, noItem(at, err)
	}
	g := &globber{tree: t, left: maxItemEntries}
	g.match(dir, at, parts)
	switch {
	case g.left <= 0:
		return nil, &ItemError{Path: pattern, Why: "more than 1048576 files to look at", What: "name a folder further down"}
	case g.found == nil:
		return nil, &ItemError{Path: pattern, Why: ErrNoMatch.Error(), Err: ErrNoMatch,
			What: "quote the pattern, so that the shell does not read it, and look what is in " + at}
	}
	slices.SortFunc(g.found, comparePaths)
	return slices.Compact(g.found), nil
}

// splitPattern splits a pattern before its first part that is no plain name.
func splitPattern(pattern string) (plain string, parts []string) {
	parts = strings.Split(path.Clean(pattern), "/")
	i := slices.IndexFunc(parts, func(part string) bool { return strings.ContainsAny(part, `*?[\`) })
	return "/" + strings.Join(parts[:i], "/"), parts[i:]
}

// comparePaths orders paths so that what is in a folder follows it.
func comparePaths(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

// globber is one run of glob.
type globber struct {
	*tree
	found []string
	left  int // how many more names are looked at
}

// match finds what matches the parts of a pattern below a folder, which is at a path.
func (g *globber) match(dir *node, at string, parts []string) {
	if len(parts) == 0 {
		g.found = append(g.found, at)
		return
	}
	if !dir.mode.IsDir() {
		return
	}
	part, rest := parts[0], parts[1:]
	if part == "**" {
		g.match(dir, at, rest)
		g.each(dir, at, func(kid *node, below string) {
			if kid.mode.IsDir() {
				g.match(kid, below, parts)
			} else if len(rest) == 0 {
				g.found = append(g.found, below)
			}
		})
		return
	}
	g.each(dir, at, func(kid *node, below string) {
		if ok, _ := path.Match(part, path.Base(below)); ok {
			g.match(g.through(dir, kid), below, rest)
		}
	})
}

// through is what an entry of a folder leads to, where it is a link; the link itself where that is nothing.
func (g *globber) through(dir, kid *node) *node {
	links := 0
	if kid.mode&fs.ModeSymlink == 0 {
		return kid
	}
	if to, err := g.link(dir, kid, &links); err == nil {
		return to
	}
	return kid
}

// each calls do with every entry of a folder.
func (g *globber) each(dir *node, at string, do func(kid *node, below string)) {
	entries, err := fs.ReadDir(g.fsys, dir.path)
	if err != nil || len(at) > math.MaxInt16 {
		return
	}
	for _, e := range entries {
		if g.left--; g.left < 0 {
			return
		}
		if kid, err := g.kid(dir, e.Name()); err == nil {
			do(kid, path.Join(at, e.Name()))
		}
	}
}
