package closure

import (
	"io/fs"
	"maps"
	"slices"

	"github.com/nixbundle/nixbundle/closure/wrapper"
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
//
// Errors are those of [Walk], a [*PluginRuleError] for an unknown name in Follow.Plugins, and an [*ItemError]
// for what is to be included and cannot be.
func Gather(root fs.FS, programs []string, opts Options, follow Follow) (*Closure, error) {
	if len(programs) == 0 {
		return Walk(root, nil, opts)
	}
	g := &gatherer{
		root: root, opts: opts, follow: follow, items: map[string]*Item{}, read: map[string][]Mention{},
		looked: map[string]bool{}, known: map[string]bool{}, changes: map[string][]wrapper.Change{},
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
	looked  map[string]bool             // paths that were taken along or cannot be
	known   map[string]bool             // files of items that are no program or library to be found any more
	changes map[string][]wrapper.Change // for the plugins of each program
	asides  []Finding                   // of paths that cannot be taken along
	grown   bool                        // this round has found something new
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

func (g *gatherer) aside(name string, severity Severity, what string) {
	g.asides = append(g.asides, Finding{Kind: KindAside, Severity: severity, Name: name, What: what})
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
	g.askedPlugins(c)
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
