package closure

import (
	"fmt"
	"slices"
	"strings"
)

// sameSoname finds needs that get another file than the one their own run path leads to, since one
// of that name was loaded before: the clash that only shows when the program runs.
func (j *judge) sameSoname() error {
	for _, needs := range byName(j.m.Needs) {
		others := otherCopies(needs)
		if len(others) == 0 {
			continue
		}
		if err := j.clash(needs, others); err != nil {
			return err
		}
	}
	return nil
}

// robbed reports whether a need gets another file than the one that a run path names for it. What
// only the loader's own directories would have given was nobody's wish.
func robbed(n *Need) bool {
	if n.To == nil {
		return false
	}
	own, _, rule := n.Own()
	named := rule == RuleRPath || rule == RuleRunPath
	return named && own != nil && own != n.To.Object
}

// otherCopies are the files that some needs for one name would have got, by path.
func otherCopies(needs []*Need) []*Object {
	var others []*Object
	for _, n := range needs {
		if own, _, _ := n.Own(); robbed(n) && !slices.Contains(others, own) {
			others = append(others, own)
		}
	}
	slices.SortFunc(others, func(a, b *Object) int { return strings.Compare(a.Path, b.Path) })
	return others
}

// clash makes the finding of one name.
func (j *judge) clash(needs []*Need, others []*Object) error {
	first := needs[slices.IndexFunc(needs, robbed)]
	kept := first.To
	identical := true
	for _, o := range others {
		same, err := j.sameBytes(kept.Object, o)
		if err != nil {
			return err
		}
		identical = identical && same
	}
	f := Finding{Kind: KindSoname, Severity: Error, Name: first.Name}
	f.Copies = append(f.Copies, keptCopy(kept, needs))
	var losers []*Need
	for _, o := range others {
		wants := wanting(needs, o)
		losers = append(losers, wants...)
		_, at, _ := wants[0].Own()
		f.Copies = append(f.Copies, Copy{Object: o, Path: at, Chains: chains(wants)})
	}
	f.What = fmt.Sprintf("%s brings %s of %s first, so %s that one and not the one of %s",
		bringer(kept), first.Name, j.place(kept.Path), verb(requesters(losers), "gets", "get"), j.places(f.Copies[1:]))
	f.Advice = fmt.Sprintf("build both users against one %s (one nixpkgs, or an override), or run them as two processes",
		trimLib(stem(first.Name)))
	f.What += j.reach(&f, losers, kept)
	if identical {
		f.Severity = Warning
		f.What += "; the files are the same byte for byte"
	}
	j.add(f)
	return nil
}

// reach tells how many references of some requesters reach the copy that they did not ask for.
func (j *judge) reach(f *Finding, losers []*Need, kept *Loaded) string {
	if j.bindings == nil {
		return ""
	}
	var parts []string
	var told []*Loaded
	for _, n := range losers {
		if slices.Contains(told, n.From) {
			continue
		}
		told = append(told, n.From)
		if u := j.bindings.usage(n.From, kept); len(u.symbols) > 0 {
			f.use(n.From, u)
			parts = append(parts, u.of(n.From))
		}
	}
	if parts == nil {
		return ""
	}
	return ", for " + join(parts)
}

// use adds references that go astray.
func (f *Finding) use(from *Loaded, u *usage) {
	f.Users = append(f.Users, User{From: from, References: len(u.symbols), Names: u.groups.String()})
	f.References += len(u.symbols)
}

// keptCopy is the copy that the loader keeps, with the chains of those who want it: at least of who
// brought it.
func keptCopy(kept *Loaded, needs []*Need) Copy {
	c := Copy{Object: kept.Object, Path: kept.Path, Kept: true, Chains: chains(wanting(needs, kept.Object))}
	if len(c.Chains) == 0 {
		c.Chains = chainOf(kept)
	}
	return c
}

// wanting are the needs whose own search leads to a file.
func wanting(needs []*Need, o *Object) []*Need {
	var wants []*Need
	for _, n := range needs {
		if own, _, _ := n.Own(); own == o {
			wants = append(wants, n)
		}
	}
	return wants
}

// bringer names who brought an object.
func bringer(l *Loaded) string {
	if l.By == nil {
		return "the program"
	}
	return who([]*Need{l.By})
}

func (j *judge) places(copies []Copy) string {
	var names []string
	for _, c := range copies {
		names = append(names, j.place(c.Path))
	}
	return join(names)
}

// loadedTwice finds one soname loaded from two files: both asked for, each by another name.
func (j *judge) loadedTwice() error {
	bySoname := map[string]*Loaded{}
	for _, l := range j.m.everything() {
		soname := l.Object.Info.Soname
		if soname == "" || isLoader(soname) {
			continue
		}
		first, ok := bySoname[soname]
		if !ok {
			bySoname[soname] = l
			continue
		}
		same, err := j.sameBytes(first.Object, l.Object)
		if err != nil {
			return err
		}
		j.add(twice(soname, first, l, same))
	}
	return nil
}

func twice(soname string, first, second *Loaded, same bool) Finding {
	f := Finding{
		Kind: KindDuplicate, Severity: Error, Name: soname,
		Copies: []Copy{
			{Object: first.Object, Path: first.Path, Kept: true, Chains: chainOf(first)},
			{Object: second.Object, Path: second.Path, Chains: chainOf(second)},
		},
		What: fmt.Sprintf("%s and %s are both loaded and are both %s: references bind to the first, and each has its own data",
			first.Path, second.Path, soname),
		Advice: "let both needs use the soname, so that one file answers them",
	}
	if same {
		f.Severity = Warning
		f.What += "; the files are the same byte for byte"
	}
	return f
}
