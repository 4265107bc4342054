package closure

import (
	"bytes"
	"path"
	"strings"
)

// WrapperError says that a program only starts another one: a script, or a makeBinaryWrapper
// program of nixpkgs.
type WrapperError struct {
	Path   string // the wrapper
	Interp string // the script's interpreter; "" for a binary wrapper
	Target string // the program it starts; "" when that cannot be read out of it
}

func (e *WrapperError) Error() string {
	what := "is a script for " + e.Interp
	if e.Interp == "" {
		what = "is a makeBinaryWrapper program"
	}
	if e.Target != "" {
		what += " that starts " + e.Target
	}
	return e.Path + ": " + what
}

// Hint names the program to take instead.
func (e *WrapperError) Hint() string {
	if e.Target == "" {
		return "name the ELF program that it starts"
	}
	return "take " + e.Target + "; what the wrapper sets in the environment is then missing"
}

const (
	maxScript  = 64 << 10
	maxWrapper = 1 << 20 // a makeBinaryWrapper program is a few dozen KB
	maxNested  = 8
)

// script makes the error of a script, naming the ELF program at the end of its chain.
func (w *walker) script(path string, n *node) error {
	e := &WrapperError{Path: path}
	for range maxNested {
		text, err := w.scriptText(n)
		if err != nil || !bytes.HasPrefix(text, []byte("#!")) {
			break
		}
		interp, target := parseWrapper(text)
		if e.Interp == "" {
			e.Interp = interp
		}
		if target == "" {
			break
		}
		e.Target = target
		if n, err = w.walk(target); err != nil {
			break
		}
	}
	return e
}

func (w *walker) scriptText(n *node) ([]byte, error) {
	f, st, err := w.openFile(n)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSome(f, min(st.Size(), maxScript))
}

// parseWrapper reads a script's interpreter and the program of its last exec, as makeWrapper of
// nixpkgs writes them: exec -a "$0" "/nix/store/.../bin/.NAME-wrapped" ... "$@".
func parseWrapper(text []byte) (interp, target string) {
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(strings.TrimPrefix(line, "#!"))
	if len(fields) > 0 {
		interp = fields[0]
	}
	if !isShell(fields) {
		return interp, ""
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "exec ")
		if !ok {
			continue
		}
		if t := execTarget(rest); t != "" {
			target = t
		}
	}
	return interp, target
}

// isShell reports whether the words behind #! start a shell, by its path or through env.
func isShell(words []string) bool {
	if len(words) > 1 && path.Base(words[0]) == "env" {
		words = words[1:]
	}
	return len(words) > 0 && strings.HasSuffix(path.Base(words[0]), "sh")
}

// execTarget is the program of an exec command, when its words say it without variables.
func execTarget(s string) string {
	skip := false
	for {
		word, literal, rest := shellWord(s)
		switch {
		case word == "" && rest == "":
			return ""
		case skip:
			skip = false
		case word == "-a":
			skip = true
		case strings.HasPrefix(word, "-"):
		case literal && strings.HasPrefix(word, "/"):
			return word
		default:
			return ""
		}
		s = rest
	}
}

// shellWord splits the first word off a shell command line and takes its quotes away; literal is
// false when the shell would expand something in it.
func shellWord(s string) (word string, literal bool, rest string) {
	s = strings.TrimLeft(s, " \t")
	literal = true
	var out []byte
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote != '\'' && c == '\\' && i+1 < len(s):
			i++
			out = append(out, s[i])
		case quote == 0 && strings.IndexByte(" \t\n;&|<>()", c) >= 0:
			return string(out), literal, s[i+1:]
		default:
			if quote != '\'' && (c == '$' || c == '`') {
				literal = false
			}
			out = append(out, c)
		}
	}
	return string(out), literal && quote == 0, ""
}

// Wrapper is the first program of a closure that only starts another one, as a [*WrapperError]; nil
// when there is none. Its own link map says nothing about that other program.
func (c *Closure) Wrapper() error {
	for _, m := range c.LinkMaps {
		if target, ok := BinaryWrapperTarget(m.Program().Object); ok {
			return &WrapperError{Path: m.Asked, Target: target}
		}
	}
	return nil
}

// BinaryWrapperTarget is the program that a makeBinaryWrapper program of nixpkgs starts. Such a
// program holds, as a string, the command that made it.
func BinaryWrapperTarget(o *Object) (target string, ok bool) {
	if o.Size > maxWrapper {
		return "", false
	}
	f, err := o.Open()
	if err != nil {
		return "", false
	}
	defer f.Close()
	data, err := readSome(f, o.Size)
	if err != nil {
		return "", false
	}
	return binaryWrapperTarget(data)
}

func binaryWrapperTarget(data []byte) (string, bool) {
	const command = "makeCWrapper "
	if !bytes.Contains(data, []byte("binary wrapper")) {
		return "", false
	}
	for {
		_, after, found := bytes.Cut(data, []byte(command))
		if !found {
			return "", false
		}
		text, _, _ := bytes.Cut(after[:min(len(after), maxPath)], []byte{0})
		if word, literal, _ := shellWord(string(text)); literal && strings.HasPrefix(word, "/") {
			return word, true
		}
		data = after
	}
}
