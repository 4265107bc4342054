package cmd

import (
	"io/fs"
	"path/filepath"

	"github.com/nixbundle/nixbundle/closure"
)

// programs gives the paths inside the root of the programs that the command line names. Without
// --root they are relative to the current directory, with it to the root's top.
func (a *app) programs(root fs.FS, args []string) ([]string, error) {
	var programs []string
	for _, arg := range args {
		name := arg
		if filepath.Clean(a.rootDir) == "/" {
			abs, err := filepath.Abs(arg)
			if err != nil {
				return nil, err
			}
			name = abs
		}
		found, err := closure.Programs(root, name, closure.Options{})
		if err != nil {
			return nil, err
		}
		programs = append(programs, found...)
	}
	return programs, nil
}
