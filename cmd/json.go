package cmd

import (
	"encoding/json"

	"github.com/nixbundle/nixbundle/closure"
)

// printJSON prints v indented, ending in a newline.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// The JSON answers, as the schemas in cmd/schema have them, where every field is described. A list is never null.

// answer begins every answer: it names the schema.
type answer struct {
	Schema string `json:"schema"`
}

type conflictsJSON struct {
	answer
	Findings []findingJSON        `json:"findings"`
	Accepted []findingJSON        `json:"acceptedFindings"`
	Stale    []closure.Acceptance `json:"staleAcceptances"`
}

type findingJSON struct {
	Kind       closure.Kind     `json:"kind"`
	Severity   closure.Severity `json:"severity"`
	Program    string           `json:"program"`
	Name       string           `json:"name"`
	References int              `json:"references,omitempty"`
	Users      []userJSON       `json:"users,omitempty"`
	What       string           `json:"what"`
	Advice     string           `json:"advice,omitempty"`
	Copies     []copyJSON       `json:"copies"`
	Reason     string           `json:"reason,omitempty"`
}

type userJSON struct {
	Path       string `json:"path"`
	References int    `json:"references"`
	Names      string `json:"names"`
}

type copyJSON struct {
	Path      string          `json:"path"`
	StorePath string          `json:"storePath,omitempty"`
	Kept      bool            `json:"kept"`
	Chains    [][]linkJSON    `json:"chains"`
	Tried     []candidateJSON `json:"tried,omitempty"`
}

type candidateJSON struct {
	Path string       `json:"path"`
	Rule closure.Rule `json:"rule"`
	Why  string       `json:"why"`
}

// findingsJSON is a list of findings.
func findingsJSON(findings []closure.Finding) []findingJSON {
	list := make([]findingJSON, 0, len(findings))
	for i := range findings {
		list = append(list, newFindingJSON(&findings[i], ""))
	}
	return list
}

// acceptedJSON is a list of findings that were accepted, each for a reason.
func acceptedJSON(accepted []closure.Accepted) []findingJSON {
	list := make([]findingJSON, 0, len(accepted))
	for i := range accepted {
		list = append(list, newFindingJSON(&accepted[i].Finding, accepted[i].Reason))
	}
	return list
}

func newFindingJSON(f *closure.Finding, reason string) findingJSON {
	j := findingJSON{
		Kind: f.Kind, Severity: f.Severity, Program: f.Program, Name: f.Name,
		References: f.References, What: f.What, Advice: f.Advice, Copies: []copyJSON{}, Reason: reason,
	}
	for _, u := range f.Users {
		j.Users = append(j.Users, userJSON{u.From.Path, u.References, u.Names})
	}
	for _, c := range f.Copies {
		j.Copies = append(j.Copies, copyJSON{
			Path: c.Path, StorePath: c.Store, Kept: c.Kept, Chains: chainsJSON(c.Chains), Tried: candidatesJSON(c.Tried),
		})
	}
	return j
}

// linkJSON is a need in a chain.
type linkJSON struct {
	Name string       `json:"name"`
	From string       `json:"from"`
	To   string       `json:"to,omitempty"`
	Rule closure.Rule `json:"rule"`
}

func newLinkJSON(n *closure.Need) linkJSON {
	j := linkJSON{Name: n.Name, From: n.From.Path, Rule: n.Rule}
	if n.To != nil {
		j.To = n.To.Path
	}
	return j
}

func chainsJSON(chains [][]*closure.Need) [][]linkJSON {
	list := make([][]linkJSON, 0, len(chains))
	for _, chain := range chains {
		links := make([]linkJSON, 0, len(chain))
		for _, n := range chain {
			links = append(links, newLinkJSON(n))
		}
		list = append(list, links)
	}
	return list
}

func candidatesJSON(candidates []closure.Candidate) []candidateJSON {
	var list []candidateJSON
	for _, c := range candidates {
		list = append(list, candidateJSON{c.Path, c.Rule, c.Why})
	}
	return list
}

// storePath is the store path that a file is in; "" outside the store.
func storePath(storeDir, file string) string {
	sp, _, ok := closure.ParseStorePath(storeDir, file)
	if !ok {
		return ""
	}
	return sp.String()
}
