package bundle

import (
	"fmt"
	"io/fs"
	"path"

	"github.com/nixbundle/nixbundle/closure"
)

// putItems gives every item its place.
func (p *places) putItems(items []*closure.Item) {
	for _, item := range items {
		p.put(item.Path, p.forItem(item.Path))
	}
}

// fix gives the libraries among items their places there: who looks for them in that folder finds them. The
// C library stays where programs have it.
func (l *layout) fix(items []*closure.Item, at *places) {
	for _, item := range items {
		for i := range item.Entries {
			e := &item.Entries[i]
			place, _ := at.find(e.Path)
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
			p.addItemEntry(&item.Entries[i])
		}
	}
}

func (p *Plan) addItemEntry(e *closure.ItemEntry) {
	place, _ := p.places.find(e.Path)
	switch {
	case e.Mode.IsDir():
		p.add(Entry{Path: place, Mode: fs.ModeDir | 0o755})
	case e.Mode&fs.ModeSymlink != 0:
		p.addItemLink(place, e)
	default:
		p.addItemFile(place, e.Object)
	}
}

// addItemLink adds a link to where its target is in the bundle.
func (p *Plan) addItemLink(place string, e *closure.ItemEntry) {
	to, ok := p.placeOf(e.Target)
	if !ok {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s: left out: the link leads to %s, which is not in the bundle", e.Path, orNowhere(e.Target)))
		return
	}
	if to != place {
		p.add(Entry{Path: place, Mode: fs.ModeSymlink | 0o777, Link: relative(path.Dir(place), to)})
	}
}

func orNowhere(target string) string {
	if target == "" {
		return "nothing"
	}
	return target
}

// addItemFile adds a file, unless a program or library has that place already; one that is in the bundle
// elsewhere is a link.
func (p *Plan) addItemFile(place string, o *closure.Object) {
	if to, ok := p.packed[o.Path]; ok {
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
