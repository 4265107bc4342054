package closure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
)

// Acceptance is a finding that somebody has looked at and lives with. It names packages with their
// versions and not their digests, so it outlives a rebuild, and ends with the next update of one of
// them.
type Acceptance struct {
	Kind    Kind     `json:"kind"`    // of the finding, as is Name
	Program string   `json:"program"` // the program's file name
	Name    string   `json:"name"`
	Copies  []string `json:"copies"` // names of the store paths concerned, sorted; file names outside the store
	Reason  string   `json:"reason"` // why somebody lives with it, for the next reader; never empty in a file
}

// AcceptanceSchema names the form of a file of acceptances.
const AcceptanceSchema = "nixbundle.accept/v1"

// acceptances is such a file.
type acceptances struct {
	Schema   string       `json:"schema"`
	Accepted []Acceptance `json:"accepted"`
}

// Accept makes the acceptance of a finding.
func (c *Closure) Accept(f *Finding, reason string) Acceptance {
	a := Acceptance{Kind: f.Kind, Program: path.Base(f.Program), Name: f.Name, Copies: []string{}, Reason: reason}
	for _, copy := range f.Copies {
		name := path.Base(copy.Path)
		if sp, _, ok := ParseStorePath(c.StoreDir, copy.Path); ok {
			name = sp.Name
		}
		a.Copies = append(a.Copies, name)
	}
	slices.Sort(a.Copies)
	a.Copies = slices.Compact(a.Copies)
	return a
}

// Fingerprint is 32 hexadecimal digits that two acceptances share where they are of the same thing, whatever their
// reasons.
func (a *Acceptance) Fingerprint() string {
	h := sha256.New()
	for _, part := range append([]string{string(a.Kind), a.Program, a.Name}, a.Copies...) {
		fmt.Fprintf(h, "%d:%s,", len(part), part) // as netstrings, so that no two lists are written alike
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// covers reports whether two acceptances are of the same thing, whatever their reasons.
func (a *Acceptance) covers(b *Acceptance) bool {
	return a.Kind == b.Kind && a.Program == b.Program && a.Name == b.Name && slices.Equal(a.Copies, b.Copies)
}

// Accepted is a finding that an acceptance covers.
type Accepted struct {
	Finding
	Reason string // as the acceptance has it
}

// Sift gives the findings that no acceptance covers, those that one does, and the acceptances that cover none.
func (c *Closure) Sift(findings []Finding, accepted []Acceptance) (open []Finding, covered []Accepted, stale []Acceptance) {
	used := make([]bool, len(accepted))
	for _, f := range findings {
		this := c.Accept(&f, "")
		at := slices.IndexFunc(accepted, func(a Acceptance) bool { return a.covers(&this) })
		if at < 0 {
			open = append(open, f)
		} else {
			used[at] = true
			covered = append(covered, Accepted{f, accepted[at].Reason})
		}
	}
	for i, a := range accepted {
		if !used[i] {
			stale = append(stale, a)
		}
	}
	return open, covered, stale
}

// maxAcceptances bounds a file of acceptances, in bytes.
const maxAcceptances = 1 << 20

// ReadAcceptances reads a file that WriteAcceptances wrote and people may have edited. An acceptance
// without a reason is an error: the reason is what the next reader needs.
func ReadAcceptances(r io.Reader) ([]Acceptance, error) {
	d := json.NewDecoder(io.LimitReader(r, maxAcceptances))
	d.DisallowUnknownFields()
	var file acceptances
	if err := d.Decode(&file); err != nil {
		return nil, err
	}
	if file.Schema != AcceptanceSchema {
		return nil, fmt.Errorf("schema is %q, not %q", file.Schema, AcceptanceSchema)
	}
	for i := range file.Accepted {
		a := &file.Accepted[i]
		if a.Reason == "" {
			return nil, fmt.Errorf("%s %s is accepted without a reason", a.Kind, a.Name)
		}
		slices.Sort(a.Copies)
	}
	return file.Accepted, nil
}

// WriteAcceptances writes a file for ReadAcceptances: JSON, in the order given. The error is that of w.
func WriteAcceptances(w io.Writer, accepted []Acceptance) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(acceptances{Schema: AcceptanceSchema, Accepted: append([]Acceptance{}, accepted...)})
}
