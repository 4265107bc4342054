package bundle

import (
	"errors"
	"path"
	"strings"
)

// checkLinks follows every symbolic link.
func (v *verifier) checkLinks() error {
	for _, e := range v.order {
		if e.Type != TypeLink {
			continue
		}
		if _, err := v.resolve(e.Path); err != nil {
			v.broken(KindLink, e.Path, "%s points to %s, %v", e.Path, e.Link, err)
		}
	}
	return nil
}

var (
	errLeaves = errors.New("which leads out of the bundle")
	errAbsent = errors.New("which is not there")
	errLoops  = errors.New("which leads through too many links")
)

// resolve follows a path of the bundle to an entry that is no link, component by component as the
// kernel does (path_resolution(7)).
func (v *verifier) resolve(p string) (*verified, error) {
	const maxLinks = 40 // Linux fs/namei.c: MAXSYMLINKS
	dir, links := ".", 0
	for rest := p; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			if dir == "." || dir == v.manifest.Name {
				return nil, errLeaves
			}
			dir = path.Dir(dir)
			continue
		}
		at := path.Join(dir, name)
		e := v.entries[at]
		switch {
		case e == nil, e.Type == TypeFile && rest != "":
			return nil, errAbsent
		case e.Type != TypeLink:
			dir = at
			continue
		}
		if links++; links > maxLinks {
			return nil, errLoops
		}
		rest = strings.TrimSuffix(e.Link+"/"+rest, "/")
	}
	if e := v.entries[dir]; e != nil {
		return e, nil
	}
	return nil, errAbsent
}
