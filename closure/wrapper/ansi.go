package wrapper

import (
	"strconv"
	"strings"
)

// ansi reads $'...', in which bash writes what has no other quotes (bash lib/sh/strtrans.c: ansicstr).
func (l *lexer) ansi(w word) (word, error) {
	var out strings.Builder
	for {
		out.WriteString(l.until(`'\`))
		if l.take("'") {
			return append(w, part{lit: out.String(), quoted: true}), nil
		}
		if l.pos+1 >= len(l.text) {
			return nil, errOpen
		}
		c := l.text[l.pos+1]
		l.pos += 2
		text, err := l.ansiEscape(c)
		if err != nil {
			return nil, err
		}
		out.WriteString(text)
	}
}

// ansiEscape is what a backslash and c stand for.
func (l *lexer) ansiEscape(c byte) (string, error) {
	const from, to = `abeEfnrtv\'"?`, "\a\b\x1b\x1b\f\n\r\t\v\\'\"?"
	if i := strings.IndexByte(from, c); i >= 0 {
		return to[i : i+1], nil
	}
	switch c {
	case '0', '1', '2', '3', '4', '5', '6', '7':
		l.pos--
		return l.number(8, 3)
	case 'x':
		return l.number(16, 2)
	case 'u', 'U':
		return "", refuse("has a character whose bytes depend on the locale")
	case 'c':
		return "", refuse("has a control character written as \\c")
	}
	return `\` + string([]byte{c}), nil
}

// number reads a byte of up to most digits.
func (l *lexer) number(base, most int) (string, error) {
	digits := "01234567"
	if base == 16 {
		digits = "0123456789abcdefABCDEF"
	}
	end := l.pos
	for end < len(l.text) && end-l.pos < most && strings.IndexByte(digits, l.text[end]) >= 0 {
		end++
	}
	n, err := strconv.ParseUint(l.text[l.pos:end], base, 32)
	if err != nil || byte(n) == 0 {
		return "", refuse("has a byte written as a number that it cannot be")
	}
	l.pos = end
	return string([]byte{byte(n)}), nil
}
