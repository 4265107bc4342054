package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

// bundleFlags are the flags of the verb bundle.
type bundleFlags struct {
	plan   bundle.Options
	follow followFlags
	target targetFlags
	output string
	level  string
	accept string
	dryRun bool
	quiet  bool
}

func (a *app) bundleCommand() *cobra.Command {
	var flags bundleFlags
	c := &cobra.Command{
		Use:   "bundle PROGRAM... -o FILE",
		Short: "Make one archive that runs on a machine without Nix",
		Long: `Pack programs and every library they load into one archive, NAME/bin and NAME/lib, with run paths
relative to the program. A PROGRAM is an ELF file, a wrapper or script of the store, a result
link, or a store path, of which all programs under bin/ are taken. Before anything is written the
planned tree is walked as the loader would, and a bundle that would load anything else than the
original is refused.

FILE ends in .tar.zst, .tar, or a slash for a folder that NAME appears in; - is standard output.
The same input gives the same bytes on any machine; SOURCE_DATE_EPOCH sets the time of the entries.

A wrapper of nixpkgs is read and not run: bin/NAME is then a small sh script that sets up what it
sets up and starts what it starts, with the programs, libraries and data that it names taken
along. Libraries that objects are known to open come along too (.note.dlopen, names and store
paths in objects that call dlopen, plugins of known libraries), and so do those that --open names.
--follow-data adds every file, folder and program that a packed file names, --include what you
name, and --env NAME=VALUE tells the program where it is: %ROOT% in VALUE is the bundle's folder.
What still names the store when all is packed is listed in the manifest, by file and offset; with
--strict such a bundle is refused.

--prefix DIR is for a bundle that is always unpacked to DIR: everything keeps its path below the
store, which is DIR/store there, and every path of the store in programs, libraries, scripts and
data is rewritten to that, in as many bytes (digests are cut to what there is room for). Wrappers,
plugins and compiled-in paths then work as they do in the store. It takes along what --follow-data
does.

--target names the machine that it is for, as nixbundle targets lists them; --target-root reads it
from a real root. What does not fit the pages of a kernel that it comes with is refused; what is
compiled for a later processor than the oldest that it runs on is a warning. 32-bit Raspberry Pi OS
runs on the first Pi too, debian-12 does not.

--interp decides how programs find their loader, ld.so:
  auto      static programs need none; where --target is named and its C library has every version
            that any object asks for, system; else a stub, or a wrapper where no stub can be put in
  system    the target's own, and its C library: the target's glibc must be new enough
  stub      the bundle brings both; a small piece of code in the program starts the packed loader,
            so /proc/self/exe, the process's name and debuggers see the program itself
  wrapper   the bundle brings both; bin/NAME is a small sh script that starts the packed loader
  /a/path   PT_INTERP is that path, for a bundle with a fixed place, say
            /opt/sensor/lib/ld-linux-aarch64.so.1
` + exitHelp,
		Example: "  nixbundle ./result/bin/sensor -o sensor.tar.zst",
		Args:    atLeastOne,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interruptible(c.Context())
			defer stop()
			return a.bundle(ctx, args, flags)
		},
	}
	f := c.Flags()
	f.StringVarP(&flags.output, "output", "o", "", "`FILE` to write: FILE.tar.zst, FILE.tar, FOLDER/, or - for standard output (default NAME.tar.zst)")
	f.StringVar(&flags.plan.Name, "name", "", "`NAME` of the folder inside the archive (default the first program's name)")
	f.StringVar(&flags.plan.Interp, "interp", bundle.Auto, "`HOW` programs find their loader: auto, system, stub, wrapper, or an absolute path")
	flags.target.add(c)
	f.StringVar(&flags.level, "level", "default", "compression `LEVEL`: "+strings.Join(bundle.Levels(), ", "))
	flags.follow.add(c)
	a.addOpens(c)
	f.StringVar(&flags.plan.Prefix, "prefix", "", "`DIR` that the bundle will be unpacked to, such as /opt/sensor: everything in the store keeps its place below it")
	f.BoolVar(&flags.plan.Strict, "strict", false, "refuse a bundle in which anything still leads into the store")
	f.BoolVar(&flags.plan.AllowConflicts, "allow-conflicts", false, "bundle although the loader will mix up copies; the manifest records what")
	f.StringVar(&flags.accept, "accept", "", "`FILE` of accepted conflicts, as the verb conflicts writes it")
	f.BoolVar(&flags.dryRun, "dry-run", false, "print the plan and write nothing")
	f.BoolVarP(&flags.quiet, "quiet", "q", false, "say nothing but errors")
	a.addJSON(c)
	return c
}

