package cmd

import (
	"errors"
	"io/fs"
	"path/filepath"

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
