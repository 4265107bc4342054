package cmd

import (
	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

type planJSON struct {
	answer
	Name     string                   `json:"name"`
	Prefix   string                   `json:"prefix,omitempty"`
	Target   *bundle.ManifestTarget   `json:"target,omitempty"`
	Programs []bundle.ManifestProgram `json:"programs"`
	Entries  []entryJSON              `json:"entries"`
	Accepted []findingJSON            `json:"acceptedFindings"`
	Notes    []string                 `json:"notes"`
	Warnings []string                 `json:"warnings"`
}

// entryJSON is what a manifest will say of an entry, as far as a plan knows it.
type entryJSON struct {
	Path      string          `json:"path"`
	Type      string          `json:"type"`
	Mode      string          `json:"mode"`
	Link      string          `json:"link,omitempty"`
	Source    string          `json:"source,omitempty"`
	StorePath string          `json:"storePath,omitempty"`
	Edits     []bundle.Change `json:"edits,omitempty"`
}

func newPlanJSON(plan *bundle.Plan) planJSON {
	j := planJSON{
		answer: answer{schema.Plan}, Name: plan.Name, Prefix: plan.Prefix, Target: plan.Target,
		Programs: []bundle.ManifestProgram{}, Entries: make([]entryJSON, 0, len(plan.Entries)),
		Accepted: findingsJSON(plan.Accepted), Notes: append([]string{}, plan.Notes...), Warnings: append([]string{}, plan.Warnings...),
	}
	for _, p := range plan.Programs {
		j.Programs = append(j.Programs, bundle.ManifestProgram(p))
	}
	for i := range plan.Entries {
		r := plan.Record(&plan.Entries[i])
		j.Entries = append(j.Entries, entryJSON{r.Path, r.Type, r.Mode, r.Link, r.Source, r.StorePath, r.Edits})
	}
	return j
}
