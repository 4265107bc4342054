package wrapper

import "strings"

// MaxText is the longest shell text that is read as a wrapper, in bytes.
const MaxText = 1 << 20

// Parse reads a file that begins with #!, of which only the first [MaxText] bytes and one more matter.
// What is not a shell text that only sets up and starts another program is a Script.
//
// A text that ends by starting another program, as every wrapper does, but does more before that is an
// [*UnsupportedError]; the wrapper as a Script comes with it. Any other error says that the kernel could
// not start the file.
func Parse(text []byte) (*Wrapper, error) {
	interp, err := shebang(text)
	if err != nil {
		return nil, err
	}
	w := &Wrapper{Kind: Script, Interp: interp}
	options, ok := w.shellOptions()
	if !ok {
		return w, nil
	}
	r := &reader{
		script: script{lexer: lexer{text: string(text[:min(len(text), MaxText)])}},
		w:      &Wrapper{Kind: Shell, Interp: interp},
		vars:   map[string]*variable{},
	}
	if w.Why = r.shell(options, len(text)); w.Why == nil {
		return r.w, nil
	}
	var last bool
	if w.Why.Target, last = lastExec(r.text); last {
		return w, w.Why
	}
	return w, nil
}

// shell reads a shell text of that size.
func (r *reader) shell(options []string, size int) *UnsupportedError {
	pos := 0
	err := r.checkOptions(options)
	switch {
	case err != nil:
	case size > MaxText:
		err = refuse("the text is longer than %d bytes", MaxText)
	case strings.IndexByte(r.text, 0) >= 0:
		err, pos = refuse("has a NUL byte"), strings.IndexByte(r.text, 0)
	default:
		pos, err = r.run()
	}
	if err != nil {
		return unsupported(r.text, pos, err)
	}
	return nil
}

// checkOptions looks at what the shell is started with: -e and its like.
func (r *reader) checkOptions(options []string) error {
	for _, o := range options {
		for _, o := range strings.Fields(o) {
			if o = strings.TrimPrefix(o, "-"); strings.Trim(o, "eux") != "" {
				return refuse("starts its shell with -%s", o)
			}
		}
	}
	return nil
}

// lastExec is the program of the last exec in a text that names one by a path; last says that nothing
// comes behind it.
func lastExec(text string) (target string, last bool) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		rest, ok := strings.CutPrefix(line, "exec ")
		if !ok {
			last = last && (line == "" || line[0] == '#')
			continue
		}
		if t := execTarget(rest); t != "" {
			target, last = t, true
		}
	}
	return target, last
}

// execTarget is the program of an exec command, when its words say it without variables.
func execTarget(line string) string {
	l := lexer{text: line}
	for {
		l.skip(blanks)
		w, err := l.word()
		text, ok := w.literal(globs)
		switch {
		case err != nil:
			return targetBehind(line)
		case len(w) == 0:
			return ""
		case ok && text == "-a":
			l.skip(blanks)
			if _, err := l.word(); err != nil {
				return targetBehind(line)
			}
		case ok && strings.HasPrefix(text, "-"):
		case ok && strings.HasPrefix(text, "/"):
			return text
		default:
			return ""
		}
	}
}

// targetBehind is the first path in quotes behind what is not understood, as makeWrapper writes the
// program.
func targetBehind(line string) string {
	_, rest, ok := strings.Cut(line, ` "/`)
	l := lexer{text: `"/` + rest}
	if w, err := l.word(); ok && err == nil {
		text, _ := w.literal("")
		return text
	}
	return ""
}
