package closure

import "fmt"

// LoadError is a file in the way at which the loader stops the process, where it would have passed
// over a missing one.
type LoadError struct {
	Path    string // the file
	Why     string // what is wrong with it
	Name    string // the name that was needed
	By      string // the path of the object that needs it
	Program string
	Err     error
}

func (e *LoadError) Error() string {
	return fmt.Sprintf("%s: %s: the loader of %s stops at it when it looks for %s, which %s needs",
		e.Path, e.Why, e.Program, e.Name, e.By)
}

// Unwrap gives the defect, such as an elfpatch.ErrNotELF or an *elfpatch.FormatError.
func (e *LoadError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *LoadError) Hint() string {
	return "remove or replace the file, or take its directory out of the run path that leads there"
}

// badFile is a LoadError before it is known who asked.
type badFile struct {
	path string
	err  error
}

func (b *badFile) Error() string { return b.path + ": " + b.err.Error() }

// stop makes the error of a need that ends the process.
func (p *process) stop(n *Need, err error) error {
	bad, ok := err.(*badFile)
	if !ok {
		return err
	}
	return &LoadError{
		Path: bad.path, Why: bad.err.Error(), Name: n.Name, By: n.From.Path,
		Program: p.m.Program().Path, Err: bad.err,
	}
}
