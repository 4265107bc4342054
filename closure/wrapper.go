package closure

import (
	"bytes"
	"errors"

	"github.com/nixbundle/nixbundle/closure/wrapper"
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
		interp, target := scriptTarget(text)
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

// scriptTarget is a script's interpreter and, where it is a wrapper or nearly one, what it starts.
func scriptTarget(text []byte) (interp, target string) {
	w, _ := wrapper.Parse(text) // what is not understood says what it starts, too
	switch {
	case w == nil:
		return "", ""
	case w.Why != nil:
		return w.Interp[0], w.Why.Target
	}
	return w.Interp[0], w.Target
}

func (w *walker) scriptText(n *node) ([]byte, error) {
	f, st, err := w.openFile(n)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSome(f, min(st.Size(), maxScript))
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
	w, _, err := wrapper.ParseBinary(data)
	var u *wrapper.UnsupportedError
	switch {
	case errors.As(err, &u):
		return u.Target, u.Target != ""
	case w == nil:
		return "", false
	}
	return w.Target, true
}
