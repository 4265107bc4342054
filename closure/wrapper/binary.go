package wrapper

import (
	"bytes"
	"strings"
)

// docstring is what stands before the command in a program that makeBinaryWrapper made; without it,
// as up to 2021, nothing tells a wrapper from any other program.
const docstring = "generated using the following command:\n\n\nmakeCWrapper "

// maxDocstring bounds the command, in bytes.
const maxDocstring = 1 << 20

// ParseBinary reads the bytes of an ELF file that may be a program of makeBinaryWrapper; ok says that
// it is one. An error says what in its command is not understood, and is then an [*UnsupportedError].
//
// The command does not say everything: that a value is added once, and --resolve-argv0, follow from the
// strings and names that the compiler leaves in the program.
func ParseBinary(data []byte) (w *Wrapper, ok bool, err error) {
	_, text, ok := bytes.Cut(data, []byte(docstring))
	if !ok {
		return nil, false, nil
	}
	command, _, _ := bytes.Cut(text[:min(len(text), maxDocstring)], []byte{0})
	b := &binary{data: data, w: &Wrapper{Kind: Binary}}
	if err := b.read(string(command)); err != nil {
		return nil, true, &UnsupportedError{Text: b.flag, Why: err.Error(), Target: b.w.Target}
	}
	b.w.Argv0.Resolve = b.resolves()
	return b.w, true, nil
}

// binary is a wrapper while its command is read.
type binary struct {
	data []byte
	w    *Wrapper
	flag string // the one that is being read
}

// read reads the command: the program, then a flag a line.
func (b *binary) read(command string) error {
	l := &lexer{text: command}
	target, err := program(l)
	if err != nil {
		return err
	}
	if b.w.Target = target; hasRoot(target) {
		return errRoot
	}
	if !strings.HasPrefix(target, "/") {
		b.w.Target = ""
		return refuse("starts %s, which is no absolute path", target)
	}
	for {
		words, err := line(l)
		if err != nil || len(words) == 0 {
			return err
		}
		b.flag = strings.Join(words, " ")
		if err := b.take(words[0], words[1:]); err != nil {
			return err
		}
	}
}

// program reads the path of the program. Up to 2022 it stood there without quotes.
func program(l *lexer) (string, error) {
	if strings.HasPrefix(l.text, "'") || strings.HasPrefix(l.text, "$'") {
		w, err := l.word()
		text, _ := w.literal("")
		return text, err
	}
	text := l.until("\n")
	trimmed := strings.TrimSuffix(text, ` \`)
	l.pos -= len(text) - len(trimmed)
	return trimmed, nil
}

// line reads a flag and its values from the next line of the command; none where it ends.
func line(l *lexer) (words []string, err error) {
	if !l.take(" \\\n    ") {
		return nil, nil
	}
	for {
		w, err := l.word()
		if err != nil {
			return nil, err
		}
		text, ok := w.literal("")
		if !ok {
			return nil, refuse("has something to expand in it")
		}
		words = append(words, text)
		if strings.HasPrefix(l.text[l.pos:], " \\\n") || !l.take(" ") {
			return words, nil
		}
	}
}

// take takes one flag.
func (b *binary) take(flag string, args []string) error {
	want := map[string]int{"--set": 2, "--set-default": 2, "--unset": 1, "--prefix": 3, "--suffix": 3, "--chdir": 1,
		"--add-flag": 1, "--add-flags": 1, "--append-flag": 1, "--append-flags": 1, "--argv0": 1, "--inherit-argv0": 0, "--resolve-argv0": 0}
	n, known := want[flag]
	if !known || n != len(args) {
		return refuse("is not understood")
	}
	for _, arg := range args {
		if hasRoot(arg) {
			return errRoot
		}
	}
	switch flag {
	case "--set":
		return b.change(Change{Op: Set, Name: args[0], Value: args[1]})
	case "--set-default":
		return b.change(Change{Op: SetDefault, Name: args[0], Value: args[1]})
	case "--unset":
		return b.change(Change{Op: Unset, Name: args[0]})
	case "--prefix":
		return b.change(Change{Op: Prefix, Name: args[0], Sep: args[1], Value: args[2], Join: JoinSet, Once: b.once("%s%s%.*s%s")})
	case "--suffix":
		return b.change(Change{Op: Suffix, Name: args[0], Sep: args[1], Value: args[2], Join: JoinSet, Once: b.once("%.*s%s%s%s")})
	}
	return b.command(flag, args)
}

// command takes a flag that is about the command to start.
func (b *binary) command(flag string, args []string) error {
	var more []Arg
	var err error
	switch flag {
	case "--chdir":
		b.w.Chdir = joinDir(b.w.Chdir, args[0])
	case "--add-flag":
		b.w.Args = append(b.w.Args, Arg{Text: args[0]})
	case "--append-flag":
		b.w.After = append(b.w.After, Arg{Text: args[0]})
	case "--add-flags":
		more, err = b.split(args[0])
		b.w.Args = append(b.w.Args, more...)
	case "--append-flags":
		more, err = b.split(args[0])
		b.w.After = append(b.w.After, more...)
	case "--argv0": // the last of it and --inherit-argv0 wins; an empty one is none
		b.w.Argv0 = Argv0{Text: args[0]}
	case "--inherit-argv0":
		b.w.Argv0 = Argv0{Inherit: true}
	}
	return err
}

func (b *binary) change(c Change) error {
	if err := c.check(); err != nil {
		return err
	}
	b.w.Env = append(b.w.Env, c)
	return nil
}

// split splits flags at blanks. The script of 2025 reads them by "read" and so sees the first line alone;
// those before it take all of them, which leaves each word as a string of its own in the program.
func (b *binary) split(flags string) ([]Arg, error) {
	first, rest, _ := strings.Cut(flags, "\n")
	words := fields(first)
	whole, none := true, true
	for _, word := range fields(rest) {
		words = append(words, word)
		none = none && !bytes.Contains(b.data, []byte(word+"\x00"))
		whole = whole && len(word) >= 4 && bytes.Contains(b.data, []byte("\x00"+word+"\x00"))
	}
	switch {
	case none:
		words = fields(first)
	case !whole:
		return nil, refuse("has flags over several lines, of which the program may have taken the first alone")
	}
	var args []Arg
	for _, word := range words {
		args = append(args, Arg{Text: word})
	}
	return args, nil
}

func fields(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\n", r) })
}

// once reports whether the program looks for a value before it adds it: its message for a failed
// asprintf is the text of that call.
func (b *binary) once(format string) bool {
	return bytes.Contains(b.data, []byte(`asprintf(&val, "`+format+`"`))
}

// resolves reports whether the program looks its argv[0] up on PATH. --resolve-argv0 is missing in
// the command; it alone calls strtok, and where a program brings its C library, sprintf's format tells.
func (b *binary) resolves() bool {
	has := func(s string) bool { return bytes.Contains(b.data, []byte("\x00"+s+"\x00")) }
	return has("strtok") || !has("execv") && has("%s/%s")
}
