package bundle

import (
	"io/fs"
	"path"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// putItems gives every item its place: first those for which somebody has said it.
func (p *places) putItems(items []*closure.Item) error {
	for _, item := range items {
		if item.Dest == "" {
			continue
		}
		dest, err := p.dest(item)
		if err != nil {
			return err
		}
		p.putItem(item, dest)
	}
	for _, item := range items {
		if item.Dest == "" {
			p.putItem(item, p.forItem(item.Path))
		}
	}
	return nil
}

// dest is where somebody wants an item.
func (p *places) dest(item *closure.Item) (string, error) {
	dest := strings.TrimSuffix(item.Dest, "/")
	why := badDest(dest)
	if why == "" && p.clashes(dest) {
		why = "something else is there already"
	}
	if why != "" {
		return "", &OptionError{"include", item.Path + ":" + item.Dest, why}
	}
	return dest, nil
}

// putItem gives an item a place, by both its names.
func (p *places) putItem(item *closure.Item, place string) {
	p.items[item.Path] = place
	p.put(item.Path, place)
	p.put(item.Target, place)
}

// badDest says why data cannot go to a place.
func badDest(dest string) string {
	top, _, _ := strings.Cut(dest, "/")
	switch {
	case !cleanPath(dest) || dest == ".":
		return "the destination must be a path inside the bundle, without .. in it"
	case top == "bin" || top == libDir || top == "libexec":
		return "bin, lib and libexec are for programs and the libraries that they need"
	case top == storeFolder:
		return "store is for what has no other place"
	}
	return ""
}

// fix gives the libraries among items their places there: who looks for them in that folder finds them. The
// C library stays where programs have it.
func (l *layout) fix(items []*closure.Item, at *places) {
	for _, item := range items {
		for i := range item.Entries {
			e := &item.Entries[i]
			place := path.Join(at.items[item.Path], e.Name)
			l.reserved[place] = true
			if e.Mode.IsRegular() && e.Object.Info != nil && !inLibc(e.Object) {
				if _, ok := l.fixed[e.Object.Path]; !ok {
					l.fixed[e.Object.Path] = place
				}
			}
		}
	}
}

// addItems adds what is taken along beside programs and libraries.
func (p *Plan) addItems() {
	p.packed = p.layout.byPath()
	for _, item := range p.closure.Items {
		for i := range item.Entries {
			p.addItemEntry(item, &item.Entries[i])
		}
	}
}

func (p *Plan) addItemEntry(item *closure.Item, e *closure.ItemEntry) {
	original, place := path.Join(item.Path, e.Name), path.Join(p.places.items[item.Path], e.Name)
	switch {
	case e.Mode.IsDir():
		p.add(Entry{Path: place, Mode: fs.ModeDir | 0o755})
	case e.Mode&fs.ModeSymlink != 0:
		p.addItemLink(place, original, e)
	default:
		p.addItemFile(place, original, e.Object)
	}
}

// addItemLink adds a link to where its target is in the bundle.
func (p *Plan) addItemLink(place, original string, e *closure.ItemEntry) {
	to, ok := p.placeOf(e.Target)
	if !ok {
		p.leaveOut(original, e.Link, e.Target)
		return
	}
	if to != place {
		p.add(Entry{Path: place, Mode: fs.ModeSymlink | 0o777, Link: relative(path.Dir(place), to)})
	}
}

// leaveOut tells of a link that is left out; target is "" where it leads to nothing.
func (p *Plan) leaveOut(original, link, target string) {
	to := target + ", which is not in the bundle"
	if target == "" {
		to = link + ", which does not exist"
	}
	p.Warnings = append(p.Warnings, original+": left out: a link to "+to)
}

// addItemFile adds a file, unless a program or library has that place already; one that is in the bundle
// elsewhere is a link.
func (p *Plan) addItemFile(place, original string, o *closure.Object) {
	if at, ok := p.places.scripts[original]; ok {
		p.add(Entry{Path: at, Mode: p.mode(o), Object: o})
		if at == place {
			return
		}
	}
	to, ok := p.packed[original]
	if !ok {
		to, ok = p.packed[o.Path]
	}
	if ok {
		if to != place {
			p.add(Entry{Path: place, Mode: fs.ModeSymlink | 0o777, Link: relative(path.Dir(place), to)})
		}
		return
	}
	p.add(Entry{Path: place, Mode: p.mode(o), Object: o})
}

// placeOf is where a file or folder of the root is in the bundle.
func (p *Plan) placeOf(original string) (string, bool) {
	if original == "" {
		return "", false
	}
	if at, ok := p.packed[original]; ok {
		return at, true
	}
	return p.places.find(original)
}
