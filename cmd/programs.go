package cmd

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure"
)

// programs gives the paths inside the root of the programs that the command line names.
func (a *app) programs(root fs.FS, args []string) ([]string, error) {
	var programs []string
	for _, arg := range args {
		name, err := a.insideRoot(arg)
		if err != nil {
			return nil, err
		}
		found, err := closure.Programs(root, name, closure.Options{})
		if err != nil {
			return nil, err
		}
		programs = append(programs, found...)
	}
	return programs, nil
}

// verbError says that the first word of a command line is no file; it may be meant to be a verb.
type verbError struct {
	error
	meant []string
}

func (e *verbError) Unwrap() error { return e.error }

// Hint names verbs that are written nearly so.
func (e *verbError) Hint() string {
	if len(e.meant) > 0 {
		return "the verb " + strings.Join(e.meant, " or ") + " may be meant; nixbundle --help lists all"
	}
	return "it is no verb either: nixbundle --help lists those"
}

// noVerb is the error of a command line without a verb, with a hint where its first word may be meant as one.
func noVerb(root *cobra.Command, word string, err error) error {
	var program *closure.ProgramError
	if !errors.As(err, &program) || !errors.Is(err, fs.ErrNotExist) || filepath.Base(program.Path) != word {
		return err
	}
	root.SuggestionsMinimumDistance = 2
	return &verbError{err, root.SuggestionsFor(word)}
}

// insideRoot is a name as a path inside the root: relative to the current directory without --root,
// and to the root's top with it.
func (a *app) insideRoot(name string) (string, error) {
	if name == "" {
		return "", usageError{errors.New("a program's name is empty")}
	}
	if filepath.Clean(a.rootDir) == "/" {
		return filepath.Abs(name)
	}
	return filepath.Join("/", name), nil
}
