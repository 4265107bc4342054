package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/cmd/schema"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [NAME]",
		Short: "List the JSON Schemas of the answers, or print one",
		Long: `List the JSON Schemas (draft 2020-12) of what --json prints and of the files that nixbundle reads
and writes: the name, what the first field of such an answer says, and what it is of. With NAME
print that one; it refers to no other, so a validator needs nothing else. What a version promises,
nixbundle help json tells.
` + exitHelp,
		Example: "  nixbundle schema\n  nixbundle schema conflicts >conflicts.schema.json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{errors.New("name one schema: " + c.UseLine())}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listSchemas()
			}
			return a.printSchema(args[0])
		},
	}
}

func (a *app) listSchemas() error {
	all, err := schema.All()
	for _, s := range all {
		fprintf(a.Stdout, "%-12s %-25s %s\n", s.Name, s.ID, s.Title)
	}
	return err
}

func (a *app) printSchema(name string) error {
	s, err := schema.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return unknownSchema(name)
	}
	if err != nil {
		return err
	}
	_, err = a.Stdout.Write(s.Text)
	return err
}

// unknownSchema says which schemas there are.
func unknownSchema(name string) error {
	all, err := schema.All()
	if err != nil {
		return err
	}
	names := make([]string, 0, len(all))
	for _, s := range all {
		names = append(names, s.Name)
	}
	return usageError{fmt.Errorf("schema %q: it is one of %s", name, strings.Join(names, ", "))}
}
