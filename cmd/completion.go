package cmd

import (
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/report"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []cobra.Completion{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the script that completes command lines in bash, zsh or fish",
		Long: `Print the script with which a shell completes nixbundle's command lines: verbs, flags and what
they take, programs inside --root, names that a program loads. "make install" puts the scripts
where the shells look for them.
` + exitHelp,
		Example: "  source <(nixbundle completion bash)\n" +
			"  nixbundle completion zsh >~/.zfunc/_nixbundle     (a folder of $fpath, before compinit)\n" +
			"  nixbundle completion fish >~/.config/fish/completions/nixbundle.fish",
		ValidArgsFunction: cobra.FixedCompletions(shells, cobra.ShellCompDirectiveNoFileComp),
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return usageError{errors.New("name a shell, bash, zsh or fish: " + c.UseLine())}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return c.Root().GenBashCompletionV2(a.Stdout, true)
			case "zsh":
				return c.Root().GenZshCompletion(a.Stdout)
			}
			return c.Root().GenFishCompletion(a.Stdout, true)
		},
	}
}

// completer gives what a word of a command line may become, and what the shell is to add to that.
type completer = cobra.CompletionFunc

// complete gives a verb, and those below it, what completes their arguments and the values of their flags.
func (a *app) complete(c *cobra.Command) {
	if f, ok := a.argumentCompleters()[c.Name()]; ok && c.ValidArgsFunction == nil {
		c.ValidArgsFunction = f
	}
	for name, f := range a.flagCompleters() {
		if c.LocalFlags().Lookup(name) != nil {
			_ = c.RegisterFlagCompletionFunc(name, f) // fails for a flag that is not there, or has one
		}
	}
	for _, below := range c.Commands() {
		a.complete(below)
	}
}

// argumentCompleters complete the arguments of verbs.
func (a *app) argumentCompleters() map[string]completer {
	programs := func(_ *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.filesInRoot(word)
	}
	return map[string]completer{
		"nixbundle": programs, "bundle": programs, "conflicts": programs, "ldd": programs, "tree": programs,
		"size": programs, "bindings": programs, "inspect": programs, "graph": programs,
		"schema": cobra.FixedCompletions(schemaNames(), cobra.ShellCompDirectiveNoFileComp),
		"why": func(_ *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return a.filesInRoot(word)
			case 1:
				return a.loadedNames(args, word)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		"learn": func(_ *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return nil, cobra.ShellCompDirectiveDefault // the log
			}
			return a.filesInRoot(word)
		},
		"verify": func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return []cobra.Completion{"tar.zst", "tar"}, cobra.ShellCompDirectiveFilterFileExt
			}
			return nil, cobra.ShellCompDirectiveDefault // of the program that is run
		},
		"patchelf": func(_ *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var flags []cobra.Completion
			for _, f := range patchelfFlags {
				if word != "" && strings.HasPrefix(f.name, word) {
					flags = append(flags, cobra.CompletionWithDesc(f.name, f.help))
				}
			}
			return flags, cobra.ShellCompDirectiveDefault
		},
		"targets": cobra.NoFileCompletions,
	}
}

// flagCompleters complete the values of flags, each the same on every verb that has it.
func (a *app) flagCompleters() map[string]completer {
	fixed := func(words ...string) completer {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	folders := cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	extensions := func(list ...string) completer {
		return cobra.FixedCompletions(list, cobra.ShellCompDirectiveFilterFileExt)
	}
	output := func(c *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if c.Name() == "graph" {
			return []cobra.Completion{"svg", "html", "dot", "gv", "mmd"}, cobra.ShellCompDirectiveFilterFileExt
		}
		return []cobra.Completion{"tar.zst", "tar"}, cobra.ShellCompDirectiveFilterFileExt
	}
	names := func(_ *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.loadedNames(args, word)
	}
	inRoot := func(_ *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.filesInRoot(word)
	}
	return map[string]completer{
		"color": fixed(string(colorAuto), string(colorAlways), string(colorNever)),
		"level": fixed(bundle.Levels()...), "by": fixed("object", "store-path", "dominator"),
		"format": fixed(graphFormats()...),
		"interp": fixed(bundle.Auto, string(bundle.StrategySystem), string(bundle.StrategyStub), string(bundle.StrategyWrapper)),
		"target": fixed(targetNames()...), "plugins": fixed(pluginNames()...), "page-size": fixed("4096", "16384", "65536"),
		"root": folders, "target-root": folders, "prefix": folders,
		"output": output, "accept": extensions("json"), "references": extensions("json"),
		"from": names, "to": names, "open": inRoot, "include": inRoot, "preload": inRoot,
		"name": cobra.NoFileCompletions, "reason": cobra.NoFileCompletions, "env": cobra.NoFileCompletions, "limit": cobra.NoFileCompletions,
		"symbol": cobra.NoFileCompletions, "time-limit": cobra.NoFileCompletions, "program": cobra.NoFileCompletions,
		"hwcaps": fixed("x86-64-v2", "x86-64-v3", "x86-64-v4"),
	}
}

func targetNames() []string {
	var names []string
	for _, t := range bundle.Targets() {
		names = append(names, t.Name)
	}
	return names
}

func graphFormats() []string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, string(f))
	}
	return names
}

func schemaNames() []string {
	all, _ := schema.All() // of none that cannot be read
	var names []string
	for _, s := range all {
		names = append(names, cobra.CompletionWithDesc(s.Name, s.Title))
	}
	return names
}

// pluginNames are the rules that --plugins takes, each with what its plugins are.
func pluginNames() []string {
	var names []string
	for _, r := range closure.PluginRules() {
		if r.Use != closure.PluginHost {
			names = append(names, cobra.CompletionWithDesc(r.Name, r.What))
		}
	}
	return names
}

// filesInRoot completes a path inside --root: folders, and files that can be run or loaded. Without --root
// the shell knows its files best.
func (a *app) filesInRoot(word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if filepath.Clean(a.rootDir) == "/" {
		return nil, cobra.ShellCompDirectiveDefault
	}
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	root, err := closure.OpenRoot(a.rootDir)
	if err != nil {
		return nil, directive
	}
	dir, base := path.Split(word)
	entries, _ := closure.ReadDir(root, dir) // of a folder that is not there nothing is known
	var list []cobra.Completion
	for _, e := range entries {
		name := dir + e.Name()
		info, err := e.Info()
		switch {
		case err != nil || !strings.HasPrefix(e.Name(), base) || !isPlainWord(name):
		case e.IsDir():
			list = append(list, name+"/")
		case info.Mode().IsRegular() && (info.Mode()&0o111 != 0 || strings.Contains(name, ".so")):
			list = append(list, name)
		}
	}
	if len(list) == 1 && !strings.HasSuffix(list[0], "/") {
		return list, cobra.ShellCompDirectiveNoFileComp // and a space
	}
	return list, directive
}

// loadedNames completes the name of an object that programs load.
func (a *app) loadedNames(programs []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	if len(programs) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	_, c, err := a.walk(programs)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, m := range c.LinkMaps {
		for _, l := range m.Loaded {
			if name := path.Base(l.Path); strings.HasPrefix(name, word) && isPlainWord(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}

// isPlainWord reports whether a name means itself in every shell: what a file is called is not run.
func isPlainWord(name string) bool {
	return strings.Trim(name, "/._+@%,=-"+
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}
