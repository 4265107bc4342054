package bundle

import (
	"debug/elf"
	"fmt"
	"path"

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
	c, err := closure.Walk(tree, []string{path.Join(v.base(), s.elf.Path)}, opts)
	if err != nil {
		return v.stopped([]*starting{s}, err)
	}
	for i, m := range c.Libraries {
		if m.Err != nil {
			v.warn(plugins[i], fmt.Sprintf("%s cannot be opened: %v", plugins[i].Path, m.Err))
		}
		for _, n := range m.Needs {
			if n.To == nil && (s.Strategy != StrategySystem || !asksLibc(n)) {
				v.warn(plugins[i], fmt.Sprintf("%s cannot be opened: %s needs %s, and nothing answers", plugins[i].Path, path.Base(n.From.Path), clip(n.Name)))
				break
			}
		}
	}
	return nil
}

// isPlugin reports whether an entry is a library that no program loads at start.
func (v *verifier) isPlugin(e *verified) bool {
	return e.info != nil && e.info.Type == elf.ET_DYN && e.info.Dynamic && e.info.LoaderPath() == "" &&
		e.SameAs == "" && v.programs[e] == "" && !v.loaded[e]
}

// warn records a warning about an entry.
func (v *verifier) warn(e *verified, what string) {
	f := closure.Finding{Kind: closure.KindMissing, Severity: closure.Warning, Name: e.Path, What: what}
	trimFinding(&f, v.base())
	v.add(f)
}
