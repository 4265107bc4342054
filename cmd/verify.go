package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/bundle/trial"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

// verifyFlags are the flags of the verb verify.
type verifyFlags struct {
	run      bool
	program  string
	target   targetFlags
	pageSize int
	limit    time.Duration
	quiet    bool
}

func (a *app) verifyCommand() *cobra.Command {
	var flags verifyFlags
	c := &cobra.Command{
		Use:   "verify BUNDLE [--run [-- ARG...]]",
		Short: "Prove that a bundle will run, before it ships",
		Long: `Read a bundle (an archive, or a folder it was unpacked to) and prove that it will run: every entry
is there once and is what the manifest says, to the last byte, and nothing else; links and what
the loader reads lead nowhere else; every program starts as its strategy promises; every need,
version and symbol has its answer. The bundle is not trusted, unpacked or run.

Conflicts that stood in the programs when the bundle was made are listed and are no findings, but
for what no program starts with.

--target and --target-root name the machine: its page sizes and its processor must do, and a
program that uses the target's own C library must find there all that it asks for. Without one,
that of the target that the bundle was made for counts; where none was named either, the oldest
known target that has all that is asked for is named.

--run runs a program too, if nothing is wrong: in an empty root, or with --target-root in that
one, which is not changed; without a network; for another machine in qemu-user (qemu-ARCH-static).
It takes a Linux that lets you make user namespaces, and leaves nothing behind. A program that is
started by a launcher, or uses the target's own C library, needs a root that has those.
` + exitHelp,
		Example: "  nixbundle verify sensor.tar.zst\n" +
			"  nixbundle verify sensor.tar.zst --run --target-root ./bookworm -- --version",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 1 && !flags.run {
				return exactlyOne(c, args)
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			return a.verify(ctx, args[0], args[1:], flags)
		},
	}
	f := c.Flags()
	f.BoolVar(&flags.run, "run", false, "run the program too, with the arguments behind BUNDLE")
	f.StringVar(&flags.program, "program", "", "the `ENTRY` to run, such as sensor/bin/sensor (default the first program)")
	flags.target.add(c)
	f.IntVar(&flags.pageSize, "page-size", 0, "the machine's pages have `N` bytes, such as 16384 on a Pi 5; --run then takes qemu (default the target's)")
	f.BoolVarP(&flags.quiet, "quiet", "q", false, "say nothing but what is wrong")
	f.DurationVar(&flags.limit, "time-limit", 0, "end the program after this `TIME`, such as 10s (default never)")
	a.addJSON(c)
	return c
}

func (a *app) verify(ctx context.Context, name string, args []string, flags verifyFlags) error {
	opts, err := flags.options()
	if err != nil {
		return err
	}
	progress := a.startProgress(ctx, "verifying", name, flags.quiet)
	opts.Progress = progress.hook()
	v, err := bundle.Verify(ctx, name, opts)
	progress.end()
	if err != nil {
		return err
	}
	var result *trial.Result
	if flags.run && !v.Broken() {
		if result, err = a.runBundle(ctx, name, args, v, flags); err != nil {
			return err
		}
	}
	if a.json {
		err = a.printJSON(newVerifyJSON(name, v, result))
	} else {
		printFindings(a.Stdout, v.Findings)
		if !v.Broken() && !flags.quiet {
			a.printVerification(name, v, result)
		}
	}
	if err == nil && (v.Broken() || result != nil && !result.OK()) {
		err = errFindings
	}
	return err
}

// options are those of the proof.
func (f *verifyFlags) options() (opts bundle.VerifyOptions, err error) {
	opts.TempDir = os.TempDir()
	switch {
	case f.pageSize < 0 || f.pageSize&(f.pageSize-1) != 0 || f.pageSize > 0 && f.pageSize < 4096:
		return opts, usageError{fmt.Errorf("--page-size %d: it is a power of two from 4096 on", f.pageSize)}
	case f.pageSize > 0:
		opts.PageSizes = []uint64{uint64(f.pageSize)}
	}
	var noLibc *bundle.OptionError // a root may have none, where bundles bring their own
	if opts.Target, err = f.target.target(); err != nil && (f.target.root == "" || !errors.As(err, &noLibc)) {
		return opts, err
	}
	if f.target.root != "" {
		opts.Root, err = closure.OpenRoot(f.target.root)
	}
	return opts, err
}

