package report

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// short is s in at most limit characters, the middle left out: what tells libraries apart is at both ends.
func short(s string, limit int) string {
	r := []rune(s)
	if len(r) <= limit {
		return s
	}
	head := (limit - 1) * 3 / 5
	return string(r[:head]) + "…" + string(r[len(r)-(limit-1-head):])
}

// bytesText is a size for people, in decimal units as ls and Nix have them.
func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e7:
		return fmt.Sprintf("%d MB", (n+5e5)/1e6)
	case n >= 1e5:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d kB", (n+999)/1000)
}

// count is a number with its word.
func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + more
}

// width estimates how wide a text is, in pixels at a font size of one: the letters of Helvetica and its like, and a little
// more, since nobody knows which font a reader has.
func width(s string) float64 {
	sum := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("ijl.,:;'|!", r):
			sum += 0.31
		case strings.ContainsRune("ftrI()[]/- \\", r):
			sum += 0.40
		case strings.ContainsRune("mwMW@%", r):
			sum += 0.95
		case r >= 'A' && r <= 'Z':
			sum += 0.72
		case r >= 0x1100:
			sum += 1.05
		default:
			sum += 0.63
		}
	}
	return sum
}

// summary tells in a line what a process has.
func (g *graph) summary() string {
	objects, size := 0, int64(0)
	for _, n := range g.nodes {
		if n.loaded != nil {
			objects++
			size += n.object.Size
		}
	}
	counts := [closure.Note + 1]int{}
	for _, f := range g.found {
		if f.Severity >= closure.Error && f.Severity <= closure.Note {
			counts[f.Severity]++
		}
	}
	parts := []string{count(objects, "object", "objects"), bytesText(size)}
	if starts := path.Base(g.m.Program().Path); starts != path.Base(g.m.Asked) {
		parts = append([]string{"starts " + short(closure.Visible(starts), 40)}, parts...)
	}
	for severity, n := range counts {
		if n > 0 {
			parts = append(parts, count(n, closure.Severity(severity).String(), closure.Severity(severity).String()+"s"))
		}
	}
	return strings.Join(parts, " · ")
}

// role is what a node is beside an object, in a word or two; "" where it is nothing else.
func (n *node) role() string {
	switch {
	case n.kind == isGhost:
		return "wanted, not loaded"
	case n.kind == isMissing:
		return "not found"
	case n.kept:
		return "kept"
	case n.astray > 0:
		return count(n.astray, "reference", "references") + " astray"
	case n.kind == isOpened:
		return "opened"
	}
	return ""
}

// severityName is a severity as a word; "" where there is none.
func severityName(s closure.Severity) string {
	if s > closure.Note {
		return ""
	}
	return s.String()
}

// classWord is a node's severity where it is one to look at.
func classWord(n *node) string {
	if n.severity > closure.Warning {
		return ""
	}
	return n.severity.String()
}
