package closure

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

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

// Hint names those that there are: nothing else lists them.
func (e *PluginRuleError) Hint() string {
	var names []string
	for _, r := range pluginRules {
		if r.Use != PluginHost {
			names = append(names, r.Name)
		}
	}
	return "the rules are " + strings.Join(names, ", ")
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
			if p := &matches[i]; g.follow.takes(p.Rule) {
				p.Taken = true
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
	wishes := p.wishes(m)
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

// takes reports whether the plugins of a rule are taken along.
func (f *Follow) takes(r *PluginRule) bool {
	if slices.Contains(f.Plugins, "-"+r.Name) || r.Use == PluginHost {
		return false
	}
	return r.Use == PluginTake || slices.Contains(f.Plugins, r.Name)
}
