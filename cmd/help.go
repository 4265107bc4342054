package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// The help. That of the root is one screen for who is new: what to run first, all verbs, all topics. What a
// bundle is and all that can be asked for one tells the verb bundle, which the root is without a verb.

const rootHelp = `nixbundle makes one archive of a program that Nix built, which runs on a machine without Nix,
and names what the dynamic loader will mix up before it ships.

  nixbundle conflicts ./result/bin/sensor               what the loader will mix up
  nixbundle ./result/bin/sensor -o sensor.tar.zst       the archive
  nixbundle verify sensor.tar.zst                       proof that it will run
`

// rootTail ends it.
const rootTail = `
Without a verb it is nixbundle bundle: nixbundle bundle --help tells all its flags, and
nixbundle VERB --help those of the others. Exit status of every verb:
0 done, 1 failed, 2 wrong usage, 3 findings.`

// verbGroups are the verbs by what they are for, what one needs first in front.
var verbGroups = []struct {
	title string
	verbs []string
}{
	{"Make a bundle:", []string{"bundle", "verify", "inspect", "targets", "learn"}},
	{"See what the loader does:", []string{"conflicts", "graph", "tree", "ldd", "why", "bindings", "size"}},
}

// otherVerbs is the title of those that are in none.
const otherVerbs = "And:"

// addHelp gives the root and all below it their help.
func (a *app) addHelp(root *cobra.Command) {
	root.SetHelpCommand(helpCommand())
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		describe(c)
		if c == root {
			a.printRootHelp(root)
		} else {
			a.printHelp(c)
		}
	})
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB|TOPIC]",
		Short: "Print the help of a verb, or a topic",
		Long:  "Print the help of a verb, or a topic; nixbundle help topics lists these.",
		ValidArgsFunction: func(c *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, below := range c.Root().Commands() {
				if len(args) == 0 && !below.Hidden && strings.HasPrefix(below.Name(), word) {
					describe(below)
					names = append(names, cobra.CompletionWithDesc(below.Name(), below.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			about := c.Root()
			if len(args) > 0 {
				i := slices.IndexFunc(about.Commands(), func(below *cobra.Command) bool { return below.Name() == args[0] })
				if i < 0 || len(args) > 1 {
					return usageError{fmt.Errorf("no verb and no topic is called %s", strings.Join(args, " "))}
				}
				about = about.Commands()[i]
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
	}
}

// printRootHelp prints the first screen.
func (a *app) printRootHelp(root *cobra.Command) {
	w := a.Stdout
	fprintf(w, "%s\n", inkName.of("Usage:"))
	fprintf(w, "  %s\n  nixbundle VERB ...\n\n", root.UseLine())
	fmt.Fprint(w, rootHelp)
	listed := map[string]bool{}
	for _, g := range verbGroups {
		var verbs []*cobra.Command
		for _, name := range g.verbs {
			if c, _, err := root.Find([]string{name}); err == nil && c != root {
				verbs, listed[name] = append(verbs, c), true
			}
		}
		a.printNames(g.title, verbs)
	}
	var others, topics []*cobra.Command
	for _, c := range root.Commands() {
		switch {
		case c.IsAdditionalHelpTopicCommand():
			describe(c)
			topics = append(topics, c)
		case c.IsAvailableCommand() && !listed[c.Name()]:
			others = append(others, c)
		}
	}
	a.printNames(otherVerbs, others)
	a.printNames("Topics, each with nixbundle help TOPIC:", topics)
	a.printFlags("Flags of every verb:", root.PersistentFlags().FlagUsagesWrapped(a.columns()))
	fmt.Fprintln(w, rootTail)
}

// printNames prints what verbs and topics are called, and what they tell.
func (a *app) printNames(title string, list []*cobra.Command) {
	if len(list) == 0 {
		return
	}
	fprintf(a.Stdout, "\n%s\n", inkName.of(title))
	for _, c := range list {
		fprintf(a.Stdout, "  %s%s%s\n", c.Name(), strings.Repeat(" ", max(1, 16-len(c.Name()))), c.Short)
	}
}

func (a *app) printFlags(title, flags string) {
	if flags != "" {
		fprintf(a.Stdout, "\n%s\n", inkName.of(title))
		fmt.Fprint(a.Stdout, flags)
	}
}

// printHelp prints the help of one verb, or a topic, which is nothing but its text.
func (a *app) printHelp(c *cobra.Command) {
	w := a.Stdout
	fmt.Fprintln(w, strings.TrimSpace(c.Long))
	if !c.Runnable() {
		return
	}
	fprintf(w, "\n%s\n", inkName.of("Usage:"))
	fprintf(w, "  %s\n", c.UseLine())
	if c.HasExample() {
		fprintf(w, "\n%s\n", inkName.of("Examples:"))
		fmt.Fprintln(w, c.Example)
	}
	if c.DisableFlagParsing {
		return // it has a help of its own
	}
	a.printFlags("Flags:", c.LocalNonPersistentFlags().FlagUsagesWrapped(a.columns()))
	a.printFlags("Flags of every verb:", c.Root().PersistentFlags().FlagUsagesWrapped(a.columns()))
}

// columns is how wide the help is: as the terminal, within what can be read well, and else the same
// everywhere.
func (a *app) columns() int {
	const least, most = 60, 100
	if f := terminalOf(a.rawOut); f != nil {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return min(max(width, least), most)
		}
	}
	return most
}
