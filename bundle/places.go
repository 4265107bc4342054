package bundle

import (
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
)

// places says where in a bundle a path of the root is: the one way from texts that name the store to texts
// that name the bundle.
type places struct {
	storeDir string
	at       map[string]string            // relative to the bundle's folder, by absolute path; what is below a folder is below its place
	taken    map[string]bool              // the places of at
	above    map[string]bool              // the folders that those stand in
	items    map[string]string            // of items
	labels   map[string]closure.StorePath // of folders in store/, whose they are
	scripts  map[string]string            // of the scripts by which programs start, for their interpreters
}

func newPlaces(storeDir string) *places {
	return &places{
		storeDir: storeDir, at: map[string]string{}, taken: map[string]bool{}, above: map[string]bool{},
		items: map[string]string{}, labels: map[string]closure.StorePath{}, scripts: map[string]string{},
	}
}

// put gives a path a place; the first one stays.
func (p *places) put(original, place string) {
	if _, ok := p.at[original]; !ok {
		p.at[original] = place
		p.take(place)
	}
}

// take notes that something is at a place.
func (p *places) take(place string) {
	p.taken[place] = true
	for dir := path.Dir(place); dir != "." && !p.above[dir]; dir = path.Dir(dir) {
		p.above[dir] = true
	}
}

// find is the place of a path: its own, or below that of the nearest folder around it.
func (p *places) find(original string) (string, bool) {
	for at := original; ; at = path.Dir(at) {
		if place, ok := p.at[at]; ok {
			return path.Join(place, strings.TrimPrefix(original, at)), true
		}
		if at == "/" || at == "." {
			return "", false
		}
	}
}

// forItem chooses the place of data that is taken along: what is in share/ of a store path goes to share/,
// where a program that looks there from its own folder finds it, and a store path that is one file goes there
// by its name; all else, and what finds its place taken, goes to a folder for its store path.
func (p *places) forItem(original string) string {
	sp, rest, ok := closure.ParseStorePath(p.storeDir, original)
	place := path.Join(storeFolder, "root", original) // from outside the store
	if ok {
		place = path.Join(storeFolder, p.label(sp), rest)
	}
	if wish := strings.TrimPrefix(rest, "/"); strings.HasPrefix(wish, "share/") && !p.clashes(wish) {
		return wish
	}
	return place
}

// label is the folder of a store path: its short name, unless that is another's, whose digest begins alike.
func (p *places) label(sp closure.StorePath) string {
	for label := sp.Short(); ; label += "+" {
		if have, ok := p.labels[label]; !ok || have == sp {
			p.labels[label] = sp
			return label
		}
	}
}

// clashes reports whether a place is taken, lies in one that is, or holds one.
func (p *places) clashes(place string) bool {
	for at := place; at != "."; at = path.Dir(at) {
		if p.taken[at] {
			return true
		}
	}
	return p.above[place] || strings.HasPrefix(place+"/", path.Dir(manifestFile)+"/")
}

// putStarts gives programs the places of their entries, and the scripts by which they start places from which
// their interpreters read them: where they are as data, unless a launcher stands there, for who finds it on PATH.
func (p *places) putStarts(starts []*start) {
	launchers := map[string]bool{}
	for _, s := range starts {
		launchers[s.entry] = true
	}
	for _, s := range starts {
		for _, step := range s.scripts() {
			place, _ := p.find(step)
			if launchers[place] {
				place = path.Join("store/scripts", strings.TrimPrefix(place, "store/"))
			}
			p.scripts[step] = place
		}
	}
	for _, s := range starts {
		p.at[s.asked] = s.entry
		p.take(s.entry)
	}
}

// scripts are those by which a program starts, as their interpreters are given them.
func (s *start) scripts() []string {
	var list []string
	if launch := s.linkMap.Launch; launch != nil {
		for _, step := range launch.Steps {
			if step.Kind == wrapper.Script {
				list = append(list, step.Asked)
			}
		}
	}
	return list
}

// relocate gives a text with every path in it that has a place replaced by that place, counted from
// [wrapper.Root].
func (p *places) relocate(text string) string {
	var b strings.Builder
	for prefix := strings.TrimRight(p.storeDir, "/") + "/"; ; {
		i := strings.Index(text, prefix)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		text = text[i:]
		if original := p.longest(text); original != "" {
			b.WriteString(wrapper.Root + "/" + p.at[original])
			text = text[len(original):]
			continue
		}
		b.WriteString(prefix)
		text = text[len(prefix):]
	}
}

// longest is the longest path that has a place, and with which a text begins.
func (p *places) longest(text string) string {
	longest := ""
	for original := range p.at {
		rest, ok := strings.CutPrefix(text, original)
		if ok && len(original) > len(longest) && (rest == "" || !goesOn(rest[0])) {
			longest = original
		}
	}
	return longest
}

// goesOn reports whether a file name goes on with a character: another file is meant then.
func goesOn(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("+-._?=", c) >= 0
}

// setup is what a launcher does for a program, with places in the bundle; nil where that is nothing.
func (p *places) setup(w *wrapper.Wrapper) *wrapper.Wrapper {
	s := newSetup(w)
	if s == nil {
		return nil
	}
	relocate := func(text *string) { *text = p.relocate(*text) }
	s.Env, s.Args, s.After = slices.Clone(s.Env), slices.Clone(s.Args), slices.Clone(s.After)
	for i := range s.Env {
		relocate(&s.Env[i].Value)
	}
	for _, args := range [][]wrapper.Arg{s.Args, s.After} {
		for i := range args {
			if script, ok := p.scripts[args[i].Text]; ok {
				args[i].Text = wrapper.Root + "/" + script
				continue
			}
			relocate(&args[i].Text)
		}
	}
	relocate(&s.Chdir)
	relocate(&s.Argv0.Text)
	return s
}
