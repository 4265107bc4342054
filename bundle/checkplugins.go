package bundle

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"

	"github.com/nixbundle/nixbundle/closure"
)

// checkPlugins walks the libraries that no program loads at start, each by itself, as the process of one program
// would have it that opens it. What lacks something cannot be opened, which stops no program.
func (v *verifier) checkPlugins(s *starting) error {
	tree, err := v.machine(s)
	if err != nil {
		return err
	}
	opts := v.walkOptions(s)
	var plugins []*verified
	for _, e := range v.order {
		if v.isPlugin(e) && sameMachine(e.info, s.elf.info) {
			plugins = append(plugins, e)
			opts.Libraries = append(opts.Libraries, path.Join(v.base(), e.Path))
		}
	}
	if plugins == nil {
		return nil
	}
	c, err := closure.Walk(tree, []string{v.started(s)}, opts)
	if err != nil {
		return nil // told already
	}
	for i, m := range c.Libraries {
		v.checkPlugin(s, plugins[i], m, c.LinkMaps[0])
	}
	return nil
}

// checkPlugin tells what one library lacks that the process of a program does not have already.
func (v *verifier) checkPlugin(s *starting, e *verified, m, opener *closure.LinkMap) {
	if m.Err != nil {
		v.warn(e, fmt.Sprintf("%s cannot be opened: %v", e.Path, m.Err))
		return
	}
	for _, o := range m.All() {
		v.opened[v.packed(o)] = true
	}
	for _, n := range m.Needs {
		if n.To == nil && !isLoaded(opener, n.Name) && (s.Strategy != StrategySystem || !asksLibc(n)) {
			v.warn(e, fmt.Sprintf("%s cannot be opened: %s needs %s, and nothing answers", e.Path, path.Base(n.From.Path), clip(n.Name)))
			return
		}
	}
}

// isLoaded reports whether a process has something of that name, which is then not looked for (glibc elf/dl-load.c:
// _dl_map_object).
func isLoaded(m *closure.LinkMap, name string) bool {
	return slices.ContainsFunc(m.Loaded, func(l *closure.Loaded) bool { return l.Object.Info.Soname == name }) ||
		slices.ContainsFunc(m.Needs, func(n *closure.Need) bool { return n.Name == name && n.To != nil })
}

// isPlugin reports whether an entry is a library that no program loads at start. A library may name a loader, which
// says its version where it is started.
func (v *verifier) isPlugin(e *verified) bool {
	return e.info != nil && e.info.Type == elf.ET_DYN && e.info.Dynamic && !e.info.IsPIE() &&
		(e.info.LoaderPath() == "" || e.info.Soname != "") &&
		e.SameAs == "" && v.programs[e] == "" && !v.loaded[e]
}

// warn records a warning about an entry.
func (v *verifier) warn(e *verified, what string) {
	v.add(closure.Finding{Kind: closure.KindMissing, Severity: closure.Warning, Name: e.Path, What: v.trim(what)})
}
