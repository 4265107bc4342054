package sarif

import (
	"fmt"
	"path"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

func (e *encoder) results() []result {
	list := make([]result, 0, len(e.Findings)+len(e.Accepted))
	for i := range e.Findings {
		list = append(list, e.result(&e.Findings[i]))
	}
	for i := range e.Accepted {
		r := e.result(&e.Accepted[i].Finding)
		r.Suppressions = []suppression{{Kind: "external", Status: "accepted", Justification: e.Accepted[i].Reason}}
		list = append(list, r)
	}
	return list
}

func (e *encoder) result(f *closure.Finding) result {
	says := f.What
	if f.Advice != "" {
		says += ". Hint: " + f.Advice
	}
	r := result{
		RuleID: string(f.Kind), RuleIndex: -1, Level: f.Severity.String(), Message: message(says),
		Locations: []location{e.location(f)}, Fingerprints: e.fingerprints(f),
	}
	if i, ok := e.index[f.Kind]; ok {
		r.RuleIndex = i
	}
	for i, c := range f.Copies {
		r.Related = append(r.Related, e.related(i+1, f, &c))
		for _, chain := range c.Chains {
			if len(chain) > 0 {
				r.CodeFlows = append(r.CodeFlows, e.codeFlow(f, &c, chain))
			}
		}
	}
	return r
}

// fingerprints tell a result again after a rebuild: they are of what an acceptance says, which has versions and no
// digests (section 3.27.17). GitHub heeds only the one that it would else make of a line of the source; it ends
// in the number of the line's occurrence.
func (e *encoder) fingerprints(f *closure.Finding) map[string]string {
	a := e.closure.Accept(f, "")
	print := a.Fingerprint()
	e.seen[print]++
	return map[string]string{
		"acceptance/v1":           print,
		"primaryLocationLineHash": fmt.Sprintf("%s:%d", print[:16], e.seen[print]),
	}
}

// location is the program.
func (e *encoder) location(f *closure.Finding) location {
	l := location{Physical: e.physical(e.program(f))}
	seen := map[string]bool{}
	for _, c := range f.Copies {
		for _, logical := range e.logical(&c) {
			if !seen[logical.FullName] {
				seen[logical.FullName] = true
				l.Logical = append(l.Logical, logical)
			}
		}
	}
	return l
}

// program is the program of a finding; the first one, where it is of no one program.
func (e *encoder) program(f *closure.Finding) string {
	if f.Program == "" {
		return e.closure.LinkMaps[0].Program().Path
	}
	return f.Program
}

// logical is a copy as an object, and as what it was built by.
func (e *encoder) logical(c *closure.Copy) []logicalLocation {
	list := []logicalLocation{{Name: path.Base(c.Path), FullName: c.Path, Kind: "module"}}
	if sp, _, ok := closure.ParseStorePath(e.closure.StoreDir, c.Path); ok {
		list = append(list, logicalLocation{Name: sp.Name, FullName: c.Store, Kind: "package"})
	}
	return list
}

// related is one of the files that a finding is about, and who brought it.
func (e *encoder) related(id int, f *closure.Finding, c *closure.Copy) location {
	says := f.State(c) + " " + c.Path
	for _, chain := range c.Chains {
		says += ", by " + closure.ChainText(f.Program, chain)
	}
	says += tried(c.Tried)
	m := message(says)
	return location{ID: id, Physical: e.physical(e.place(f, c)), Logical: e.logical(c), Message: &m}
}

// place is where a copy is: of a missing one, which is nowhere, who asks for it.
func (e *encoder) place(f *closure.Finding, c *closure.Copy) string {
	if strings.HasPrefix(c.Path, "/") {
		return c.Path
	}
	for _, chain := range c.Chains {
		if len(chain) > 0 {
			return chain[len(chain)-1].From.Path
		}
	}
	return e.program(f)
}

// physical is a file as a location. GitHub wants one of every location, and a region, which a program has not: the
// first line stands for the whole.
func (e *encoder) physical(file string) *physicalLocation {
	return &physicalLocation{e.artifact(file), region{1, 1, 1, 1}}
}

// tried are the places where a missing file was searched.
func tried(candidates []closure.Candidate) (says string) {
	for _, t := range candidates {
		says += "; tried " + t.Path + ": " + t.Why
	}
	return says
}

// codeFlow is a chain of needs, a step for each object that asks, and one for the object that answers in the end.
func (e *encoder) codeFlow(f *closure.Finding, c *closure.Copy, chain []*closure.Need) codeFlow {
	var steps []threadFlowLocation
	for _, n := range chain {
		steps = append(steps, e.step(n.From.Path, fmt.Sprintf("%s needs %s: %s", path.Base(n.From.Path), n.Name, n.Why())))
	}
	if strings.HasPrefix(c.Path, "/") {
		steps = append(steps, e.step(c.Path, c.Path))
	}
	return codeFlow{Message: message(closure.ChainText(f.Program, chain)), Threads: []threadFlow{{steps}}}
}

func (e *encoder) step(file, says string) threadFlowLocation {
	m := message(says)
	return threadFlowLocation{location{Physical: e.physical(file), Message: &m}}
}
