package cmd

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd/schema"
	"github.com/nixbundle/nixbundle/elfpatch"
)

func (a *app) whyCommand() *cobra.Command {
	limit := 0
	c := &cobra.Command{
		Use:   "why PROGRAM NAME",
		Short: "Print who brings a library, a symbol's definition, or a path of the store",
		Long: `Print every chain of needs from a program to a library, the shortest first, with the rule that
answers the last need. NAME is a path, a soname, a needed name, a file name, or a store path or its
name, which stands for each library in it that is loaded. Where it is none of these it is a symbol:
then for each object that its references reach, whose references those are, and what brings that
object.

A store path that no need brings, or a file in one, may still be in Nix's closure of the program:
then the texts that name it, and the chains of references that lead to it, out of Nix's database
in the root or --references. Behind each store path of a chain stands whether a need brings it
too. What is for another machine than the program, as a compiler is that was left in it, is said
to be. Status 1 means that nothing brings or holds it.
` + exitHelp,
		Example: "  nixbundle why ./result/bin/sensor libprotobuf.so.32\n  nixbundle why ./result/bin/sensor protobuf",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{errors.New("name a program and a library: " + c.UseLine())}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if limit < 1 {
				return usageError{errors.New("--limit is less than 1")}
			}
			return a.why(args[0], args[1], limit)
		},
	}
	c.Flags().IntVar(&limit, "limit", 20, "print `N` chains for each library")
	a.addReferences(c)
	a.addGiven(c)
	a.addJSON(c)
	return c
}

func (a *app) why(program, name string, limit int) error {
	root, c, err := a.walk([]string{program})
	if err != nil {
		return err
	}
	var all []reasonJSON
	for _, m := range c.LinkMaps {
		reasons, err := a.reasons(c, m, name, limit)
		if err != nil {
			return err
		}
		for _, r := range reasons {
			all = append(all, newReasonJSON(m, r))
			if !a.json {
				printReason(a.Stdout, m, r)
			}
		}
	}
	if len(all) == 0 {
		return a.whyHeld(root, c, program, name, limit)
	}
	if a.json {
		return a.printJSON(whyJSON{answer{schema.Why}, all, []heldJSON{}})
	}
	return nil
}

// reasons is why a library is in a process, or where there is none of that name, why the definitions
// of a symbol are.
func (a *app) reasons(c *closure.Closure, m *closure.LinkMap, name string, limit int) ([]closure.Reason, error) {
	reasons := c.Why(m, name, limit)
	if len(reasons) > 0 || c.Missing() != nil || strings.Contains(name, "/") {
		return reasons, nil
	}
	b, err := closure.Bind(m)
	if errors.Is(err, elfpatch.ErrUnsupported) {
		return nil, nil // a machine whose relocations are not known: the name may still be a library's
	}
	if err != nil {
		return nil, err
	}
	return c.WhySymbol(b, name, limit), nil
}

func printReason(w io.Writer, m *closure.LinkMap, r closure.Reason) {
	if r.Loaded == nil {
		fprintf(w, "%s: %s\n", inkName.of(r.Name), inkBad.of("not found"))
	} else {
		fprintf(w, "%s\n", inkName.of(r.Name))
	}
	for _, user := range r.Users {
		fprintf(w, "  for %s\n", user.Path)
	}
	for _, chain := range r.Chains {
		fprintf(w, "  %s %s\n", closure.ChainText(m.Asked, chain), ruleText(chain[len(chain)-1]))
	}
	switch {
	case len(r.Chains) == 0 && r.Loaded == m.Program():
		fmt.Fprintln(w, "  the program itself")
	case len(r.Chains) == 0:
		fmt.Fprintln(w, "  the program's loader: no need brings it")
	case r.Least:
		fprintf(w, "  and at least %d more\n", r.More)
	case r.More > 0:
		fprintf(w, "  and %d more\n", r.More)
	}
}

type whyJSON struct {
	answer
	Reasons []reasonJSON `json:"reasons"`
	Held    []heldJSON   `json:"held"`
}

type reasonJSON struct {
	Program string       `json:"program"`
	Path    string       `json:"path,omitempty"` // as opened; none for a name that nothing answers
	Name    string       `json:"name"`
	Chains  [][]linkJSON `json:"chains"`
	More    uint64       `json:"more"`
	AtLeast bool         `json:"moreIsAtLeast"`
	Users   []string     `json:"users,omitempty"` // for a symbol: whose references reach it
}

func newReasonJSON(m *closure.LinkMap, r closure.Reason) reasonJSON {
	j := reasonJSON{Program: m.Asked, Name: r.Name, Chains: chainsJSON(r.Chains), More: r.More, AtLeast: r.Least}
	if r.Loaded != nil {
		j.Path = r.Loaded.Path
	}
	for _, user := range r.Users {
		j.Users = append(j.Users, user.Path)
	}
	return j
}
