package closure

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Lack is something of the store that a recorded run used and that a bundle would not have.
type Lack struct {
	By   string // of a library that was opened: who called, as [Opened.By]; "" for the program
	Name string // what to open, a name or a path; "" for a file or folder that is not a library
	Path string // where it is, inside the root
}

// Learn compares a recording with what [Gather] takes along for programs, and gives what that lacks: first
// libraries in the order in which they were opened, without what one before brings along, then files and
// folders by path, without what is in a folder that is given. Only what is in the store counts, and what is not
// there any more is left out. Errors are those of Gather.
func Learn(root fs.FS, programs []string, opts Options, follow Follow, r *Recording) ([]Lack, error) {
	c, err := Gather(root, programs, opts, follow)
	if err != nil {
		return nil, err
	}
	l := &learner{tree: newTree(root), storeDir: opts.storeDir(), have: map[string]bool{}}
	l.known(c)
	opts.Opened = slices.Clone(opts.Opened)
	for _, m := range c.LinkMaps {
		for _, o := range m.Opened {
			if !slices.Contains(opts.Opened, o.Opened) {
				opts.Opened = append(opts.Opened, o.Opened)
			}
		}
	}
	begin := len(opts.Opened)
	opts.Opened = append(opts.Opened, l.candidates(c, r)...)
	if c, err = Gather(root, programs, opts, follow); err != nil {
		return nil, err
	}
	lacks := l.libraries(c, opts.Opened[begin:])
	l.known(c)
	return append(lacks, l.data(r)...), nil
}

// learner knows what a bundle would have.
type learner struct {
	*tree
	storeDir string
	have     map[string]bool // files, links resolved
	folders  []string        // folders that it has as a whole, links resolved
}

// known adds what a closure has.
func (l *learner) known(c *Closure) {
	for _, o := range c.Objects {
		l.have[o.Path] = true
	}
	for _, m := range c.LinkMaps {
		l.have[m.Asked] = true
		for _, step := range m.Launch.Steps {
			l.have[step.Path] = true // the launcher does what it does
		}
	}
	for _, item := range c.Items {
		l.have[item.Target] = true
		l.folders = append(l.folders, item.Target+"/")
	}
}

// inStore is a path of a log as a file or folder of the store that is there, links resolved.
func (l *learner) inStore(at string) (n *node, rest string, ok bool) {
	if _, _, in := ParseStorePath(l.storeDir, at); !in {
		return nil, "", false
	}
	n, err := l.walk(at)
	if err != nil {
		return nil, "", false
	}
	_, rest, ok = ParseStorePath(l.storeDir, n.abs())
	return n, rest, ok
}

// lacks reports whether a bundle lacks a file.
func (l *learner) lacks(file string) bool {
	return !l.have[file] && !slices.ContainsFunc(l.folders, func(dir string) bool { return strings.HasPrefix(file, dir) })
}

// candidates are what was opened, as options of a walk: by the callers that LD_DEBUG tells, and then each
// library that was opened as a file. The programs of the log may be any of those of the closure.
func (l *learner) candidates(c *Closure, r *Recording) []Opened {
	var list []Opened
	for _, o := range r.Opens {
		for _, m := range c.LinkMaps {
			if by, ok := m.callerText(o.By); ok {
				list = append(list, Opened{Program: m.Asked, By: by, Name: o.Name})
			}
		}
	}
	objects := &objects{tree: l.tree, bySize: map[int64][]known{}}
	for _, at := range r.Files {
		n, _, ok := l.inStore(at)
		if !ok || !n.mode.IsRegular() || !l.lacks(n.abs()) {
			continue
		}
		if o, err := objects.object(n); err == nil && isLibrary(o) {
			for _, m := range c.LinkMaps {
				list = append(list, Opened{Program: m.Asked, Name: at})
			}
		}
	}
	return list
}

// callerText is how an option calls the object that a log names; "" for the program, for which also an
// object stands that the process does not have yet: what is opened by it is then found by its path.
func (m *LinkMap) callerText(by string) (text string, ok bool) {
	if by == "" || m.process == nil {
		return "", m.process != nil
	}
	l := m.process.called(by)
	switch {
	case l == nil:
		return "", false
	case l == m.Program():
		return "", true
	}
	if so := l.Object.Info.Soname; so != "" && m.process.called(so) == l {
		return so, true
	}
	return l.Path, true
}

// libraries are those of some opens that bring something.
func (l *learner) libraries(c *Closure, opened []Opened) []Lack {
	var lacks []Lack
	for _, o := range opened {
		for _, m := range c.LinkMaps {
			for _, at := range m.Opened {
				if at.Opened != o || !l.brings(at) {
					continue
				}
				lack := Lack{By: o.By, Name: o.Name, Path: at.Need.To.Path}
				if !slices.Contains(lacks, lack) {
					lacks = append(lacks, lack)
				}
			}
		}
	}
	return lacks
}

// brings reports whether an open brings a library of the store that a bundle lacks.
func (l *learner) brings(at *Open) bool {
	return at.Err == nil && at.Need.To != nil && slices.ContainsFunc(at.Scope, func(o *Loaded) bool {
		_, _, ok := ParseStorePath(l.storeDir, o.Object.Path)
		return ok && o.Opened == at && l.lacks(o.Object.Path)
	})
}

// data are the folders and files of a recording that a bundle lacks. The store itself, and a store path as
// a folder, are more than a run can have meant.
func (l *learner) data(r *Recording) []Lack {
	var lacks []Lack
	for _, at := range r.Folders {
		n, rest, ok := l.inStore(at)
		if ok && rest != "" && n.mode.IsDir() && l.lacks(n.abs()) && l.lacks(n.abs()+"/") {
			lacks = append(lacks, Lack{Path: plain(at, n)})
		}
	}
	for _, k := range lacks {
		l.folders = append(l.folders, k.Path+"/")
	}
	lacks = slices.DeleteFunc(lacks, func(k Lack) bool { return !l.lacks(k.Path) })
	for _, at := range r.Files {
		n, _, ok := l.inStore(at)
		if ok && n.mode.IsRegular() && l.lacks(n.abs()) && l.lacks(plain(at, n)) {
			lacks = append(lacks, Lack{Path: plain(at, n)})
		}
	}
	slices.SortFunc(lacks, func(a, b Lack) int { return cmp.Compare(a.Path, b.Path) })
	return slices.Compact(lacks)
}

// plain is a path of a log as it was asked for, so that a link in it is one in the bundle too; where it
// goes up again, it is where it leads.
func plain(at string, n *node) string {
	if clean := path.Clean(at); !strings.Contains(at, "/../") && !strings.HasSuffix(at, "/..") {
		return clean
	}
	return n.abs()
}
