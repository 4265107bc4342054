package closure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// DlopenNote is what an object says of one library that it opens at run time (UAPI.12 "dlopen()
// Metadata for ELF Files" 1.0).
type DlopenNote struct {
	Sonames     []string // alternatives, the most preferred first; the first that is there is opened
	Feature     string   // all entries of one feature are needed for it; "" for none
	Description string
	Priority    Priority
}

// Priority says how much an object needs what it opens (UAPI.12, "Priority definition").
type Priority string

// The priorities, the most urgent first.
const (
	PriorityRequired    Priority = "required"    // it does not work without
	PriorityRecommended Priority = "recommended" // it works without, and should have it
	PrioritySuggested   Priority = "suggested"   // a full installation has it
)

const (
	dlopenNoteOwner = "FDO"
	dlopenNoteType  = 0x407c0c0a

	maxDlopenNotes  = 1024 // of one object; systemd's largest has some forty
	maxAlternatives = 64
)

// DlopenNotes are the entries of all .note.dlopen notes of an object in order. The note's type counts
// and not the section's name, so that a file without section headers has them too. An entry that is not
// as the specification says is left out, and the error tells of the first such.
func DlopenNotes(o *Object) ([]DlopenNote, error) {
	var notes []DlopenNote
	var errs []error
	for _, n := range o.Info.Notes {
		if n.Name != dlopenNoteOwner || n.Type != dlopenNoteType {
			continue
		}
		entries, err := parseDlopenNote(n.Desc)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: dlopen note at %#x: %w", o.Path, n.Off, err))
		}
		notes = append(notes, entries...)
	}
	if len(notes) > maxDlopenNotes {
		notes = notes[:maxDlopenNotes]
		errs = append(errs, fmt.Errorf("%s: more than %d dlopen notes", o.Path, maxDlopenNotes))
	}
	if errs != nil {
		return notes, errs[0]
	}
	return notes, nil
}

// parseDlopenNote decodes one note: a JSON array that ends in NUL and padding.
func parseDlopenNote(desc []byte) ([]DlopenNote, error) {
	text, _, _ := bytes.Cut(desc, []byte{0})
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, errors.New("not a JSON array")
	}
	var notes []DlopenNote
	var first error
	for i, raw := range list {
		n, err := parseDlopenEntry(raw)
		switch {
		case err != nil && first == nil:
			first = fmt.Errorf("entry %d: %w", i+1, err)
		case err == nil && len(notes) <= maxDlopenNotes:
			notes = append(notes, n)
		}
	}
	return notes, first
}

// parseDlopenEntry decodes one entry. Only "soname" must be there; keys that are not known count for
// nothing, and neither does a priority that is not.
func parseDlopenEntry(raw []byte) (DlopenNote, error) {
	var entry struct {
		Soname      []string `json:"soname"`
		Feature     string   `json:"feature"`
		Description string   `json:"description"`
		Priority    Priority `json:"priority"`
	}
	if err := json.Unmarshal(raw, &entry); err != nil {
		return DlopenNote{}, errors.New("not an object with strings")
	}
	n := DlopenNote{entry.Soname, entry.Feature, entry.Description, PriorityRecommended}
	if p := entry.Priority; p == PriorityRequired || p == PrioritySuggested {
		n.Priority = p
	}
	if len(n.Sonames) == 0 || len(n.Sonames) > maxAlternatives {
		return n, fmt.Errorf("%d sonames", len(n.Sonames))
	}
	for _, name := range n.Sonames {
		if !isOpenable(name) {
			return n, fmt.Errorf("%.40q is no name of a library", name)
		}
	}
	return n, nil
}

// isOpenable reports whether dlopen could open something by a name.
func isOpenable(name string) bool {
	return name != "" && len(name) < maxPath &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
