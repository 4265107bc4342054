package closure

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// Follow says what [Gather] takes along beside what loaders map when programs start, and what it knows to be
// opened; the zero value is right for most.
type Follow struct {
	Data      bool // files, folders and programs that the text of any packed file names
	Wrappers  bool // wrappers and scripts themselves, for a bundle in which everything keeps its path
	Suggested bool // libraries that a .note.dlopen only suggests
	Include   []Include
	Plugins   []string // rules that take along what they else only tell of; with "-" in front, that take nothing
	// Env are further changes of the environment of the programs that were asked for.
	Env []wrapper.Change
}

// Include is what is taken along because somebody says so.
type Include struct {
	Pattern string // a path inside the root or a pattern, as [ReadItems] takes them
	Dest    string // where it goes in a bundle, a path with slashes relative to its folder; "" leaves that open
}

// Gather walks programs as [Walk] does, and takes along what they are known to use beyond it: libraries that
// notes and texts of objects name and that are there, plugins of known libraries, what wrappers set in the
// environment, and the programs in the folders that those name. It goes on until nothing new is found. The
// closure then has Helpers among its link maps, Libraries, Items and Mentions.
//
// What is guessed may be wrong, and no error comes of it: a program of another machine in a folder of PATH is
// a finding, and stays a file.
func Gather(root fs.FS, programs []string, opts Options, follow Follow) (*Closure, error) {
	g := &gatherer{
		root: root, opts: opts, follow: follow, items: map[string]*Item{}, read: map[string][]Mention{},
		looked: map[string]bool{}, changes: map[string][]wrapper.Change{},
	}
	g.opts.Opened = slices.Clone(opts.Opened)
	g.reader = NewMentionReader(root, opts, nil)
	if err := checkRules(follow.Plugins); err != nil {
		return nil, err
	}
	for _, include := range follow.Include {
		if err := g.include(include); err != nil {
			return nil, err
		}
	}
	const rounds = 64 // what is opened opens more, rarely three deep
	for range rounds {
		c, err := Walk(root, programs, g.opts)
		if err == nil {
			err = g.grow(c)
		}
		if err != nil {
			return nil, err
		}
		if !g.grown {
			return c, g.finish(c)
		}
	}
	return nil, &ProgramError{Path: programs[0], Why: "what it opens opens more, without end", What: "name fewer programs, or leave out --follow-data"}
}

// gatherer is one run of Gather.
type gatherer struct {
	root   fs.FS
	opts   Options
	follow Follow

	seeker  Seeker
	reader  *MentionReader
	items   map[string]*Item            // by path
	read    map[string][]Mention        // by file
	looked  map[string]bool             // paths that were taken along or cannot be, and members that were looked at
	changes map[string][]wrapper.Change // for the plugins of each program
	asides  []Finding                   // of paths that cannot be taken along
	grown   bool                        // this round has found something new
}

// checkRules refuses the name of a rule that is not there.
func checkRules(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(pluginRules, func(r PluginRule) bool { return r.Name == strings.TrimPrefix(name, "-") }) {
			return &PluginRuleError{name}
		}
	}
	return nil
}

// PluginRuleError says that no rule for plugins has that name.
type PluginRuleError struct{ Name string }

func (e *PluginRuleError) Error() string {
	return fmt.Sprintf("plugins %q: there is no rule of that name", e.Name)
}

// Hint names some that there are.
func (e *PluginRuleError) Hint() string {
	var names []string
	for _, r := range pluginRules {
		if r.Use != PluginHost {
			names = append(names, r.Name)
		}
	}
	return "the rules are " + joinAll(names)
}

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
		g.addItem(item)
	}
	return nil
}

// grow looks for what the processes and files of a closure use that it does not have.
func (g *gatherer) grow(c *Closure) error {
	g.grown = false
	g.reader = NewMentionReader(g.root, g.opts, c.Objects)
	for _, pass := range []func(*Closure) error{
		g.setups,
		g.readMentions,
		g.opens,
		g.plugins,
		g.data,
		g.members,
	} {
		if err := pass(c); err != nil {
			return err
		}
	}
	return nil
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
			g.looked["member "+step.Path] = g.looked["member "+step.Path] || !g.has(step.Path) // not for who starts it
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
	mentions, err := g.reader.Judge(&Object{Path: wrapper}, found)
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
	for ; at != "/"; at = path.Dir(at) {
		if g.items[at] != nil {
			return true
		}
	}
	return false
}

