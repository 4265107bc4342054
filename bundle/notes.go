package bundle

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// noteWishes tells what programs may open at run time that the bundle does not bring: what is not there in the
// store either, and what is left to the machine.
func (p *Plan) noteWishes() {
	const shown = 5
	for _, m := range p.closure.LinkMaps {
		absent, host := map[string][]string{}, map[string][]string{}
		for i := range m.Wishes {
			w := &m.Wishes[i]
			holder, name := path.Base(w.Holder.Path), strings.Join(w.Names, " or ")
			switch {
			case w.Host != "" && !slices.Contains(host[w.Host], name):
				host[w.Host] = append(host[w.Host], name)
			case w.Host == "" && w.Object == nil && w.Rule == "" && !slices.Contains(absent[holder], name):
				absent[holder] = append(absent[holder], name)
			}
		}
		list := func(names []string) string {
			if more := len(names) - shown; more > 0 {
				return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", more)
			}
			return strings.Join(names, ", ")
		}
		for _, holder := range sortedKeys(absent) {
			p.note("%s: %s may open %s, which nothing answers", m.Asked, holder, list(absent[holder]))
		}
		for _, what := range sortedKeys(host) {
			p.note("%s: left to the machine: %s (%s)", m.Asked, list(host[what]), what)
		}
	}
}

// note adds a line that is worth knowing, once.
func (p *Plan) note(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); !slices.Contains(p.Notes, line) {
		p.Notes = append(p.Notes, line)
	}
}
