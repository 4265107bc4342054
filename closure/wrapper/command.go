package wrapper

import "strings"

// command is one simple command.
type command struct {
	pos   int // where it begins
	words []word
}

// name is the bare first word; "" where it has anything to expand.
func (c command) name() string {
	if len(c.words) == 0 {
		return ""
	}
	name, _ := c.words[0].literal(globs)
	return name
}

// script is the commands of a text, read one by one.
type script struct {
	lexer
	ahead []command // read, but not taken
	err   error     // why nothing is read behind them
	bad   command   // where
}

// peek is the i-th next command; without words at the end of the text.
func (s *script) peek(i int) (command, error) {
	for len(s.ahead) <= i && s.err == nil {
		c, err := s.read()
		if err != nil {
			s.err, s.bad = err, c
			break
		}
		s.ahead = append(s.ahead, c)
	}
	if len(s.ahead) <= i {
		return s.bad, s.err
	}
	return s.ahead[i], nil
}

func (s *script) drop(n int) { s.ahead = s.ahead[n:] }

// read reads the next command, up to the end of its line or a semicolon.
func (s *script) read() (command, error) {
	s.skip(blanks + "\n")
	for s.take("#") {
		s.until("\n")
		s.skip(blanks + "\n")
	}
	c := command{pos: s.pos}
	if s.extraFlags() {
		c.words = []word{{{lit: ":"}}}
		return c, nil
	}
	for s.pos < len(s.text) {
		switch {
		case s.take("\\\n"):
		case s.take("#"):
			s.until("\n")
		case strings.IndexByte("\n;", s.text[s.pos]) >= 0:
			return c, s.end(c)
		case strings.IndexByte("&|<>()", s.text[s.pos]) >= 0:
			return c, refuse("redirects, pipes or groups commands")
		default:
			w, err := s.word()
			if err != nil {
				return c, err
			}
			c.words = append(c.words, w)
		}
		s.skip(blanks)
	}
	return c, nil
}

// end passes the end of a command.
func (s *script) end(c command) error {
	if s.text[s.pos] == ';' && (len(c.words) == 0 || strings.HasPrefix(s.text[s.pos:], ";;")) {
		return refuse("has a semicolon without a command")
	}
	s.pos++
	return nil
}

// extraFlags passes the line by which makeWrapper of 2020 made sure of its array of flags.
func (s *script) extraFlags() bool {
	const line = "declare -a extraFlagsArray=()"
	rest, ok := strings.CutPrefix(s.text[s.pos:], line)
	if !ok || rest != "" && rest[0] != '\n' {
		return false
	}
	s.pos += len(line)
	return true
}

// assignment splits NAME=VALUE and NAME+=VALUE.
func (w word) assignment() (name string, value word, more, ok bool) {
	if len(w) == 0 || w[0].name != "" || w[0].quoted {
		return "", nil, false, false
	}
	n := nameLen(w[0].lit)
	rest, more := strings.CutPrefix(w[0].lit[n:], "+")
	rest, ok = strings.CutPrefix(rest, "=")
	if n == 0 || !ok {
		return "", nil, false, false
	}
	name = w[0].lit[:n]
	if rest != "" {
		value = word{{lit: rest}}
	}
	return name, append(value, w[1:]...), more, true
}
