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

// Walk walks programs, looks for what they open, and walks again with that until nothing is new. It
// gives the last closure, whose link maps have what is taken along in Opened, and for each of them the
// wishes and the plugins. Errors are those of the function Walk and of reading files.
func (s *Seeker) Walk(root fs.FS, programs []string, opts Options, seek Seek) (*Closure, []Found, error) {
	opts.Opened = slices.Clone(opts.Opened)
	for round := 1; ; round++ {
		c, err := Walk(root, programs, opts)
		if err != nil {
			return nil, nil, err
		}
		found := make([]Found, len(c.LinkMaps))
		news := false
		for i, m := range c.LinkMaps {
			if found[i], err = s.find(root, m, seek); err != nil {
				return nil, nil, err
			}
			for _, o := range found[i].Opened {
				if !slices.Contains(opts.Opened, o) {
					opts.Opened, news = append(opts.Opened, o), true
				}
			}
		}
		if !news || round == maxRounds {
			return c, found, nil
		}
	}
}

// Found is what one process may open.
type Found struct {
	Wishes  []Wish        // those of plugins too
	Plugins []PluginMatch // which rules match, with what there is
	Opened  []Opened      // what is taken along of the wishes, as options of a walk
}

// find looks for what one process may open.
func (s *Seeker) find(root fs.FS, m *LinkMap, seek Seek) (Found, error) {
	var f Found
	var err error
	if f.Wishes, err = s.Wishes(m); err != nil {
		return f, err
	}
	if f.Plugins, err = s.Plugins(root, m, seek.Env[m.Asked]); err != nil {
		return f, err
	}
	for i := range f.Plugins {
		p := &f.Plugins[i]
		if seek.takes(p) || p.Rule.Use == PluginHost {
			f.Wishes = append(f.Wishes, p.Wishes(m)...)
		}
	}
	for i := range f.Wishes {
		if w := &f.Wishes[i]; w.Taken(seek.Suggested) && !w.There {
			if o := w.Opened(m.Asked); !slices.Contains(f.Opened, o) {
				f.Opened = append(f.Opened, o)
			}
		}
	}
	return f, nil
}

func (s *Seek) takes(p *PluginMatch) bool {
	if s.Plugins == nil {
		return p.Rule.Use == PluginTake
	}
	return s.Plugins(p)
}