func (a *app) bundle(ctx context.Context, args []string, flags bundleFlags) error {
	level, err := bundle.ParseLevel(flags.level)
	if err != nil {
		return usageError{err}
	}
	if flags.plan.Epoch, err = a.epoch(); err != nil {
		return usageError{err}
	}
	if flags.output != "" && flags.output != "-" {
		if _, err := bundle.FormatOf(flags.output); err != nil {
			return usageError{err}
		}
	}
	if a.json && flags.output == "-" && !flags.dryRun {
		return usageError{errors.New("--json and -o -: standard output is the bundle, which has the answer in its manifest")}
	}
	if flags.plan.Accept, err = readAccepted(flags.accept); err != nil {
		return err
	}
	if flags.plan.Target, err = flags.target.target(); err != nil {
		return err
	}
	follow, err := a.follow(&flags.follow)
	if err != nil {
		return err
	}
	if flags.plan.Prefix != "" {
		if len(flags.follow.env) > 0 {
			return usageError{errors.New("--env: with --prefix programs start as they are, without a launcher: set the variable where they are started")}
		}
		follow.Data, follow.Wrappers = true, true
	}
	plan, err := a.plan(args, follow, flags.plan, a.startProgress(ctx, "following", args[0], flags.quiet))
	if err != nil {
		return err
	}
	if flags.dryRun {
		return a.printPlan(plan)
	}
	if flags.output == "" {
		flags.output = plan.Name + ".tar.zst"
	}
	a.collect(100)
	progress := a.startProgress(ctx, "packing", flags.output, flags.quiet)
	summary, err := a.write(ctx, flags.output, plan, bundle.PackOptions{Level: level, Progress: progress.hook()})
	progress.end()
	if err != nil {
		return err
	}
	if !flags.quiet {
		a.sayPlan(plan, flags.output, summary)
	}
	if a.json {
		return a.printJSON(summary.Manifest)
	}
	return nil
}

// plan walks the programs and plans their bundle, proven; until then the line of progress stands.
func (a *app) plan(args []string, follow closure.Follow, opts bundle.Options, line *progress) (*bundle.Plan, error) {
	defer line.end()
	c, err := a.gather(args, follow)
	if err != nil {
		return nil, err
	}
	plan, err := bundle.NewPlan(c, opts)
	var conflict *bundle.ConflictError
	if errors.As(err, &conflict) {
		line.end()
		printFindings(a.Stderr, conflict.Findings)
	}
	if err != nil {
		return nil, err
	}
	return plan, plan.Prove()
}

// write packs a plan to a file, a folder or standard output.
func (a *app) write(ctx context.Context, output string, plan *bundle.Plan, opts bundle.PackOptions) (*bundle.Summary, error) {
	if output != "-" {
		return bundle.Create(ctx, output, plan, opts)
	}
	if terminalOf(a.rawOut) != nil {
		return nil, usageError{errors.New("standard output is a terminal: redirect it, or name a file with -o")}
	}
	return bundle.Pack(ctx, a.rawOut, plan, opts)
}

// epoch is SOURCE_DATE_EPOCH, 0 when it is not set
// (reproducible-builds.org, "SOURCE_DATE_EPOCH specification").
func (a *app) epoch() (int64, error) {
	text := a.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("SOURCE_DATE_EPOCH is %q: it must be seconds since 1970", text)
	}
	return n, nil
}

// sayPlan tells what was decided and written.
func (a *app) sayPlan(plan *bundle.Plan, output string, s *bundle.Summary) {
	for _, p := range plan.Programs {
		a.tell("%s: interpreter %s: %s", inkName.of(p.Entry), p.Strategy, p.Reason)
	}
	for _, n := range plan.Notes {
		a.tell("%s", n)
	}
	for _, w := range plan.Warnings {
		a.tell("%s", w)
	}
	for _, f := range plan.Accepted {
		a.tell("%s %s: %s", inkWarning.of("allowed:"), f.Name, closure.Behind(f.Name, f.What))
	}
	a.sayResidue(s.Manifest.Residue)
	a.tell("%s: %d entries, %s unpacked, %s packed", inkName.of(output), s.Entries,
		inkNumber.of(bytesText(s.Unpacked)), inkNumber.of(bytesText(s.Packed)))
}

// sayResidue tells what in the bundle still leads into the store; the manifest has all of it.
func (a *app) sayResidue(residue []bundle.Residue) {
	const shown = 5
	n := 0
	for i := range residue {
		if r := &residue[i]; r.Matters() {
			if n++; n <= shown {
				a.tell("%s", r.String())
			}
		}
	}
	if n > shown {
		a.tell("and %d more paths of the store that lead nowhere without it: nixbundle inspect --json tells all", n-shown)
	}
}

// bytesText is a size for a reader.
func bytesText(n int64) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%d MB", (n+500_000)/1_000_000)
	case n >= 100_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d bytes", n)
}

// printPlan prints a plan: the plan is the explanation.
func (a *app) printPlan(plan *bundle.Plan) error {
	if a.json {
		return a.printJSON(newPlanJSON(plan))
	}
	for _, p := range plan.Programs {
		fprintf(a.Stdout, "program %s: interpreter %s: %s\n", inkName.of(p.Entry), p.Strategy, p.Reason)
	}
	for i := range plan.Entries {
		printEntry(a.Stdout, &plan.Entries[i])
	}
	for _, n := range plan.Notes {
		fprintf(a.Stdout, "%s %s\n", inkNote.of("note:"), n)
	}
	for _, w := range plan.Warnings {
		fprintf(a.Stdout, "%s %s\n", inkWarning.of("warning:"), w)
	}
	return nil
}

func printEntry(w io.Writer, e *bundle.Entry) {
	switch {
	case e.Mode.IsDir():
		fprintf(w, "%s/\n", e.Path)
	case e.Link != "":
		fprintf(w, "%s -> %s\n", e.Path, e.Link)
	case e.Object == nil:
		fprintf(w, "%s: made by nixbundle, %d bytes\n", e.Path, len(e.Data))
	default:
		fprintf(w, "%s: from %s\n", e.Path, e.Object.Path)
		for _, c := range e.Changes() {
			fprintf(w, "    %s: %s -> %s\n", c.What, orNone(c.From), orNone(c.To))
		}
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
