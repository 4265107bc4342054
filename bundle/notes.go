package bundle

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// noteWishes tells what programs may open at run time that the bundle does not bring: what is not there in the
// store either, and what is left to the machine.
func (p *Plan) noteWishes() {
	for _, m := range p.closure.LinkMaps {
		absent, host := map[string][]string{}, map[string][]string{}
		var doubtful []string
		for i := range m.Wishes {
			w := &m.Wishes[i]
			holder, name := path.Base(w.Holder.Path), strings.Join(w.Names, " or ")
			switch {
			case w.Host != "":
				if !p.brings(w) && !slices.Contains(host[w.Host], name) {
					host[w.Host] = append(host[w.Host], name)
				}
			case w.Object != nil || w.Rule != "":
			case isDoubtful(w):
				if !slices.Contains(doubtful, name) {
					doubtful = append(doubtful, name)
				}
			case !slices.Contains(absent[holder], name):
				absent[holder] = append(absent[holder], name)
			}
		}
		for _, holder := range sortedKeys(absent) {
			p.note("%s: %s may open %s, which nothing answers", path.Base(m.Asked), holder, some(absent[holder]))
		}
		if n := len(doubtful); n == 1 {
			p.note("%s: the text %s may be the name of a library, and nothing answers it", path.Base(m.Asked), doubtful[0])
		} else if n > 1 {
			p.note("%s: %d texts such as %s may be names of libraries, and nothing answers them", path.Base(m.Asked), n, doubtful[0])
		}
		p.notePlugins(m)
		for _, what := range sortedKeys(host) {
			p.note("%s: left to the machine: %s (%s)", path.Base(m.Asked), some(host[what]), what)
		}
	}
}

// isDoubtful reports whether a text that nothing answers may as well be none of the names that a program hands to
// dlopen: a suffix, a built-in of an interpreter, bytes before a name. The link editor's -l wants "lib" in front (ld(1)).
func isDoubtful(w *closure.Wish) bool {
	return w.Source == closure.WishText && !strings.HasPrefix(path.Base(w.Names[0]), "lib")
}

// brings reports whether a library of the machine is in the bundle all the same, since a need names it. A name without
// a version, as that of the link editor's link, is every version's.
func (p *Plan) brings(w *closure.Wish) bool {
	return slices.ContainsFunc(w.Names, func(name string) bool {
		name = path.Base(name)
		return slices.ContainsFunc(p.closure.Objects, func(o *closure.Object) bool {
			for _, have := range []string{path.Base(o.Path), o.Info.Soname} {
				if have == name || strings.HasSuffix(name, ".so") && strings.HasPrefix(have, name+".") {
					return true
				}
			}
			return false
		})
	})
}

// notePlugins tells of plugins that are taken along only where somebody asks for them, and of caches that have
// absolute paths in them.
func (p *Plan) notePlugins(m *closure.LinkMap) {
	var more []string
	for i := range m.Plugins {
		match := &m.Plugins[i]
		switch {
		case match.Rule.Use == closure.PluginReport && match.There() && !match.Taken && !p.hasPlugins(match):
			more = append(more, match.Rule.Name)
		case match.Rule.Use == closure.PluginTake && len(match.Caches) > 0 && p.Prefix == "":
			p.note("%s: %s has the absolute paths of %s in it: only with --prefix are they found", path.Base(m.Asked), match.Caches[0], match.Rule.What)
		}
	}
	if len(more) > 0 {
		p.note("%s: not taken along unless asked for: --plugins %s", path.Base(m.Asked), strings.Join(more, ","))
	}
}

// hasPlugins reports whether the plugins of a match come along for another reason than their rule.
func (p *Plan) hasPlugins(match *closure.PluginMatch) bool {
	for _, at := range match.Folders {
		for _, item := range p.closure.Items {
			if item.Target == at || item.Path == at {
				return true
			}
		}
	}
	return false
}

// noteLaunchers tells of programs that a script starts: what the target needs for them, and what is set for them.
func (p *Plan) noteLaunchers(starts []*start) {
	var scripts, variables []string
	for _, s := range starts {
		if s.library || !s.launched() {
			continue
		}
		scripts = append(scripts, p.in(s.entry))
		if s.setup == nil {
			continue
		}
		for _, c := range s.setup.Env {
			if !slices.Contains(variables, c.Name) {
				variables = append(variables, c.Name)
			}
		}
	}
	if scripts == nil {
		return
	}
	sets := ""
	if variables != nil {
		sets = ", which sets " + some(variables)
	}
	p.note("%s: started by a sh script%s: the target needs /bin/sh", some(scripts), sets)
}

// some lists names for a line: not so many that nobody reads them.
func some(names []string) string {
	const shown = 5
	if more := len(names) - shown; more > 0 {
		return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// note adds a line that is worth knowing, once.
func (p *Plan) note(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); !slices.Contains(p.Notes, line) {
		p.Notes = append(p.Notes, line)
	}
}
