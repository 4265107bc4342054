package cmd

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

// conflictsFlags say what is judged, and how it is told.
type conflictsFlags struct {
	target         targetFlags
	accept, reason string
	all, sarif     bool
}

func (a *app) conflictsCommand() *cobra.Command {
	var flags conflictsFlags
	c := &cobra.Command{
		Use:   "conflicts PROGRAM...",
		Short: "Name what the loader will mix up, and who brought it",
		Long: `Name what the dynamic loader will mix up in each program's process: one soname wanted from two
store paths, one library in two versions, members of two C libraries, files of another machine in
the way, needs that nothing answers. For every copy it says who needs it, by the shortest chain
from the program, which copy the loader keeps, and what to do. What keeps a file from running on
some machines is told as well, such as segments that do not fit the 16 KiB pages of a Raspberry Pi
5; with --target, what keeps it from running on that one. Nothing is run.

Silence and status 0 mean that every object gets the copies it was linked with. --all adds notes, a
line each: what is worth knowing and no mistake, as libraries that are needed and not used. --json
has everything.

--accept FILE passes over findings that somebody has looked at, so that a build fails only on a
new one. An entry names packages with their versions: it outlives a rebuild and ends with the next
update of one of them. --reason TEXT adds what is found now to FILE.

--sarif answers in SARIF 2.1.0, which code hosts show beside the sources: what is printed without
it. With --all it has what --accept passes over too, as suppressed; not every code host heeds that
(nixbundle help json).
` + exitHelp,
		Example: "  nixbundle conflicts ./result/bin/sensor\n" +
			"  nixbundle conflicts ./result/bin/sensor --accept clashes.json \\\n    --reason 'until the next nixpkgs update'",
		Args: atLeastOne,
		RunE: func(_ *cobra.Command, args []string) error { return a.conflicts(args, flags) },
	}
	flags.target.add(c)
	c.Flags().StringVar(&flags.accept, "accept", "", "`FILE` of accepted findings: those are not told, and only others count")
	c.Flags().StringVar(&flags.reason, "reason", "", "add what is found to the file of --accept, with this `TEXT` as the reason")
	c.Flags().BoolVar(&flags.all, "all", false, "print notes too")
	c.Flags().BoolVar(&flags.sarif, "sarif", false, "answer as SARIF 2.1.0, for code hosts (nixbundle help json)")
	a.addGiven(c)
	a.addJSON(c)
	return c
}

// check refuses flags that do not go together.
func (f *conflictsFlags) check(json bool) error {
	switch {
	case json && f.sarif:
		return usageError{errors.New("--json and --sarif are two answers: give one")}
	case f.reason == "":
		return nil
	case f.accept == "":
		return usageError{errors.New("--reason goes with --accept FILE")}
	case json || f.sarif:
		return usageError{errors.New("--reason writes the file of --accept and answers nothing: leave out --json and --sarif")}
	}
	return nil
}

func (a *app) conflicts(args []string, flags conflictsFlags) error {
	if err := flags.check(a.json); err != nil {
		return err
	}
	root, c, err := a.walk(args)
	if err != nil {
		return err
	}
	findings, err := check(c, &flags.target)
	if err != nil {
		return err
	}
	if flags.reason != "" {
		return a.acceptAll(c, findings, flags.accept, flags.reason)
	}
	open, covered, stale, err := a.sift(c, findings, flags.accept)
	if err != nil {
		return err
	}
	switch {
	case a.json:
		err = a.printJSON(conflictsJSON{answer{schema.Conflicts}, findingsJSON(open), acceptedJSON(covered), append([]closure.Acceptance{}, stale...)})
	case flags.sarif:
		err = a.printSARIF(root, args, c, open, covered, flags.all)
	default:
		a.printConflicts(open, flags.all)
	}
	if err == nil && worst(open) == closure.Error {
		err = errFindings
	}
	return err
}

// check finds what is wrong with a closure, on the target if one is named.
func check(c *closure.Closure, target *targetFlags) ([]closure.Finding, error) {
	on, err := target.machine(c)
	if err != nil {
		return nil, err
	}
	return closure.Check(c, on)
}

// printConflicts prints findings, and notes where they are wanted.
func (a *app) printConflicts(findings []closure.Finding, all bool) {
	faults, notes := splitNotes(findings)
	printFindings(a.Stdout, faults)
	if !all {
		return
	}
	for _, f := range notes {
		printFinding(a.Stdout, &f)
	}
}

// sift parts findings by a file of acceptances: those that it does not cover, those that it does, and its entries
// that cover none, which are told.
func (a *app) sift(c *closure.Closure, findings []closure.Finding, accept string) (open []closure.Finding, covered []closure.Accepted, stale []closure.Acceptance, err error) {
	accepted, err := readAccepted(accept)
	if err != nil {
		return nil, nil, nil, err
	}
	open, covered, stale = c.Sift(findings, accepted)
	for _, s := range stale {
		a.tell("%s: %s %s of %s is no longer found: take it out", accept, s.Kind, s.Name, s.Program)
	}
	return open, covered, stale, nil
}

// splitNotes splits sorted findings into those that somebody should act on and notes.
func splitNotes(findings []closure.Finding) (faults, notes []closure.Finding) {
	first := slices.IndexFunc(findings, func(f closure.Finding) bool { return f.Severity == closure.Note })
	if first < 0 {
		return findings, nil
	}
	return findings[:first], findings[first:]
}

// worst is the gravest severity among findings; Note when there is none.
func worst(findings []closure.Finding) closure.Severity {
	most := closure.Note
	for _, f := range findings {
		most = min(most, f.Severity)
	}
	return most
}

// printFindings prints findings, an empty line between two unless they are lines of one list.
func printFindings(w io.Writer, findings []closure.Finding) {
	for i, f := range findings {
		if i > 0 && !together(&findings[i-1], &f) {
			fmt.Fprintln(w)
		}
		printFinding(w, &f)
		for _, c := range f.Copies {
			printCopy(w, &f, c)
		}
		if f.Advice != "" && (i+1 == len(findings) || !together(&f, &findings[i+1])) {
			fprintf(w, "  %s %s\n", inkHint.of("hint:"), f.Advice)
		}
	}
}

// printFinding prints the line that says what was found.
func printFinding(w io.Writer, f *closure.Finding) {
	fprintf(w, "%s %s: %s\n", severityInk(f.Severity).of(f.Severity.String()+":"), inkName.of(f.Name), closure.Behind(f.Name, f.What))
}

// together reports whether two findings, one behind the other, are lines of one list: they show no
// copies, and one hint does for both.
func together(a, b *closure.Finding) bool {
	return len(a.Copies) == 0 && len(b.Copies) == 0 && a.Severity == b.Severity && a.Advice == b.Advice
}

func printCopy(w io.Writer, f *closure.Finding, c closure.Copy) {
	state := f.State(&c)
	inks := map[string]ink{"missing": inkBad, "kept": inkBad, "wanted": inkGood}
	fprintf(w, "  %s %s\n", inks[state].of(fmt.Sprintf("%-7s", state)), c.Path)
	for _, chain := range c.Chains {
		fprintf(w, "          by %s\n", closure.ChainText(f.Program, chain))
	}
	for _, t := range c.Tried {
		fprintf(w, "          tried %s: %s\n", t.Path, t.Why)
	}
}
