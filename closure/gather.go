package closure

import (
	"io/fs"
	"slices"
)

// Seek is what a search for what programs open at run time takes along.
type Seek struct {
	Suggested bool                         // what dlopen notes only suggest, too
	Plugins   func(*PluginMatch) bool      // which plugins; nil is all that their rules take by themselves
	Env       map[string]map[string]string // by program as asked for: variables that its wrappers set
}

// maxRounds bounds the walks of one search: what is opened opens more, rarely three deep.
const maxRounds = 64

// Found is what one process may open.
type Found struct {
	Wishes  []Wish        // by notes and texts, then those of plugins that are taken or are the machine's
	Plugins []PluginMatch // the rules that match, with what there is
}

// Walk walks programs, looks for what they open, and walks again with that until nothing is new. It
// gives the last closure, in whose link maps Opened has what is taken along, and what each process may
// open. Errors are those of the function [Walk] and of reading files.
func (s *Seeker) Walk(root fs.FS, programs []string, opts Options, seek Seek) (*Closure, []Found, error) {
	opts.Opened = slices.Clone(opts.Opened)
	for round := 1; ; round++ {
		c, err := Walk(root, programs, opts)
		if err != nil {
			return nil, nil, err
		}
		before := len(opts.Opened)
		found := make([]Found, len(c.LinkMaps))
		for i, m := range c.LinkMaps {
			if found[i], err = s.find(root, m, seek); err != nil {
				return nil, nil, err
			}
			for _, o := range found[i].news(m, seek.Suggested) {
				if !slices.Contains(opts.Opened, o) {
					opts.Opened = append(opts.Opened, o)
				}
			}
		}
		if len(opts.Opened) == before || round == maxRounds {
			return c, found, nil
		}
	}
}

// find looks for what one process may open.
func (s *Seeker) find(root fs.FS, m *LinkMap, seek Seek) (f Found, err error) {
	if f.Wishes, err = s.Wishes(m); err != nil {
		return f, err
	}
	if f.Plugins, err = s.Plugins(root, m, seek.Env[m.Asked]); err != nil {
		return f, err
	}
	for i := range f.Plugins {
		if p := &f.Plugins[i]; seek.takes(p) || p.Rule.Use == PluginHost {
			f.Wishes = append(f.Wishes, p.Wishes(m)...)
		}
	}
	return f, nil
}

// news is what is taken along and is not in the process yet.
func (f *Found) news(m *LinkMap, suggested bool) []Opened {
	var list []Opened
	for i := range f.Wishes {
		if w := &f.Wishes[i]; w.Taken(suggested) && !w.loaded {
			list = append(list, w.Opened(m.Asked))
		}
	}
	return list
}

func (s *Seek) takes(p *PluginMatch) bool {
	if s.Plugins == nil {
		return p.Rule.Use == PluginTake
	}
	return s.Plugins(p)
}
