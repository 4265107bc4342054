package bundle

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// kept is an entry of a bundle with a prefix: what it was in the store, and whether it is a link.
type kept struct {
	original string
	link     bool
}

// checkDigests refuses store paths that a shortened digest does not tell apart.
func (p *Plan) checkDigests() error {
	seen := map[string]closure.StorePath{}
	check := func(original string) error {
		sp, _, ok := closure.ParseStorePath(p.closure.StoreDir, original)
		if !ok {
			return nil
		}
		key := sp.Digest[:p.prefix.digits] + "-" + sp.Name
		if have, ok := seen[key]; ok && have != sp {
			return &OptionError{"prefix", p.prefix.dir,
				fmt.Sprintf("%s and %s would become one path: take a shorter prefix", have, sp)}
		}
		seen[key] = sp
		return nil
	}
	for _, original := range p.originals() {
		if err := check(original); err != nil {
			return err
		}
	}
	return nil
}

// originals are the paths of the store that become paths below the prefix: in texts, and of files.
func (p *Plan) originals() []string {
	var list []string
	for i := range p.closure.Mentions {
		list = append(list, p.closure.Mentions[i].Path)
	}
	for _, o := range p.closure.Objects {
		list = append(list, o.Path)
	}
	for _, item := range p.closure.Items {
		list = append(list, item.Path, item.Target)
	}
	return append(list, sortedKeys(p.askedNames())...)
}

// keep adds an entry for a path of the store, once.
func (p *Plan) keep(original string, e Entry) error {
	place, ok := p.prefix.place(original)
	if !ok {
		return &closure.ProgramError{Path: original, Why: "is outside the store, and with --prefix everything comes from there",
			What: "let Nix set the loader and run paths of its programs, or leave out --prefix"}
	}
	if _, ok := p.kept[place]; !ok {
		p.keepAt(place, original, e)
	}
	return nil
}

// keepAt adds an entry at a place that is free.
func (p *Plan) keepAt(place, original string, e Entry) {
	p.kept[place] = kept{original, e.Link != ""}
	e.Path = place
	p.add(e)
}

