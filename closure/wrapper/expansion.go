package wrapper

import "strings"

// dollar reads what is behind a dollar sign.
func (l *lexer) dollar(w word, quoted bool) (word, error) {
	if l.depth >= maxDepth {
		return nil, refuse("has expansions in expansions, more than %d deep", maxDepth)
	}
	switch {
	case l.take("(("):
		return nil, refuse("computes a number")
	case l.take("("):
		return nil, refuse("runs a command between $( and )")
	case l.take("["):
		return nil, refuse("computes a number")
	case l.take("{"):
		l.depth++
		p, err := l.braced(quoted)
		l.depth--
		return append(w, p), err
	}
	if name := l.parameter(); name != "" {
		return append(w, part{name: name, quoted: quoted}), nil
	}
	return append(w, part{lit: "$", quoted: true}), nil
}

// parameter reads a parameter's name outside of braces; "" where none stands.
func (l *lexer) parameter() string {
	rest := l.text[l.pos:]
	end := nameLen(rest)
	if end == 0 && rest != "" && strings.IndexByte("0123456789@*#?-$!", rest[0]) >= 0 {
		end = 1
	}
	l.pos += end
	return rest[:end]
}

// nameLen is how many bytes at the start of s are the name of a variable.
func nameLen(s string) int {
	n := 0
	for n < len(s) && (s[n] == '_' || isAlpha(s[n]) || n > 0 && isDigit(s[n])) {
		n++
	}
	return n
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isName reports whether a shell can have a variable of that name.
func isName(s string) bool { return s != "" && nameLen(s) == len(s) }

// braced reads an expansion in braces, behind ${.
func (l *lexer) braced(quoted bool) (part, error) {
	p := part{quoted: quoted, name: l.parameter()}
	if p.name == "" || p.name == "#" || p.name == "!" {
		return p, refuse("has an expansion that is not understood")
	}
	if l.take("[@]") {
		p.name += "[@]"
	}
	if l.take("}") {
		return p, nil
	}
	if p.op = l.operator(); p.op == "" {
		return p, refuse("expands ${%s...} in a way that is not understood", p.name)
	}
	var err error
	if p.arg, err = l.operand(quoted, p.op, p.op[0] == '/'); err != nil {
		return p, err
	}
	if p.op[0] == '/' && l.take("/") {
		p.with, err = l.operand(quoted, p.op, false)
	}
	if err == nil && !l.take("}") {
		err = errOpen
	}
	return p, err
}

// operator reads what stands behind the name; "" where it is none that is understood.
func (l *lexer) operator() string {
	for _, op := range []string{":-", ":+", ":=", ":?", "-", "+", "=", "?", "##", "#", "%%", "%", "//", "/"} {
		if l.take(op) {
			return op
		}
	}
	return ""
}

// isPattern reports whether the operand of an operator is a pattern.
func isPattern(op string) bool { return op != "" && strings.IndexByte("#%/", op[0]) >= 0 }

// operand reads what is behind an operator, up to the brace, or up to a slash. Quotes around the
// expansion quote it, unless it is a pattern.
func (l *lexer) operand(quoted bool, op string, slash bool) (word, error) {
	end := "}"
	if slash {
		end = "/}"
	}
	if quoted && !isPattern(op) {
		return l.double(nil, end)
	}
	w, err := l.parts(end)
	if err == nil && l.pos == len(l.text) {
		err = errOpen
	}
	return w, err
}

// literal is the text of a word that the shell expands nothing in, once its quotes are gone; active
// are the bytes that are none of it outside of quotes.
func (w word) literal(active string) (string, bool) {
	if len(w) == 1 {
		return w[0].lit, w[0].name == "" && (w[0].quoted || !strings.ContainsAny(w[0].lit, active))
	}
	var out strings.Builder
	for _, p := range w {
		if p.name != "" || !p.quoted && strings.ContainsAny(p.lit, active) {
			return "", false
		}
		out.WriteString(p.lit)
	}
	return out.String(), true
}

const globs = "*?["

// is reports whether a word is a bare text, as a keyword or the name of a command is.
func (w word) is(text string) bool { return len(w) == 1 && w[0].name == "" && w[0].lit == text }
