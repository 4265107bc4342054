package closure

import (
	"fmt"
	"strings"
)

// maxPreload bounds the file of preloads, which has a line or two.
const maxPreload = 1 << 20

// preload loads what LD_PRELOAD names, and then what the loader's own file names, before anything
// that is needed. A name that is there already adds nothing, and one that nothing answers is ignored
// (glibc elf/rtld.c: do_preload).
func (p *process) preload(s *scope) error {
	for _, name := range p.preloads() {
		program := p.m.Program()
		n := &Need{Name: name, From: program, by: program, parent: program, process: p}
		if p.m.Loader.Kind == LoaderMusl {
			n.by, n.parent = nil, nil // nobody needs it, so no run path is searched
		}
		p.m.Preloads = append(p.m.Preloads, n)
		switch err := p.resolve(n).(type) {
		case nil:
		case *LoadError:
			n.Tried = append(n.Tried, Candidate{Path: err.Path, Rule: n.Rule, Why: err.Why})
		default:
			return err
		}
		if n.To != nil && n.To != p.m.Interp {
			s.add(n.To)
		}
	}
	return nil
}

// preloads are the names to preload, in order.
func (p *process) preloads() []string {
	var names []string
	list := p.m.variable("LD_PRELOAD", strings.Join(p.opts.Preload, ":"))
	names = append(names, strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ':' })...)
	if p.opts.PreloadFile {
		names = append(names, p.preloadFile(p.m.Loader.PreloadPath)...)
	}
	return names
}

// preloadFile reads a file of preloads: names between white space and colons, comments from # to the
// end of the line (glibc elf/rtld.c: dl_main).
func (p *process) preloadFile(file string) []string {
	if file == "" {
		return nil
	}
	n, err := p.walk(file)
	if err != nil {
		return nil
	}
	text, err := p.readFile(n, maxPreload)
	if err != nil {
		return nil
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		names = append(names, strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\n:", r) })...)
	}
	return names
}

// preloadsIgnored finds preloads that the loader ignores.
func (j *judge) preloadsIgnored() error {
	for _, n := range j.m.Preloads {
		if n.To != nil {
			continue
		}
		j.add(Finding{
			Kind: KindPreload, Severity: Warning, Name: n.Name,
			Copies: []Copy{{Path: n.Name, Chains: chains([]*Need{n}), Tried: n.Tried}},
			What:   fmt.Sprintf("%s is to be preloaded, and nothing answers: the loader ignores it", n.Name),
		})
	}
	return nil
}
