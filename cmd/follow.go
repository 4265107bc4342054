package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
)

// followFlags say what is taken along beside what loaders map.
type followFlags struct {
	data      bool
	suggested bool
	plugins   []string
	include   []string
	env       []string
}

func (f *followFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&f.data, "follow-data", false, "take along the files, folders and programs of the store that packed files name")
	flags.BoolVar(&f.suggested, "suggested", false, "take along libraries that a .note.dlopen only suggests")
	flags.StringSliceVar(&f.plugins, "plugins", nil, "`RULES` for plugins to take along beside the usual ones, such as gconv; -NAME leaves a usual one out")
	flags.StringArrayVar(&f.include, "include", nil, "take along PATH of the store, or what a pattern matches, to DEST: `PATH[:DEST]`; can be repeated")
	flags.StringArrayVar(&f.env, "env", nil, "set `NAME=VALUE` for the programs; %ROOT% is the bundle's folder; can be repeated")
}

// follow is what the flags say.
func (a *app) follow(f *followFlags) (closure.Follow, error) {
	follow := closure.Follow{Data: f.data, Suggested: f.suggested, Plugins: f.plugins}
	for _, text := range f.include {
		pattern, dest, _ := strings.Cut(text, ":")
		if pattern == "" {
			return follow, usageError{fmt.Errorf("--include %q: name a path of the store", text)}
		}
		at, err := a.insideRoot(pattern)
		if err != nil {
			return follow, err
		}
		follow.Include = append(follow.Include, closure.Include{Pattern: at, Dest: dest})
	}
	for _, text := range f.env {
		name, value, ok := strings.Cut(text, "=")
		change := wrapper.Change{Op: wrapper.Set, Name: name, Value: value}
		if err := change.Check(); err != nil || !ok {
			return follow, usageError{fmt.Errorf("--env %q: give NAME=VALUE, the name one of letters, digits and _", text)}
		}
		follow.Env = append(follow.Env, change)
	}
	return follow, nil
}