// addKept adds the objects of the closure, the wrappers of programs, and items.
func (p *Plan) addKept() error {
	for _, item := range p.closure.Items {
		for i := range item.Entries {
			if err := p.keepItemEntry(item, &item.Entries[i]); err != nil {
				return err
			}
		}
	}
	for _, o := range p.closure.Objects {
		if err := p.keep(o.Path, Entry{Mode: p.mode(o), Object: o}); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) keepItemEntry(item *closure.Item, e *closure.ItemEntry) error {
	original := path.Join(item.Target, e.Name)
	switch {
	case e.Mode.IsDir():
		return p.keep(original, Entry{Mode: fs.ModeDir | 0o755})
	case e.Mode.IsRegular():
		return p.keep(original, Entry{Mode: p.mode(e.Object), Object: e.Object})
	}
	return p.keepLink(original, e.Link, e.Target)
}

// keepLink adds a link at a path of the store to where another one is in the bundle.
func (p *Plan) keepLink(original, link, target string) error {
	from, _ := p.prefix.place(original)
	to, ok := p.prefix.place(target)
	if !ok {
		p.leaveOut(original, link, target)
		return nil
	}
	return p.keep(original, Entry{Mode: fs.ModeSymlink | 0o777, Link: relative(path.Dir(from), to)})
}

// addKeptLinks adds the names by which files are asked for, where those are links.
func (p *Plan) addKeptLinks() error {
	names := p.askedNames()
	for _, name := range sortedKeys(names) {
		if path.Clean(name) != names[name] && !p.leadsThere(path.Clean(name)) {
			if err := p.keepLink(path.Clean(name), names[name], names[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// askedNames are the names by which files are asked for: what needs were answered by, what was opened, programs
// and what their wrappers start, and what was taken along.
func (p *Plan) askedNames() map[string]string {
	names := map[string]string{}
	answer := func(n *closure.Need) {
		if n.To != nil && n.Path != "" {
			names[n.Path] = n.To.Object.Path
		}
	}
	for _, m := range slices.Concat(p.closure.LinkMaps, p.closure.Libraries) {
		for _, n := range m.Needs {
			answer(n)
		}
		for _, o := range m.Opened {
			answer(o.Need)
		}
		if m.Interp != nil {
			names[m.Interp.Path] = m.Interp.Object.Path
		}
		if m.Launch != nil {
			launchNames(m, names)
		}
	}
	for _, item := range p.closure.Items {
		names[item.Path] = item.Target
	}
	return names
}

// launchNames adds the names by which a program is started: what was asked for may be a link to it, as busybox has
// many.
func launchNames(m *closure.LinkMap, names map[string]string) {
	program := m.Program().Object.Path
	names[m.Asked], names[m.Launch.Program] = program, program
	for _, step := range m.Launch.Steps {
		names[step.Asked] = step.Path
	}
}

// leadsThere reports whether a path is there by a link above it.
func (p *Plan) leadsThere(original string) bool {
	place, _ := p.prefix.place(original)
	for dir := path.Dir(place); dir != "."; dir = path.Dir(dir) {
		if have, ok := p.kept[dir]; ok {
			return have.link
		}
	}
	return false
}

// addKeptPrograms adds what the user starts: a link in bin/ to the program or its wrapper in the store.
func (p *Plan) addKeptPrograms() error {
	for _, m := range p.closure.LinkMaps {
		o := m.Program().Object
		elf, _ := p.prefix.place(o.Path)
		if m.Helper {
			continue
		}
		entry := programEntry(p.closure.StoreDir, m)
		asked, ok := p.prefix.place(m.Asked)
		if !ok {
			asked = elf
		}
		if have, ok := p.kept[entry]; ok {
			if have.original == m.Asked {
				continue // named twice
			}
			return &CollisionError{Path: entry, Sources: []string{have.original, m.Asked}}
		}
		p.keepAt(entry, m.Asked, Entry{Mode: fs.ModeSymlink | 0o777, Link: relative(path.Dir(entry), asked)})
		strategy, reason := StrategyPath, "everything keeps its place in the store, which is below "+p.prefix.dir
		if o.Info.LoaderPath() == "" {
			strategy = StrategyNone
		}
		p.Programs = append(p.Programs, Program{Entry: p.in(entry), ELF: p.in(elf), Source: m.Asked, Strategy: strategy, Reason: reason})
	}
	return nil
}

// addWanted adds links from where somebody wants items to where they keep their place.
func (p *Plan) addWanted() error {
	taken := newPlaces(p.closure.StoreDir)
	for place := range p.kept {
		taken.take(place)
	}
	for _, item := range p.closure.Items {
		if item.Dest == "" {
			continue
		}
		dest, err := taken.dest(item)
		if err != nil {
			return err
		}
		at, _ := p.prefix.place(item.Path)
		taken.take(dest)
		p.keepAt(dest, item.Path, Entry{Mode: fs.ModeSymlink | 0o777, Link: relative(path.Dir(dest), at)})
	}
	return nil
}

// dropDangling leaves out links to what is not in the bundle, such as what could not be taken along.
func (p *Plan) dropDangling() {
	for dropped := true; dropped; {
		dropped = false
		there := map[string]bool{}
		for i := range p.Entries {
			for at := p.Entries[i].Path; at != "." && !there[at]; at = path.Dir(at) {
				there[at] = true
			}
		}
		p.Entries = slices.DeleteFunc(p.Entries, func(e Entry) bool {
			if e.Link == "" || there[path.Join(path.Dir(e.Path), e.Link)] {
				return false
			}
			rel := strings.TrimPrefix(e.Path, p.Name+"/")
			p.leaveOut(p.kept[rel].original, e.Link, path.Join(path.Dir(e.Path), e.Link))
			dropped = true
			return true
		})
	}
}
