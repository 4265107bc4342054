package cmd

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// What only a terminal gets: colours, the lines of a tree, a line of progress. A pipe and a file get plain
// text, the same bytes in every environment.

// page is a stream that a reader reads.
type page struct {
	io.Writer
	terminal bool       // it is one, and not what comes between
	colours  bool       // with --color auto
	mode     *colorMode // --color, which is known when the command line is read
}

// WriteString spares a copy where what is behind the page does.
func (p *page) WriteString(s string) (int, error) { return io.WriteString(p.Writer, s) }

// newPage is the stream that goes to raw, through w.
func (a *app) newPage(w, raw io.Writer) *page {
	p := &page{Writer: w, terminal: terminalOf(raw) != nil, mode: &a.color}
	switch {
	case a.Getenv("NO_COLOR") != "": // no-color.org: present and not empty
	case a.Getenv("CLICOLOR_FORCE") != "" && a.Getenv("CLICOLOR_FORCE") != "0": // bixense.com/clicolors
		p.colours = true
	default:
		p.colours = p.terminal && !a.isDumb()
	}
	return p
}

// terminalOf is the terminal that a stream is; nil for all else. It is the one place that asks.
func terminalOf(w io.Writer) *os.File {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// isDumb reports whether the terminal takes no escape sequences.
func (a *app) isDumb() bool {
	name := a.Getenv("TERM")
	return name == "" || name == "dumb"
}

// isUTF8 reports whether the locale's characters are UTF-8: the first of the three variables that is set
// decides (POSIX, "Internationalization Variables").
func (a *app) isUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := a.Getenv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// paints reports whether words get their ink on a stream.
func paints(w io.Writer) bool {
	p, ok := w.(*page)
	switch {
	case !ok || *p.mode == colorNever:
		return false
	case *p.mode == colorAlways:
		return true
	}
	return p.colours
}

// colorMode is --color.
type colorMode string

const (
	colorAuto   colorMode = "auto"
	colorAlways colorMode = "always"
	colorNever  colorMode = "never"
)

func (m *colorMode) String() string { return string(*m) }
func (m *colorMode) Type() string   { return "WHEN" }

// Set takes the flag's value.
func (m *colorMode) Set(s string) error {
	switch c := colorMode(s); c {
	case colorAuto, colorAlways, colorNever:
		*m = c
		return nil
	}
	return fmt.Errorf("it is auto, always or never")
}

// branches are what stands in front of the lines of a tree: of one with more behind it, of the last, and in
// front of all that is below either.
type branches struct{ child, last, below, belowLast string }

var (
	indented = branches{"  ", "  ", "  ", "  "}
	lined    = branches{"├── ", "└── ", "│   ", "    "}
)

// branches are lines where standard output is a terminal that has them.
func (a *app) branches() branches {
	if p, ok := a.Stdout.(*page); ok && p.terminal && a.isUTF8() {
		return lined
	}
	return indented
}

// at is what stands in front of the i-th of n lines, and of what is below it.
func (b branches) at(i, n int) (line, below string) {
	if i+1 == n {
		return b.last, b.belowLast
	}
	return b.child, b.below
}