// runBundle runs a program of a bundle that was proven. What it prints is the answer, but with --json.
func (a *app) runBundle(ctx context.Context, name string, args []string, v *bundle.Verification, flags verifyFlags) (*trial.Result, error) {
	out := a.rawOut
	if a.json {
		out = a.rawErr
	}
	r, err := trial.Run(ctx, name, v, trial.Options{
		Program: flags.program, Args: args, Root: flags.target.root, PageSize: flags.pageSize, Limit: flags.limit,
		Stdin: os.Stdin, Stdout: out, Stderr: a.rawErr, Look: exec.LookPath,
	})
	if r != nil && !r.OK() {
		v.Findings = append(v.Findings, closure.Finding{
			Kind: bundle.KindRun, Severity: closure.Error, Program: r.Program, Name: r.Program, What: r.Program + " " + r.String(),
		})
	}
	return r, err
}

// printVerification prints what was looked at in a bundle that is not broken.
func (a *app) printVerification(name string, v *bundle.Verification, r *trial.Result) {
	fprintf(a.Stdout, "%s: %s in %s\n", name, inkGood.of("nothing wrong"), strings.Join([]string{
		count(v.Entries, "entry", "entries"), fmt.Sprintf("%.1f MB", float64(v.Bytes)/1e6), count(v.Programs, "program", "programs"),
		count(v.Objects, "object", "objects"), count(v.Needs, "need", "needs"), count(v.References, "reference", "references"),
	}, ", "))
	if len(v.Fits) > 0 {
		fprintf(a.Stdout, "%s: uses the target's own C library, and no target is named: from %s on\n", name, v.Fits[0])
	}
	if at := v.Manifest.Prefix; at != "" {
		fprintf(a.Stdout, "%s: runs at %s and nowhere else\n", name, at)
	}
	if v.Naming > 0 {
		fprintf(a.Stdout, "%s: %s still %s the store, %s\n", name, count(v.Naming, "file", "files"), oneOrMore(v.Naming, "names", "name"), looking(v.Looking))
	}
	if r != nil {
		fprintf(a.Stdout, "%s: %s %s\n", name, r.Program, r.String())
	}
	for _, f := range v.Accepted {
		printRecorded(a.Stdout, f.Name, f.What, v.Kept(&f))
	}
}

// printRecorded prints a finding that the manifest records: one that somebody allowed, or that was kept since it refuses
// no bundle.
func printRecorded(w io.Writer, name, what string, kept bool) {
	state := "allowed:"
	if kept {
		state = "kept:"
	}
	fprintf(w, "%s %s: %s\n", inkWarning.of(state), name, closure.Behind(name, what))
}

// looking says how many files may look for what they name in the store.
func looking(n int) string {
	if n == 0 {
		return "and nothing looks there"
	}
	return fmt.Sprintf("and %s may look there", oneOrMore(n, "one", fmt.Sprint(n)))
}

func oneOrMore(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

type verifyJSON struct {
	answer
	Bundle   string        `json:"bundle"`
	Findings []findingJSON `json:"findings"`
	Accepted []findingJSON `json:"acceptedFindings"`
	Fits     []string      `json:"fits"` // the oldest known target that has all that is asked of it
	Checked  checkedJSON   `json:"checked"`
	Run      *runJSON      `json:"run,omitempty"`
}

type checkedJSON struct {
	Entries    int   `json:"entries"`
	Bytes      int64 `json:"bytes"`
	Programs   int   `json:"programs"`
	Objects    int   `json:"objects"`
	Needs      int   `json:"needs"`
	References int   `json:"references"`
	Naming     int   `json:"namesStore"`    // files in which paths of the store still stand
	Looking    int   `json:"looksForStore"` // those that may look for what is named there
}

type runJSON struct {
	Program  string `json:"program"`
	Status   int    `json:"status"`
	Signal   string `json:"signal,omitempty"`
	TimedOut bool   `json:"timedOut,omitempty"`
}

func newVerifyJSON(name string, v *bundle.Verification, r *trial.Result) verifyJSON {
	j := verifyJSON{
		answer: answer{schema.Verify}, Bundle: name, Findings: findingsJSON(v.Findings), Accepted: findingsJSON(v.Accepted),
		Fits:    append([]string{}, v.Fits...),
		Checked: checkedJSON{v.Entries, v.Bytes, v.Programs, v.Objects, v.Needs, v.References, v.Naming, v.Looking},
	}
	if r != nil {
		j.Run = &runJSON{r.Program, r.Status, r.Signal, r.TimedOut}
	}
	return j
}
