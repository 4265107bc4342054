package cmd

import (
	"errors"
	"fmt"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// The rules of speech. The answer goes to standard output, speech to standard error. An error is
// "nixbundle: path: what is wrong", then "hint: what to do" where there is something to do: lower
// case, no full stop, no "failed to".

// say speaks an error.
func (a *app) say(err error) {
	fmt.Fprintf(a.Stderr, "nixbundle: %v\n", err)
	if h := hint(err); h != "" {
		fmt.Fprintf(a.Stderr, "hint: %s\n", h)
	}
}

// tell speaks what a user may want to know and need not act on.
func (a *app) tell(format string, args ...any) {
	fmt.Fprintf(a.Stderr, "nixbundle: "+format+"\n", args...)
}

// hint is what to do about an error, "" where nothing is known.
func hint(err error) string {
	var hinted interface{ Hint() string }
	var proof *bundle.ProofError
	var collision *bundle.CollisionError
	var usage usageError
	switch {
	case errors.As(err, &hinted):
		return hinted.Hint()
	case errors.As(err, &proof), errors.As(err, &collision):
		return "bundle the programs one by one; if it is only one, please report it with `nixbundle tree`"
	case errors.Is(err, elfpatch.ErrUnsupported):
		return "relink the file, or leave it out of the bundle"
	case errors.As(err, &usage):
		return "see nixbundle --help"
	}
	return ""
}

// isFinding reports whether an error is a refusal for what was found in the programs.
func isFinding(err error) bool {
	var missing *closure.NotFoundError
	var conflict *bundle.ConflictError
	return errors.As(err, &missing) || errors.As(err, &conflict)
}
