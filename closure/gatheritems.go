package closure

import (
	"debug/elf"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// include takes along what somebody asks for. Several items that one pattern means go below one destination.
func (g *gatherer) include(include Include) error {
	items, err := ReadItems(g.root, include.Pattern, g.opts)
	if err != nil {
		return err
	}
	for _, item := range items {
		if item.Dest = include.Dest; include.Dest != "" && len(items) > 1 {
			item.Dest = path.Join(include.Dest, path.Base(item.Path))
		}
		if have := g.items[item.Path]; have != nil && have.Dest != item.Dest {
			return &ItemError{Path: item.Path, Why: fmt.Sprintf("is wanted at %s and at %s", orAnywhere(have.Dest), orAnywhere(item.Dest)),
				What: "name it once"}
		}
		g.addItem(item)
	}
	return nil
}

func orAnywhere(dest string) string {
	if dest == "" {
		return "any place"
	}
	return dest
}

// setups takes along what is named by what wrappers set up.
func (g *gatherer) setups(c *Closure) error {
	for _, m := range c.LinkMaps {
		if !m.Helper {
			m.addChanges(g.follow.Env)
		}
		if err := g.steps(m); err != nil {
			return err
		}
		if m.Setup == nil {
			continue
		}
		texts := []string{m.Setup.Chdir, m.Setup.Argv0.Text}
		for _, change := range m.Setup.Env {
			texts = append(texts, change.Value)
		}
		for _, arg := range slices.Concat(m.Setup.Args, m.Setup.After) {
			texts = append(texts, arg.Text)
		}
		for _, text := range texts {
			for _, at := range g.named(m.Asked, text) {
				g.take(at)
			}
		}
	}
	return nil
}

// steps takes along the scripts by which a program starts, and wrappers where those are wanted. A launcher names
// the script by its place in the bundle, so it must have one.
func (g *gatherer) steps(m *LinkMap) error {
	for _, step := range m.Launch.Steps {
		if _, _, ok := ParseStorePath(g.opts.storeDir(), step.Asked); !ok && step.Kind == wrapper.Script {
			return &ProgramError{Path: step.Asked, Why: "is a script outside the store",
				What: "add it to the store first (nix-store --add), or let a derivation install it"}
		}
		if g.follow.Wrappers || step.Kind == wrapper.Script {
			g.known[step.Path] = g.known[step.Path] || !g.has(step.Path) // not for who starts it
			g.take(step.Asked)
			g.take(step.Path)
		}
	}
	return nil
}

// named are the paths of the store in a text of a wrapper that are there.
func (g *gatherer) named(wrapper, text string) []string {
	s := NewScanner(g.opts.StoreDir)
	_, _ = s.Write([]byte(text))
	found, err := s.Finish()
	if err != nil {
		return nil
	}
	mentions, err := g.reader.mentions(&Object{Path: wrapper}, found)
	if err != nil {
		return nil
	}
	var paths []string
	for _, at := range mentions {
		if at.Target != "" {
			paths = append(paths, at.Path)
		}
	}
	return paths
}

// take takes a path along, unless it lies in what is.
func (g *gatherer) take(at string) {
	at = path.Clean(at)
	if g.looked[at] || g.has(at) {
		return
	}
	g.looked[at] = true
	item, err := ReadItem(g.root, at, g.opts)
	if err != nil {
		g.aside(at, Warning, fmt.Sprintf("%s is named, and cannot be taken along: %v", at, err))
		return
	}
	g.addItem(item)
}

// has reports whether a path is an item or lies in one.
func (g *gatherer) has(at string) bool {
	for ; at != "/" && at != "."; at = path.Dir(at) {
		if g.items[at] != nil {
			return true
		}
	}
	return false
}

// addItem adds an item, in the place of those that lie in it, but for what somebody wants in a place of its own.
func (g *gatherer) addItem(item *Item) {
	if g.items[item.Path] != nil || item.Dest == "" && g.has(item.Path) {
		return
	}
	for at, have := range g.items {
		if strings.HasPrefix(at, item.Path+"/") && have.Dest == "" {
			delete(g.items, at)
		}
	}
	g.items[item.Path], g.grown = item, true
	for i := range item.Entries {
		if e := &item.Entries[i]; e.Object != nil {
			if o, err := g.reader.Holder(e.Object.Path); err == nil {
				e.Object = o
			}
		}
	}
	for _, at := range item.Leads {
		g.take(at)
	}
}

// files are the files of a closure and its items, each once.
func (g *gatherer) files(c *Closure) []*Object {
	files := slices.Clone(c.Objects)
	seen := map[string]bool{}
	for _, o := range files {
		seen[o.Path] = true
	}
	for _, at := range slices.Sorted(maps.Keys(g.items)) {
		for i := range g.items[at].Entries {
			if o := g.items[at].Entries[i].Object; o != nil && !seen[o.Path] {
				seen[o.Path] = true
				files = append(files, o)
			}
		}
	}
	return files
}

// data takes along what texts of files name, where that is wanted.
func (g *gatherer) data(c *Closure) error {
	for _, o := range g.files(c) {
		for _, at := range g.read[o.Path] {
			followed := at.Kind == MentionData || at.Kind == MentionFolder || at.Kind == MentionProgram
			if g.follow.Data && followed && at.Use == elfpatch.UseNone {
				g.take(at.Path)
			}
		}
	}
	return nil
}

// members finds the programs and libraries among the files of items.
func (g *gatherer) members(c *Closure) error {
	first := c.LinkMaps[0].Program().Object.Info
	for _, at := range slices.Sorted(maps.Keys(g.items)) {
		item := g.items[at]
		for i := range item.Entries {
			e := &item.Entries[i]
			if e.Object == nil || g.known[e.Object.Path] {
				continue
			}
			g.known[e.Object.Path] = true
			switch file := path.Join(item.Path, e.Name); {
			case g.isProgram(item, e):
				g.opts.Helpers, g.grown = append(g.opts.Helpers, file), true
			case isLibrary(e.Object) && sameMachine(e.Object.Info, first):
				g.opts.Libraries, g.grown = append(g.opts.Libraries, file), true
			}
		}
	}
	return nil
}

// isProgram reports whether a file of an item is one that the kernel starts: an ELF file that names a loader,
// or a script where programs are, that is executable.
func (g *gatherer) isProgram(item *Item, e *ItemEntry) bool {
	if e.Mode&0o111 == 0 {
		return false
	}
	if info := e.Object.Info; info != nil {
		return info.LoaderPath() != "" && info.Soname == ""
	}
	dir := path.Base(path.Dir(e.Object.Path))
	return isScript(e.Object) && (e.Name == "." || dir == "bin" || dir == "sbin" || dir == "libexec")
}

// isScript reports whether a file begins with #!.
func isScript(o *Object) bool {
	f, err := o.Open()
	if err != nil {
		return false
	}
	defer f.Close()
	head, err := readSome(f, 2)
	return err == nil && string(head) == "#!"
}

// isLibrary reports whether a file is what dlopen takes. A C library says with PT_INTERP who can start it.
func isLibrary(o *Object) bool {
	info := o.Info
	return info != nil && info.Type == elf.ET_DYN && info.Dynamic && info.DynFlags1&elf.DF_1_PIE == 0 &&
		(info.LoaderPath() == "" || info.Soname != "")
}
