package wrapper

import (
	"fmt"
	"strings"
)

// UnsupportedError says what in a wrapper cannot be made by setting an environment and arguments.
type UnsupportedError struct {
	Line   int    // in a shell text, counted from 1; 0 in a binary wrapper
	Text   string // that line, or the flag of a binary wrapper
	Why    string // what it does
	Target string // the program that is started in the end, where that can be told; else ""
}

func (e *UnsupportedError) Error() string {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf("line %d: ", e.Line)
	}
	if e.Text != "" {
		where += e.Text + ": "
	}
	return where + e.Why
}

// Hint says what to do.
func (e *UnsupportedError) Hint() string {
	if e.Target == "" {
		return "name the program that it starts"
	}
	return "take " + e.Target + ", or make the wrapper with --set, --prefix and --add-flags alone"
}

// refusal is why a piece of text is not understood.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// unsupported names the line of a text where a command begins.
func unsupported(text string, pos int, why error) *UnsupportedError {
	const most = 120
	pos = min(pos, len(text))
	start := strings.LastIndexByte(text[:pos], '\n') + 1
	line, _, _ := strings.Cut(text[start:], "\n")
	line = strings.TrimSpace(line)
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "..."
	}
	return &UnsupportedError{Line: strings.Count(text[:start], "\n") + 1, Text: line, Why: why.Error()}
}
