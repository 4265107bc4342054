package wrapper

import (
	"strings"
)

// word is one word of a shell command.
type word []part

// part is a piece of a word: a literal, or the expansion of a parameter.
type part struct {
	lit    string // a literal, where name is ""
	quoted bool   // not split, no pattern
	name   string // NAME in ${NAME}, one of 0-9 @ * # ? - $ !, or NAME[@]
	op     string // behind the name: "", or - :- + :+ = := ? :? # ## % %% / //
	arg    word   // behind op
	with   word   // of / and //: behind the second slash
}

const (
	maxDepth = 16        // of expansions in expansions
	maxParts = 64 << 10  // of a word
	maxValue = 128 << 10 // Linux include/uapi/linux/binfmts.h: MAX_ARG_STRLEN
)

// lexer splits a shell text (POSIX.1-2017 XCU 2.3, and what bash adds).
type lexer struct {
	text  string
	pos   int
	depth int
}

// skip passes bytes of a set.
func (l *lexer) skip(set string) {
	for l.pos < len(l.text) && strings.IndexByte(set, l.text[l.pos]) >= 0 {
		l.pos++
	}
}

// until gives the bytes up to one of a set.
func (l *lexer) until(set string) string {
	rest := l.text[l.pos:]
	if end := strings.IndexAny(rest, set); end >= 0 {
		rest = rest[:end]
	}
	l.pos += len(rest)
	return rest
}

// take passes s where it stands next.
func (l *lexer) take(s string) bool {
	if !strings.HasPrefix(l.text[l.pos:], s) {
		return false
	}
	l.pos += len(s)
	return true
}

const blanks = " \t"

// metachars end a word that stands outside of quotes and braces.
const metachars = " \t\n;&|<>()"

// word reads one word, up to a metacharacter.
func (l *lexer) word() (word, error) { return l.parts(metachars) }

// parts reads what is in no quotes, up to one of the bytes that end it.
func (l *lexer) parts(end string) (word, error) {
	w := word{}
	for l.pos < len(l.text) && strings.IndexByte(end, l.text[l.pos]) < 0 {
		var err error
		switch {
		case len(w) > maxParts:
			err = refuse("has a word of more than %d pieces", maxParts)
		case l.take(`\`):
			w = l.escaped(w)
		case l.take(`'`):
			w, err = l.single(w)
		case l.take(`"`):
			w, err = l.double(w, `"`)
		case l.take(`$'`):
			w, err = l.ansi(w)
		case l.take(`$"`):
			w, err = l.double(w, `"`) // no TEXTDOMAIN, no translation
		case l.take("$"):
			w, err = l.dollar(w, false)
		case l.take("`"):
			err = refuse("runs a command between backticks")
		default:
			w = append(w, part{lit: l.until(end + "\\'\"$`")})
		}
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// escaped reads what is behind a backslash outside of quotes.
func (l *lexer) escaped(w word) word {
	switch {
	case l.pos == len(l.text):
		return append(w, part{lit: `\`, quoted: true})
	case l.text[l.pos] == '\n':
		l.pos++
		return w
	}
	l.pos++
	return append(w, part{lit: l.text[l.pos-1 : l.pos], quoted: true})
}

var errOpen = refusal("has a quote or a brace that is not closed")

func (l *lexer) single(w word) (word, error) {
	text := l.until("'")
	if !l.take("'") {
		return nil, errOpen
	}
	return append(w, part{lit: text, quoted: true}), nil
}

// double reads what is in double quotes, up to one of the bytes that end it. A quote is
// passed, a brace or a slash stays.
func (l *lexer) double(w word, end string) (word, error) {
	w = append(w, part{quoted: true})
	for l.pos < len(l.text) && strings.IndexByte(end, l.text[l.pos]) < 0 {
		var err error
		switch {
		case l.take(`\`):
			w = l.doubleEscaped(w, end)
		case l.take("$"):
			w, err = l.dollar(w, true)
		case l.take("`"):
			err = refuse("runs a command between backticks")
		case l.take(`"`):
			w, err = l.nested(w)
		case end == "}" && l.take("'"):
			err = refuse("has single quotes in a quoted expansion, which shells do not agree on")
		default:
			w = append(w, part{lit: l.plain(end), quoted: true})
		}
		if err != nil {
			return nil, err
		}
	}
	if l.pos == len(l.text) {
		return nil, errOpen
	}
	if end == `"` {
		l.pos++
	}
	return w, nil
}

// nested reads what is in double quotes in the braces of a quoted expansion. bash takes the quotes away
// before it looks for names and braces, others do not.
func (l *lexer) nested(w word) (word, error) {
	before := len(w)
	w, err := l.double(w, `"`)
	if err != nil {
		return nil, err
	}
	agreed := l.pos == len(l.text) || !isAlpha(l.text[l.pos]) && !isDigit(l.text[l.pos]) && l.text[l.pos] != '_'
	for _, p := range w[before:] {
		agreed = agreed && !strings.Contains(p.lit, "}")
	}
	if !agreed {
		return nil, refuse("has quotes in a quoted expansion, which shells do not agree on")
	}
	return w, nil
}

// plain reads what means nothing else in double quotes.
func (l *lexer) plain(end string) string {
	if end == "}" {
		end = "}'"
	}
	return l.until(end + "\\\"$`")
}

// doubleEscaped reads what is behind a backslash in double quotes.
func (l *lexer) doubleEscaped(w word, end string) word {
	if l.take("\n") {
		return w
	}
	if l.pos < len(l.text) && strings.IndexByte("$`\"\\"+end, l.text[l.pos]) >= 0 {
		l.pos++
		return append(w, part{lit: l.text[l.pos-1 : l.pos], quoted: true})
	}
	return append(w, part{lit: `\`, quoted: true})
}
