// Package cmd is nixbundle's command line: flags in, text and exit status out.
//
// [Run] is the whole program as a function of its [World], so that tests call it without a
// process. Every verb binds its flags to a struct, calls the library and prints; nothing here
// decides what a library caller could not. This is the one place that reads the environment.
//
// The package does not hold logic of ELF files, of the loader, or of archives.
package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/bundle/trial"
	"github.com/nixbundle/nixbundle/closure"
)

// World is what the command line touches: arguments (the program's own name first), streams and
// environment.
type World struct {
	Args   []string
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
}

// Run runs one command line and returns its exit status: 0 done, 1 failed, 2 wrong usage,
// 3 findings. When ctx ends the command stops and leaves nothing half-written.
func Run(ctx context.Context, w World) int {
	if len(w.Args) == 3 && w.Args[1] == trial.Verb {
		return trial.Inside(w.Args[2])
	}
	out := bufio.NewWriter(w.Stdout)
	a := &app{World: w, rawOut: w.Stdout, rawErr: w.Stderr, color: colorAuto}
	a.Stdout, a.Stderr = a.newPage(out, w.Stdout), a.newPage(w.Stderr, w.Stderr)
	err := a.run(ctx)
	if flushed := out.Flush(); err == nil && flushed != nil {
		err = fmt.Errorf("standard output: %w", flushed)
	}
	return a.exit(err)
}

// run runs the command line: patchelf's where the program is called so, and else ours.
func (a *app) run(ctx context.Context) error {
	if isPatchelf(a.Args) {
		return a.runPatchelf(ctx, a.Args[0], a.Args[1:])
	}
	root := a.command()
	root.SetArgs(a.Args[1:])
	return root.ExecuteContext(ctx)
}

// interruptible ends a context when the user stops the program. Only verbs that leave something
// behind ask for it: listening takes threads of its own.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// app is one run.
type app struct {
	World
	rawOut  io.Writer // standard output, for a bundle; Stdout is a page that goes there through a buffer
	rawErr  io.Writer // standard error, for who is given the stream itself; Stderr is a page that goes there
	rootDir string    // --root
	color   colorMode // --color
	json    bool      // --json
	given   closure.Options
	opens   []string // --open
	refs    string   // --references
}

const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitFindings = 3
)

// exitHelp ends the help of every verb.
const exitHelp = `
Exit status: 0 done, 1 failed, 2 wrong usage, 3 findings.`

// errFindings ends a verb that has printed its findings: exit status 3 and no more words.
var errFindings = errors.New("findings")

// usageError is a command line that makes no sense.
type usageError struct{ error }

// exit is the one place that turns an error into speech and an exit status.
func (a *app) exit(err error) int {
	var usage usageError
	var option *bundle.OptionError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFindings):
		return exitFindings
	case errors.Is(err, errSpoken):
		return exitFailed
	case errors.As(err, &usage), errors.As(err, &option):
		a.say(err)
		return exitUsage
	case errors.Is(err, context.Canceled):
		a.say(errors.New("interrupted"))
		return exitFailed
	}
	a.say(err)
	if isFinding(err) {
		return exitFindings
	}
	return exitFailed
}

// verbs make the verbs, by their names.
var verbs = map[string]func(*app) *cobra.Command{
	"bundle": (*app).bundleCommand, "verify": (*app).verifyCommand, "inspect": (*app).inspectCommand, "targets": (*app).targetsCommand,
	"learn": (*app).learnCommand, "conflicts": (*app).conflictsCommand, "graph": (*app).graphCommand, "tree": (*app).treeCommand,
	"ldd": (*app).lddCommand, "why": (*app).whyCommand, "bindings": (*app).bindingsCommand, "size": (*app).sizeCommand,
	"completion": (*app).completionCommand, "patchelf": (*app).patchelfCommand, "schema": (*app).schemaCommand,
}

// command builds the tree of verbs. The root is the verb bundle. Where the command line begins with a verb the tree
// is that one alone: to define the flags of all takes as long as a link map.
func (a *app) command() *cobra.Command {
	if len(a.Args) > 1 && verbs[a.Args[1]] != nil {
		root := a.asRoot(&cobra.Command{})
		root.AddCommand(verbs[a.Args[1]](a))
		return root
	}
	root := a.asRoot(a.bundleCommand())
	run := root.RunE
	root.RunE = func(c *cobra.Command, args []string) error { return noVerb(root, args[0], run(c, args)) }
	for _, verb := range verbs {
		root.AddCommand(verb(a))
	}
	addTopics(root)
	if len(a.Args) > 1 && (a.Args[1] == cobra.ShellCompRequestCmd || a.Args[1] == cobra.ShellCompNoDescRequestCmd) {
		a.complete(root)
	}
	return root
}

// asRoot makes a command the root of the tree.
func (a *app) asRoot(root *cobra.Command) *cobra.Command {
	root.Use = "nixbundle PROGRAM... -o FILE"
	root.Version = version()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&a.rootDir, "root", "/", "`DIR` that holds nix/store: programs and all files are looked up inside it")
	root.PersistentFlags().Var(&a.color, "color", "colours: auto (where a terminal reads and NO_COLOR is not set), always or never")
	a.addHelp(root)
	return root
}

// version is the module version of this build.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// atLeastOne refuses a verb without programs.
func atLeastOne(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{errors.New("name a program: " + c.UseLine())}
	}
	return nil
}

// exactlyOne refuses a verb with any other number of arguments.
func exactlyOne(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{errors.New("name one file: " + c.UseLine())}
	}
	return nil
}

// addJSON gives a verb that answers its --json.
func (a *app) addJSON(c *cobra.Command) {
	c.Flags().BoolVar(&a.json, "json", false, "answer as JSON (nixbundle help json)")
}

// collect sets how much garbage may pile up, in percent of what is in use, unless GOGC says it.
func (a *app) collect(percent int) {
	if a.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// walk walks the programs that the command line names.
func (a *app) walk(args []string) (fs.FS, *closure.Closure, error) {
	root, programs, err := a.open(args)
	if err != nil {
		return nil, nil, err
	}
	c, err := closure.Walk(root, programs, a.given)
	if err != nil {
		return nil, nil, err
	}
	return root, c, a.checkOpened(c)
}

// gather walks them with all that they are known to use.
func (a *app) gather(args []string, follow closure.Follow) (*closure.Closure, error) {
	root, programs, err := a.open(args)
	if err != nil {
		return nil, err
	}
	c, err := closure.Gather(root, programs, a.given, follow)
	if err != nil {
		return nil, err
	}
	return c, a.checkOpened(c)
}

// open opens the root and finds the programs in it. What is read from it is kept, so that there is little
// garbage to look for until a bundle is packed.
func (a *app) open(args []string) (fs.FS, []string, error) {
	a.collect(800)
	root, err := closure.OpenRoot(a.rootDir)
	if err != nil {
		return nil, nil, err
	}
	programs, err := a.programs(root, args)
	if err != nil {
		return nil, nil, err
	}
	a.given.Opened, err = a.opened()
	return root, programs, err
}
