package closure

import (
	"fmt"
	"slices"
	"strings"
)

// MissingNeed is a name that nothing answers in one process.
type MissingNeed struct {
	Name    string
	Program string      // path of the program
	Needs   []*Need     // who asks for it; none when it is the program's loader
	Tried   []Candidate // every place looked at, for all who ask, each once
}

// Missing is nil, or a [*NotFoundError] of all that nothing answers.
func (c *Closure) Missing() error {
	if all := c.MissingNeeds(); len(all) > 0 {
		return &NotFoundError{all}
	}
	return nil
}

// MissingNeeds lists the names that nothing answers, sorted, each once a program; but those of what may
// never be opened.
func (c *Closure) MissingNeeds() []MissingNeed {
	var all []MissingNeed
	for _, m := range c.LinkMaps {
		all = append(all, missingIn(m, false)...)
	}
	slices.SortStableFunc(all, func(a, b MissingNeed) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func missingIn(m *LinkMap, maybe bool) []MissingNeed {
	program := m.Program()
	var all []MissingNeed
	if interp := program.Object.Interp(); interp != "" && m.Interp == nil {
		why := "no such file"
		if !strings.HasPrefix(interp, "/") {
			why = "relative to the current directory"
		}
		all = append(all, MissingNeed{Name: interp, Program: program.Path,
			Tried: []Candidate{{Path: interp, Rule: RuleInterp, Why: why}}})
	}
	unanswered := m.needs(func(n *Need) bool { return n.To == nil && (maybe || !n.From.maybe()) })
	for _, needs := range byName(unanswered) {
		all = append(all, MissingNeed{needs[0].Name, program.Path, needs, tried(needs)})
	}
	return all
}

// tried is what several searches for one name have looked at, each place once.
func tried(needs []*Need) []Candidate {
	var all []Candidate
	seen := map[Candidate]bool{}
	for _, n := range needs {
		for _, c := range n.Tried {
			if !seen[c] {
				seen[c] = true
				all = append(all, c)
			}
		}
	}
	return all
}

// NotFoundError is all that is missing, as one error.
type NotFoundError struct{ Missing []MissingNeed }

// Error lists each name with who needs it and every path tried, one a line.
func (e *NotFoundError) Error() string {
	var lines []string
	for _, m := range e.Missing {
		needed := "the loader of " + m.Program
		if len(m.Needs) > 0 {
			needed = "needed by " + who(m.Needs)
		}
		lines = append(lines, fmt.Sprintf("%s: not found: %s", m.Name, needed))
		for _, c := range m.Tried {
			lines = append(lines, fmt.Sprintf("  tried %s [%v]: %s", c.Path, c.Rule, c.Why))
		}
	}
	return strings.Join(lines, "\n")
}

// Hint says what to do.
func (e *NotFoundError) Hint() string {
	return "add the library to the run path of who needs it, in the expression that builds it"
}

// missing makes findings of what nothing answers.
func (j *judge) missing() error {
	for _, m := range missingIn(j.m, true) {
		f := Finding{
			Kind: KindMissing, Severity: Error, Name: m.Name,
			Copies: []Copy{{Path: m.Name, Chains: chains(m.Needs), Tried: m.Tried}},
			What:   fmt.Sprintf("%s %s, and nothing answers: the program does not start", verb(requesters(m.Needs), "needs", "need"), m.Name),
			Advice: fmt.Sprintf("add the library that has %s to the build inputs of %s", m.Name, who(m.Needs)),
		}
		if len(m.Needs) > 0 && m.Needs[0].From.Opened != nil {
			f.What = fmt.Sprintf("%s %s, and nothing answers: opening %s fails", verb(requesters(m.Needs), "needs", "need"), m.Name,
				m.Needs[0].From.Opened.Name)
		}
		if len(m.Needs) == 0 {
			f.What = fmt.Sprintf("the program's loader %s is not there: the program does not start", m.Name)
			f.Advice = "name the root that has it (--root), or build against a C library in the store"
		}
		j.add(f)
	}
	return nil
}

// join makes a list for a sentence.
func join(names []string) string {
	const most = 3
	switch n := len(names); {
	case n == 0:
		return "nobody"
	case n == 1:
		return names[0]
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most-1], ", "), n-most+1)
	default:
		return joinAll(names)
	}
}

// joinAll makes a list of all names for a sentence, unless they are more than any sound file has.
func joinAll(names []string) string {
	const most = 64
	switch n := len(names); {
	case n < 2 || n > most:
		return join(names)
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
