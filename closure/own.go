package closure

import "strings"

// Own is what the search alone would have opened, had nothing been loaded yet: where it is another
// object than To, the requester does not get the copy that its own run path names. The object is
// nil when the search would have found nothing, and when the name has a slash. It is looked up when
// it is first asked for, in the root of the walk; not for concurrent use.
func (n *Need) Own() (o *Object, path string, by Rule) {
	if n.own == nil {
		h := n.process.own(n)
		n.own = &h
	}
	return n.own.object, n.own.path, n.own.rule
}

// own searches for a need that was answered without a search.
func (p *process) own(n *Need) hit {
	name := n.Name
	if p.m.Loader.Kind == LoaderGlibc {
		name, _ = p.expand(n.Name, n.From)
	}
	if n.Rule.Searched() && name != "" && !strings.Contains(name, "/") {
		return hit{n.To.Object, n.Path, n.Rule, n.Via}
	}
	if n.To == nil || name == "" || strings.Contains(name, "/") || n.Rule == RuleInterp && p.m.Loader.Kind == LoaderMusl {
		return hit{}
	}
	h, err := p.search(name, n.by, nil)
	if err != nil {
		return hit{}
	}
	return h
}
