package cmd

import (
	"fmt"
	"io"

	"github.com/fatih/color"

	"github.com/nixbundle/nixbundle/closure"
)

// ink is what a word means, as the colour that it has where there are colours: of the sixteen that every
// terminal has, those that can be read on light and on dark, as GCC and Clang take them. No meaning is in a
// colour alone.
type ink []color.Attribute

var (
	inkError   = ink{color.FgRed, color.Bold}
	inkWarning = ink{color.FgMagenta, color.Bold}
	inkNote    = ink{color.FgCyan, color.Bold}
	inkHint    = ink{color.FgCyan}
	inkName    = ink{color.Bold}    // what the line is about
	inkGood    = ink{color.FgGreen} // as it should be: what is wanted, a bundle with nothing wrong
	inkBad     = ink{color.FgRed}   // and is not: what is kept instead, not found
	inkNumber  = ink{color.FgCyan}  // a size
	inkAside   = ink{color.Faint}   // what explains
)

// severityInk is the ink of a finding.
func severityInk(s closure.Severity) ink {
	switch s {
	case closure.Error:
		return inkError
	case closure.Warning:
		return inkWarning
	}
	return inkNote
}

// painted is a word with its ink, for fprintf.
type painted struct {
	text string
	ink  ink
}

// of is a word in this ink.
func (k ink) of(word any) painted { return painted{fmt.Sprint(word), k} }

// String is the word without it.
func (p painted) String() string { return p.text }

// on is the word as it is printed on a stream. What it says cannot speak to the terminal.
func (p painted) on(w io.Writer) string {
	text := closure.Visible(p.text)
	if text == "" || len(p.ink) == 0 || !paints(w) {
		return text
	}
	c := color.New(p.ink...)
	c.EnableColor() // whatever the library has read from the environment
	return c.Sprint(text)
}
