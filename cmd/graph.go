package cmd

import (
	"bytes"
	"errors"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure/report"
)

// graphFlags say what is drawn, and where to.
type graphFlags struct {
	target targetFlags
	accept string
	output string
	format string
}

func (a *app) graphCommand() *cobra.Command {
	flags := graphFlags{}
	c := &cobra.Command{
		Use:   "graph PROGRAM...",
		Short: "Draw what the loader loads, and what it mixes up",
		Long: `Draw each program's link map with what conflicts finds in it. An object hangs below the one whose
need brought it first, which is what decides which copy of a library a process has; the area of
its circle is its size. Copies that clash are coloured, a copy that is wanted and not loaded is
dashed, and an edge leads from who refers to a copy to the one that its references reach. Nothing
is run.

The ending of FILE chooses the format, or else --format:

  .svg       a picture, light or dark as its reader is
  .dot .gv   text for Graphviz, with all needs
  .mmd       text that GitHub and GitLab draw in Markdown, of no more than 500 edges: in a larger
             graph what is wrong is drawn, and the rest is counted
  .html      one page for a browser: the picture, what each object weighs, search, and every object
             and finding explained; it needs no network and no other file

Several programs are drawn below each other; the page has a list to choose from. --accept FILE
leaves out the findings that somebody has looked at, as for conflicts.

A picture is no verdict: the status is 0 where there are findings too. nixbundle conflicts tells
by its status.
` + exitHelp,
		Example: "  nixbundle graph ./result/bin/sensor -o sensor.html\n  nixbundle graph ./result/bin/sensor --format mermaid",
		Args:    atLeastOne,
		RunE:    func(_ *cobra.Command, args []string) error { return a.graph(args, &flags) },
	}
	c.Flags().StringVarP(&flags.output, "output", "o", "-", "`FILE` to write; - is standard output")
	c.Flags().StringVar(&flags.format, "format", "", "`FORMAT`: svg, dot, mermaid or html (default: by the ending of -o, else svg)")
	c.Flags().StringVar(&flags.accept, "accept", "", "`FILE` of accepted findings: those are not drawn")
	flags.target.add(c)
	a.addGiven(c)
	return c
}

// graph draws programs. The file appears whole or not at all, and so does what goes to standard output.
func (a *app) graph(args []string, flags *graphFlags) error {
	format, err := flags.chosen()
	if err != nil {
		return usageError{err}
	}
	_, c, err := a.walk(args)
	if err != nil {
		return err
	}
	findings, err := check(c, &flags.target)
	if err != nil {
		return err
	}
	open, _, _, err := a.sift(c, findings, flags.accept)
	if err != nil {
		return err
	}
	drawn := report.New(c, open)
	var whole bytes.Buffer
	if err := drawn.Write(&whole, format); err != nil {
		return err
	}
	if flags.output != "-" {
		return writeWhole(flags.output, whole.Bytes())
	}
	_, err = whole.WriteTo(a.Stdout)
	return err
}

// chosen is the format that the flags name.
func (f *graphFlags) chosen() (report.Format, error) {
	switch {
	case f.output == "":
		return "", errors.New("-o names no file")
	case f.format != "":
		return report.ParseFormat(f.format)
	case f.output == "-":
		return report.SVG, nil
	}
	return report.FormatOf(f.output)
}
