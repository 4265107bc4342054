package wrapper

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// headSize is how much of a file the kernel reads to start it (include/uapi/linux/binfmts.h:
// BINPRM_BUF_SIZE).
const headSize = 256

// shebang is the words behind #!: the interpreter's path, and all of the rest as one argument, blanks
// trimmed (fs/binfmt_script.c: load_script).
func shebang(text []byte) ([]string, error) {
	if !bytes.HasPrefix(text, []byte("#!")) {
		return nil, refuse("does not begin with #!")
	}
	const blank = " \t"
	head := string(text[2:min(len(text), headSize)])
	line, _, ended := strings.Cut(head, "\n")
	if !ended && len(text) >= headSize {
		line = head[:len(head)-1]
		if !strings.ContainsAny(strings.TrimLeft(line, blank), blank+"\x00") {
			return nil, refuse("the interpreter's path is longer than the kernel reads (%d bytes)", headSize)
		}
	}
	line = strings.Trim(line, blank)
	end := strings.IndexAny(line, blank+"\x00")
	if line == "" || end == 0 {
		return nil, refuse("names no interpreter behind #!")
	}
	if end < 0 {
		return []string{line}, nil
	}
	words := []string{line[:end]}
	arg, _, _ := strings.Cut(strings.TrimLeft(line[end:], blank), "\x00")
	if line[end] != 0 && arg != "" {
		words = append(words, arg)
	}
	return words, nil
}

// Interpreter is the command that reads a script: Interp, or, where that is env, what env makes of its
// words: a program, which may be a name to be searched on PATH, its arguments, and the variables that
// are set for it.
func (w *Wrapper) Interpreter() (words []string, env []Change, err error) {
	if len(w.Interp) == 0 || path.Base(w.Interp[0]) != "env" {
		return w.Interp, nil, nil
	}
	if words, err = envWords(w.Interp[1:]); err != nil {
		return nil, nil, err
	}
	for i, word := range words {
		name, value, set := strings.Cut(word, "=")
		switch {
		case set:
			env = append(env, Change{Op: Set, Name: name, Value: value})
		case strings.HasPrefix(word, "-"):
			return nil, nil, refuse("env %s", word)
		default:
			return words[i:], env, nil
		}
	}
	return nil, nil, refuse("env without a program")
}

// envWords splits the argument of env -S (coreutils env.c: splitter_split_string), as far as it has no
// variables and no escapes.
func envWords(words []string) ([]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	rest, split := strings.CutPrefix(words[0], "-S")
	if !split {
		rest, split = strings.CutPrefix(words[0], "--split-string=")
	}
	if !split {
		return words, nil
	}
	if strings.ContainsAny(rest, `\$#`) {
		return nil, refuse("env -S with an escape, a variable or a comment")
	}
	var out []string
	for l := (lexer{text: rest}); ; {
		l.skip(" \t\n\v\f\r")
		if l.pos == len(l.text) {
			return out, nil
		}
		word, err := l.envWord()
		if err != nil {
			return nil, err
		}
		out = append(out, word)
	}
}

func (l *lexer) envWord() (string, error) {
	var out strings.Builder
	for l.pos < len(l.text) {
		c := l.text[l.pos]
		switch {
		case strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			return out.String(), nil
		case c != '\'' && c != '"':
			out.WriteByte(c)
			l.pos++
			continue
		}
		inside, _, closed := strings.Cut(l.text[l.pos+1:], string(c))
		if !closed {
			return "", refuse("env -S with an open quote")
		}
		out.WriteString(inside)
		l.pos += len(inside) + 2
	}
	return out.String(), nil
}

// shellOptions is the options of the shell that a script is for; ok is false where it is for no shell
// that understands sh.
func (w *Wrapper) shellOptions() (options []string, ok bool) {
	words, env, err := w.Interpreter()
	if err != nil || len(env) > 0 || len(words) == 0 {
		return nil, false
	}
	name := path.Base(words[0])
	if len(words) > 1 && name == "busybox" {
		words = words[1:]
		name = words[0]
	}
	return words[1:], slices.Contains([]string{"sh", "bash", "dash", "ash", "ksh", "mksh", "yash"}, name)
}
