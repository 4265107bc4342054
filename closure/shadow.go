package closure

import (
	"fmt"
	"slices"
)

// shadowed notes names for which a run path leads to more than one file: which of them is loaded is
// decided by the order of its elements. Directories of the loader itself come last by design.
func (j *judge) shadowed() error {
	for _, needs := range byName(j.m.Needs) {
		n := needs[0]
		if n.To == nil || n.Rule != RuleRPath && n.Rule != RuleRunPath && n.Rule != RuleLibraryPath {
			continue
		}
		f := Finding{Kind: KindShadow, Severity: Note, Name: n.Name, Copies: []Copy{keptCopy(n.To, []*Need{n})}}
		for _, h := range n.process.behind(n) {
			same, err := j.sameBytes(n.To.Object, h.object)
			if err != nil {
				return err
			}
			if !same && !slices.ContainsFunc(f.Copies, func(c Copy) bool { return c.Object == h.object }) {
				f.Copies = append(f.Copies, Copy{Object: h.object, Path: h.path})
			}
		}
		if len(f.Copies) > 1 {
			f.What = fmt.Sprintf("the run path of %s leads to %s first, and to %s behind it",
				who(needs[:1]), j.place(f.Copies[0].Path), j.places(f.Copies[1:]))
			j.add(f)
		}
	}
	return nil
}

// behind are the files that the lists in files and LD_LIBRARY_PATH have for a need that they answer.
func (p *process) behind(n *Need) []hit {
	var all []hit
	for _, source := range p.order {
		for _, l := range source(p, n.by, n.Name) {
			if l.rule != RuleRPath && l.rule != RuleRunPath && l.rule != RuleLibraryPath {
				continue
			}
			if p.probes += len(l.places); p.probes > maxProbes {
				return all
			}
			for _, pl := range l.places {
				if o, _, err := p.try(pl, n.Name); err == nil && o != nil {
					all = append(all, hit{o, pl.path(n.Name), l.rule, l.via})
				}
			}
		}
	}
	return all
}