// addItem adds an item, in the place of those that lie in it.
func (g *gatherer) addItem(item *Item) {
	if g.has(item.Path) {
		return
	}
	for at := range g.items {
		if strings.HasPrefix(at, item.Path+"/") {
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

func (g *gatherer) aside(name string, severity Severity, what string) {
	g.asides = append(g.asides, Finding{Kind: KindAside, Severity: severity, Name: name, What: what})
}

// readMentions reads what the files of a closure mention, each once.
func (g *gatherer) readMentions(c *Closure) error {
	var files []*Object
	for _, o := range g.files(c) {
		if _, ok := g.read[o.Path]; !ok {
			g.read[o.Path] = nil
			files = append(files, o)
		}
	}
	mentions, err := g.reader.Read(files...)
	for _, at := range mentions {
		g.read[at.Holder] = append(g.read[at.Holder], at)
	}
	return err
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

// opens takes along the libraries that objects open by their notes, and by names and paths in their text.
func (g *gatherer) opens(c *Closure) error {
	for _, m := range c.LinkMaps {
		wishes, err := g.wishes(m)
		if err != nil {
			return err
		}
		m.Wishes = wishes
		g.open(m, wishes)
	}
	return nil
}

// wishes is what the objects of a process may open.
func (g *gatherer) wishes(m *LinkMap) ([]Wish, error) {
	wishes, err := g.seeker.Wishes(m)
	if err != nil {
		return nil, err
	}
	var mentions []Mention
	for _, o := range m.All() {
		mentions = append(mentions, g.read[o.Path]...)
	}
	return append(wishes, g.seeker.Mentioned(m, mentions)...), nil
}

// open adds to what a process opens the wishes that are taken along.
func (g *gatherer) open(m *LinkMap, wishes []Wish) {
	for i := range wishes {
		w := &wishes[i]
		if !w.Taken(g.follow.Suggested) || w.There {
			continue
		}
		o := w.Opened(m.Asked)
		o.Maybe = w.Source != WishNote
		if !slices.Contains(g.opts.Opened, o) {
			g.opts.Opened, g.grown = append(g.opts.Opened, o), true
		}
	}
}

// plugins takes along the plugins of known libraries.
func (g *gatherer) plugins(c *Closure) error {
	for _, m := range c.LinkMaps {
		matches, err := g.seeker.Plugins(g.root, m, m.variables())
		if err != nil {
			return err
		}
		g.changes[m.Asked], m.Plugins = nil, matches
		for i := range matches {
			if p := &matches[i]; g.follow.Takes(p.Rule) {
				g.plugin(m, p)
			}
		}
	}
	return nil
}

// plugin takes along the plugins of one rule. Those that are looked for beside the library come beside it.
func (g *gatherer) plugin(m *LinkMap, p *PluginMatch) {
	if p.Rule.Files != "" && len(p.Files) == 0 {
		return
	}
	wishes := p.Wishes(m)
	m.Wishes = append(m.Wishes, wishes...)
	g.open(m, wishes)
	if p.Rule.Vars == nil {
		return
	}
	// A folder with much else in it is not taken for a few plugins: beside the library they are found, too.
	for _, at := range slices.Concat(p.Folders, p.alone) {
		if p.Rule.Whole || path.Base(at) != "lib" {
			g.take(at)
		}
	}
	g.changes[m.Asked] = append(g.changes[m.Asked], p.Changes(func(at string) string {
		if !g.has(at) {
			return ""
		}
		return at
	})...)
}

// Takes reports whether the plugins of a rule are taken along.
func (f *Follow) Takes(r *PluginRule) bool {
	if slices.Contains(f.Plugins, "-"+r.Name) || r.Use == PluginHost {
		return false
	}
	return r.Use == PluginTake || slices.Contains(f.Plugins, r.Name)
}

// variables are those that the wrappers of a program set, and their values in an empty environment.
func (m *LinkMap) variables() map[string]string {
	env := map[string]string{}
	if m.Setup != nil {
		for _, c := range m.Setup.Env {
			env[c.Name], _ = wrapper.Variable(m.Setup.Env, c.Name, "", false)
		}
	}
	return env
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
			if e.Object == nil || g.looked["member "+e.Object.Path] {
				continue
			}
			g.looked["member "+e.Object.Path] = true
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

// finish puts what was found into the last closure.
func (g *gatherer) finish(c *Closure) error {
	for _, at := range slices.Sorted(maps.Keys(g.items)) {
		c.Items = append(c.Items, g.items[at])
	}
	for _, o := range g.files(c) {
		c.Mentions = append(c.Mentions, g.read[o.Path]...)
	}
	for _, m := range c.LinkMaps {
		set := m.variables()
		m.addChanges(slices.DeleteFunc(g.changes[m.Asked], func(c wrapper.Change) bool {
			_, ok := set[c.Name]
			return ok && c.Op != wrapper.Suffix
		}))
	}
	c.asides = append(c.asides, g.asides...)
	return nil
}

// addChanges adds changes of the environment to those of the wrappers.
func (m *LinkMap) addChanges(changes []wrapper.Change) {
	if len(changes) == 0 {
		return
	}
	if m.Setup == nil {
		m.Setup = &wrapper.Wrapper{Argv0: wrapper.Argv0{Inherit: true}}
	}
	m.Setup.Env = append(m.Setup.Env, changes...)
}
