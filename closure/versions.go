package closure

import (
	"debug/elf"
	"fmt"
	"path"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// twoVersions finds two versions of one library in one process: another soname with the same stem.
// A reference without a version binds to whichever of them stands first.
func (j *judge) twoVersions() error {
	byStem := map[string][]*Loaded{}
	var stems []string
	for _, l := range j.m.Loaded[1:] {
		soname := l.Object.Info.Soname
		if soname == "" {
			continue
		}
		s := stem(soname)
		if byStem[s] == nil {
			stems = append(stems, s)
		}
		byStem[s] = append(byStem[s], l)
	}
	for _, s := range stems {
		for i, first := range byStem[s] {
			for _, second := range byStem[s][i+1:] {
				if err := j.versionPair(s, first, second); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (j *judge) versionPair(stem string, first, second *Loaded) error {
	a, b := first.Object.Info.Soname, second.Object.Info.Soname
	if a == b || first.Object == second.Object {
		return nil // another finding
	}
	strong, all, err := j.common(first.Object, second.Object)
	if err != nil {
		return err
	}
	f := Finding{
		Kind: KindVersions, Severity: Note, Name: stem,
		Copies: []Copy{
			{Object: first.Object, Path: first.Path, Kept: true, Chains: chainOf(first)},
			{Object: second.Object, Path: second.Path, Chains: chainOf(second)},
		},
	}
	f.What = fmt.Sprintf("%s of %s and %s of %s are both loaded", a, j.place(first.Path), b, j.place(second.Path))
	f.Advice = fmt.Sprintf("build both users against one %s (one nixpkgs, or an override), or run them as two processes", trimLib(stem))
	between := j.pairs(first, second)
	switch {
	case len(between) > 0:
		f.Severity = Error
		f.What += crossed(&f, between)
	case strong > 0:
		f.Severity = Warning
		if j.bindings == nil {
			f.Severity = Error
		}
		f.What += fmt.Sprintf(", and %d names without a version are in both: whoever uses one gets the one of %s", strong, a)
	case all > 0:
		f.What, f.Advice = f.What+fmt.Sprintf(", and share %d names, none of them strong and without a version", all), ""
	default:
		f.What, f.Advice = f.What+" and have no name in common", ""
	}
	j.add(f)
	return nil
}

// crossed tells the references that reach the wrong one of two versions.
func crossed(f *Finding, between []*rebound) string {
	var text string
	for _, r := range between {
		for _, from := range r.by {
			f.use(from, r.users[from])
		}
		text += fmt.Sprintf(", and %s gets %s, which are meant for %s",
			path.Base(r.taken.Path), r, path.Base(r.wanted.Path))
	}
	return text
}

// exports are the names that a file exports; what one binds by is the name and its version.
type exports struct {
	strong map[export]bool // value: STB_GLOBAL, not weak or unique
}

type export struct{ name, version string }

// common counts the exports of two files that are the same: all of them, and those which are
// strong and have no version.
func (c *comparer) common(a, b *Object) (strong, all int, err error) {
	ea, err := c.exportsOf(a)
	if err != nil {
		return 0, 0, err
	}
	eb, err := c.exportsOf(b)
	if err != nil {
		return 0, 0, err
	}
	for e, strongA := range ea.strong {
		strongB, ok := eb.strong[e]
		if !ok {
			continue
		}
		all++
		if strongA && strongB && e.version == "" {
			strong++
		}
	}
	return strong, all, nil
}

func (c *comparer) exportsOf(o *Object) (*exports, error) {
	if e, ok := c.exports[o]; ok {
		return e, nil
	}
	f, err := o.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := elfpatch.ReadSymbols(f, o.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Path, err)
	}
	e := &exports{strong: make(map[export]bool, len(symbols))}
	for i := range symbols {
		s := &symbols[i]
		// Names that every object has of its link editor, such as _init and the versions themselves.
		if !s.Exported() || s.Section == elf.SHN_ABS || linkerNames[s.Name] {
			continue
		}
		e.strong[export{s.Name, s.Version}] = s.Bind == elf.STB_GLOBAL
	}
	c.exports[o] = e
	return e, nil
}

var linkerNames = map[string]bool{
	"_init": true, "_fini": true, "_edata": true, "_end": true, "__bss_start": true,
	"__bss_start__": true, "__bss_end__": true, "__end__": true, "_bss_end__": true,
}
