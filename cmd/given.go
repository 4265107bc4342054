package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure"
)

// addGiven gives a verb the flags of what a program is started with. Nothing of it is taken from
// this process's environment.
func (a *app) addGiven(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.given.LibraryPath, "library-path", "", "as if LD_LIBRARY_PATH were `DIRS`")
	f.StringArrayVar(&a.given.Preload, "preload", nil, "as if LD_PRELOAD named `FILE`; can be repeated")
	f.BoolVar(&a.given.PreloadFile, "preload-file", false, "preload what the root's /etc/ld.so.preload names, or for nixpkgs' loader /etc/ld-nix.so.preload")
	f.StringSliceVar(&a.given.HWCaps, "hwcaps", nil, "directories `NAMES` below glibc-hwcaps/ to take, which the processor has, such as x86-64-v3 (default none)")
	a.addOpens(c)
}

// addOpens gives a verb the flag of what a program opens at run time.
func (a *app) addOpens(c *cobra.Command) {
	c.Flags().StringArrayVar(&a.opens, "open", nil, "as if the program opened a name or path at run time (dlopen), or the object BY did: `[BY=]NAME`; can be repeated")
}

// opened is what --open says. A path is one of the root's; a name is searched as it is, and so is a path
// with a token.
func (a *app) opened() ([]closure.Opened, error) {
	var list []closure.Opened
	for _, text := range a.opens {
		o := closure.Opened{Name: text}
		if by, name, ok := strings.Cut(text, "="); ok {
			o.By, o.Name = by, name
		}
		if o.Name == "" || strings.Contains(o.Name, "/") && !strings.Contains(o.Name, "$") {
			var err error
			if o.Name, err = a.insideRoot(o.Name); err != nil {
				return nil, err
			}
		}
		list = append(list, o)
	}
	return list, nil
}

// checkOpened refuses an --open in the name of an object that no process has.
func (a *app) checkOpened(c *closure.Closure) error {
	for _, o := range a.given.Opened {
		if !slices.ContainsFunc(c.LinkMaps, func(m *closure.LinkMap) bool {
			return slices.ContainsFunc(m.Opened, func(at *closure.Open) bool { return at.Opened == o })
		}) && o.By != "" {
			return usageError{fmt.Errorf("--open %s=%s: no process has an object %s", o.By, o.Name, o.By)}
		}
	}
	return nil
}
