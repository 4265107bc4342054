package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nixbundle/nixbundle/closure"
)

// acceptError says that a file of acceptances cannot be opened.
type acceptError struct {
	name string
	err  error
}

func (e *acceptError) Error() string {
	if errors.Is(e.err, fs.ErrNotExist) {
		return e.name + ": no such file"
	}
	return e.err.Error()
}

func (e *acceptError) Unwrap() error { return e.err }

// Hint says how a file that is not there begins.
func (e *acceptError) Hint() string {
	if errors.Is(e.err, fs.ErrNotExist) {
		return "nixbundle conflicts PROGRAM --accept FILE --reason TEXT makes it; where nothing is to be accepted leave --accept out"
	}
	return ""
}

// readAccepted reads a file of acceptances; "" is none.
func readAccepted(name string) ([]closure.Acceptance, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, &acceptError{name, err}
	}
	defer f.Close()
	accepted, err := closure.ReadAcceptances(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return accepted, nil
}

// acceptAll adds findings to a file of acceptances, which is made where it is not there.
func (a *app) acceptAll(c *closure.Closure, findings []closure.Finding, name, reason string) error {
	accepted, err := readAccepted(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	faults, _ := splitNotes(findings)
	findings, _, _ = c.Sift(faults, accepted)
	for i := range findings {
		accepted = append(accepted, c.Accept(&findings[i], reason))
	}
	var text bytes.Buffer
	if err := closure.WriteAcceptances(&text, accepted); err != nil {
		return err
	}
	if err := writeWhole(name, text.Bytes()); err != nil {
		return err
	}
	a.tell("%s: %d accepted, %d of them new", name, len(accepted), len(findings))
	return nil
}
