package cmd

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// The rules of speech. The answer goes to standard output, speech to standard error. An error is
// "nixbundle: path: what is wrong", then "hint: what to do" where there is something to do: lower
// case, no full stop, no "failed to".

// say speaks an error. Its text may have several lines of its own.
func (a *app) say(err error) {
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = closure.Visible(lines[i])
	}
	fprintf(a.Stderr, "%s ", inkError.of("nixbundle:"))
	fmt.Fprintln(a.Stderr, strings.Join(lines, "\n"))
	if h := hint(err); h != "" {
		fprintf(a.Stderr, "%s %s\n", inkHint.of("hint:"), h)
	}
}

// tell speaks what a user may want to know and need not act on.
func (a *app) tell(format string, args ...any) {
	fprintf(a.Stderr, "%s "+format+"\n", append([]any{inkName.of("nixbundle:")}, args...)...)
}

// fprintf prints text for a reader. What an argument says comes from files that anybody may have
// made: it cannot end a line, or speak to the terminal. One that is painted has its ink where the page has
// colours; its width then is not that of a verb such as %-7s.
func fprintf(w io.Writer, format string, args ...any) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case int, int64, uint64:
		case painted:
			args[i] = arg.on(w)
		default:
			args[i] = closure.Visible(fmt.Sprint(arg))
		}
	}
	fmt.Fprintf(w, format, args...)
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
	var target *bundle.TargetError
	var stops *closure.LoadError
	var strict *bundle.StrictError
	return errors.As(err, &missing) || errors.As(err, &conflict) || errors.As(err, &target) || errors.As(err, &stops) ||
		errors.As(err, &strict)
}
