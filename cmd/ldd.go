package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure"
)

func (a *app) lddCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "ldd PROGRAM...",
		Short: "Print what the loader loads, in its order, as ldd does",
		Long: `Print the link map of each program as ldd prints it, without addresses: what the dynamic loader
maps, in its own order, by the paths it opens. It works for any machine and nothing is run. A need
that nothing answers is "not found", and the status is then 3.
` + exitHelp,
		Example: "  nixbundle ldd ./result/bin/sensor\n  nixbundle ldd --root /mnt/pi /usr/bin/python3",
		Args:    atLeastOne,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.printLinkMaps(args, printLdd)
		},
	}
	a.addGiven(c)
	a.addJSON(c)
	return c
}

func (a *app) treeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tree PROGRAM...",
		Short: "Print what the loader loads as a tree, with the rule that found each object",
		Long: `Print each program's needs as a tree. Behind every object stands the rule of the search that
found it; what was passed over on the way, and why, stands below it. An object's own needs are
printed once, where the loader first loads it.
` + exitHelp,
		Example: "  nixbundle tree ./result/bin/sensor",
		Args:    atLeastOne,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.printLinkMaps(args, func(w io.Writer, m *closure.LinkMap) { printTree(w, m, a.branches()) })
		},
	}
	a.addGiven(c)
	a.addJSON(c)
	return c
}

// printLinkMaps walks programs and prints each link map; missing needs are findings.
func (a *app) printLinkMaps(args []string, print func(io.Writer, *closure.LinkMap)) error {
	_, c, err := a.walk(args)
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(newLinkMapsJSON(c))
	} else {
		for _, m := range c.LinkMaps {
			if len(c.LinkMaps) > 1 {
				fprintf(a.Stdout, "%s:\n", inkName.of(m.Asked))
			}
			print(a.Stdout, m)
		}
	}
	if err == nil && (c.Missing() != nil || failsToOpen(c)) {
		err = errFindings
	}
	return err
}

// failsToOpen reports whether something that is opened at run time is not found, or cannot be loaded.
func failsToOpen(c *closure.Closure) bool {
	return slices.ContainsFunc(c.LinkMaps, func(m *closure.LinkMap) bool {
		return slices.ContainsFunc(m.Opened, func(o *closure.Open) bool { return o.Need.To == nil || o.Err != nil })
	})
}

// line is one line of ldd: the name asked for and the path opened.
type line struct{ name, path string }

// notFound stands in the place of a path, as in ldd.
const notFound = "not found"

// lddLines is a link map as the loader's trace lists it: the objects in load order without the
// program, each missing name where it was asked for first.
func lddLines(m *closure.LinkMap) []line {
	lines := make([]line, 0, len(m.Loaded))
	place := make(map[*closure.Loaded]int, len(m.Loaded))
	for i, l := range m.Loaded {
		place[l] = i
	}
	missing := map[string]bool{}
	listed := 1 // the first so many of Loaded
	upTo := func(to *closure.Loaded) {
		for ; listed <= place[to]; listed++ {
			lines = append(lines, loadedLine(m.Loaded[listed]))
		}
	}
	for _, n := range m.Needs {
		switch {
		case n.From.Opened != nil: // after the start
		case n.To != nil:
			upTo(n.To)
		case !missing[n.Name]:
			missing[n.Name] = true
			lines = append(lines, line{n.Name, notFound})
		}
	}
	upTo(m.Loaded[len(m.Loaded)-1])
	for _, o := range m.Opened {
		lines = append(lines, openedLines(m, o)...)
	}
	return lines
}

// openedLines is what one opening brings that was not there, in the order of its scope, and what it
// lacks.
func openedLines(m *closure.LinkMap, o *closure.Open) []line {
	if o.Need.To == nil {
		return []line{{o.Need.Name, notFound}}
	}
	var lines []line
	for _, l := range o.Scope {
		if l.Opened == o {
			lines = append(lines, loadedLine(l))
		}
	}
	for _, n := range m.Needs {
		if lacks := (line{n.Name, notFound}); n.To == nil && n.From.Opened == o && !slices.Contains(lines, lacks) {
			lines = append(lines, lacks)
		}
	}
	return lines
}

func loadedLine(l *closure.Loaded) line {
	if l.By == nil || strings.Contains(l.By.Name, "/") {
		return line{l.Path, l.Path} // ld.so, whose first name is PT_INTERP, and what is needed by a path
	}
	return line{l.By.Name, l.Path}
}

func printLdd(w io.Writer, m *closure.LinkMap) {
	lines := lddLines(m)
	if len(lines) == 0 && !m.Program().Object.Info.Dynamic {
		fmt.Fprintln(w, "\tstatically linked")
	}
	for _, l := range lines {
		switch {
		case l.name == l.path:
			fprintf(w, "\t%s\n", l.path)
		case l.path == notFound:
			fprintf(w, "\t%s => %s\n", l.name, inkBad.of(notFound))
		default:
			fprintf(w, "\t%s => %s\n", l.name, l.path)
		}
	}
}

func printTree(w io.Writer, m *closure.LinkMap, b branches) {
	t := &treePrinter{w: w, branches: b, needs: map[*closure.Loaded][]*closure.Need{}, opens: map[*closure.Need]bool{}, loader: m.Interp}
	for _, n := range slices.Concat(m.Preloads, m.Needs) {
		t.needs[n.From] = append(t.needs[n.From], n)
	}
	for _, o := range m.Opened {
		t.opens[o.Need] = true
		t.needs[o.Need.From] = append(t.needs[o.Need.From], o.Need)
	}
	fprintf(w, "%s\n", inkName.of(m.Asked))
	t.print(m.Program(), "")
}

// treePrinter prints the needs of loaded objects, each object's once.
type treePrinter struct {
	w io.Writer
	branches
	needs  map[*closure.Loaded][]*closure.Need
	opens  map[*closure.Need]bool // those that are opened at run time
	loader *closure.Loaded
}

// print prints the needs of an object, behind what stands in front of its own line.
func (t *treePrinter) print(from *closure.Loaded, before string) {
	needs := t.needs[from]
	for i, n := range needs {
		line, below := t.at(i, len(needs))
		t.printNeed(before+line, before+below, n)
		if n.To != nil && n.To.By == n {
			t.print(n.To, before+below)
		}
	}
}

// printNeed prints one need, and what was passed over for it.
func (t *treePrinter) printNeed(before, below string, n *closure.Need) {
	verb := ""
	if t.opens[n] {
		verb = "opens "
	}
	if n.To == nil {
		fprintf(t.w, "%s%s%s: %s\n", before, verb, inkName.of(n.Name), inkBad.of(notFound))
	} else {
		fprintf(t.w, "%s%s%s => %s %s\n", before, verb, inkName.of(n.Name), n.To.Path, ruleText(n))
	}
	for _, c := range n.Tried {
		if n.To == nil || c.Object != nil {
			fprintf(t.w, "%s  %s %s: %s\n", below, inkAside.of("passed over"), c.Path, c.Why)
		}
	}
}

// ruleText is the rule that answered a need, in brackets.
func ruleText(n *closure.Need) painted {
	return inkAside.of(fmt.Sprintf("[%v]", n.Rule))
}
