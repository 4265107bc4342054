package closure

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ChainText is a chain of needs for a reader, from the program on: "sensor -> libtensorflowlite.so.2 -> libprotobuf.so.32".
func ChainText(program string, chain []*Need) string {
	parts := []string{path.Base(program)}
	for _, n := range chain {
		parts = append(parts, n.Name)
	}
	return strings.Join(parts, " -> ")
}

// Behind is a sentence about something, to stand behind its name and a colon: without the name, where it begins with
// that.
func Behind(name, sentence string) string {
	rest, ok := strings.CutPrefix(sentence, name)
	predicate := strings.TrimPrefix(strings.TrimPrefix(rest, ":"), " ")
	if !ok || name == "" || predicate == "" || predicate == rest || strings.HasPrefix(predicate, "and ") {
		return sentence
	}
	return predicate
}

// Visible is a text with what cannot be seen written as in a Go string: "\x1b", "\n". Names come from files that anybody
// may have made: so written they end no line and do not speak to a terminal.
func Visible(s string) string {
	if isPlain(s) || !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range strings.Split(s, "") {
		if q := strconv.Quote(r); r == `"` || r == `\` {
			b.WriteString(r)
		} else {
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

// isPlain reports whether a text is nothing but visible ASCII, as nearly every one is.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
