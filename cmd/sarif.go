package cmd

import (
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/sarif"
)

// printSARIF prints findings for a code host: notes and what was accepted only where they are wanted. GitHub passes over
// suppressions: it would show what was accepted as an open alert (its docs, "Supported SARIF output file properties";
// codeql-action issue 1230).
func (a *app) printSARIF(root fs.FS, args []string, c *closure.Closure, findings []closure.Finding, accepted []closure.Accepted, all bool) error {
	if !all {
		findings, _ = splitNotes(findings)
		accepted = nil
	}
	place, err := a.places(root, args, c)
	if err != nil {
		return err
	}
	return sarif.Write(a.Stdout, c, sarif.Report{Version: version(), Findings: findings, Accepted: accepted, Place: place})
}

// places says where files of the root are: a program where the command line names it, so that it is the same
// after a rebuild, and any other in the directory of --root.
func (a *app) places(root fs.FS, args []string, c *closure.Closure) (func(file string) string, error) {
	named := map[string]string{}
	for _, arg := range args {
		inside, err := a.insideRoot(arg)
		if err != nil {
			return nil, err
		}
		programs, err := closure.Programs(root, inside, closure.Options{})
		if err != nil {
			return nil, err
		}
		st, err := fs.Stat(root, strings.TrimPrefix(inside, "/"))
		for _, program := range programs {
			named[program] = arg
			if err == nil && st.IsDir() { // it stands for all in its bin/
				named[program] = filepath.Join(arg, program[strings.LastIndex(program, "/bin/"):])
			}
		}
	}
	for _, m := range c.LinkMaps { // what a wrapper starts goes by the wrapper's name
		if at := m.Program().Path; named[at] == "" {
			named[at] = named[m.Asked]
		}
	}
	ours := filepath.Clean(a.rootDir) == "/"
	return func(file string) string {
		switch at := named[file]; {
		case at == "":
			return filepath.Join(a.rootDir, file)
		case ours:
			return filepath.Clean(at)
		default:
			return filepath.Join(a.rootDir, at)
		}
	}, nil
}
