package cmd

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/bundle"
)

func (a *app) verifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify BUNDLE",
		Short: "Prove that a bundle will run, before it ships",
		Long: `Read a bundle (an archive, or a folder it was unpacked to) and prove that it will run: every entry
is there once and is what the manifest says, to the last byte, and nothing else; links and what
the loader reads lead nowhere else; every program starts as its strategy promises; every need, version
and symbol has its answer. The bundle is not trusted, unpacked or run.

Conflicts that were allowed when the bundle was made are listed and are no findings.
` + exitHelp,
		Example: "  nixbundle verify sensor.tar.zst",
		Args:    exactlyOne,
		RunE:    func(c *cobra.Command, args []string) error { return a.verify(c.Context(), args[0]) },
	}
	a.addJSON(c)
	return c
}

func (a *app) verify(ctx context.Context, name string) error {
	v, err := bundle.Verify(ctx, name, bundle.VerifyOptions{TempDir: os.TempDir()})
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(verificationJSON(name, v))
	} else {
		a.printVerification(name, v)
	}
	if err == nil && v.Broken() {
		err = errFindings
	}
	return err
}

func (a *app) printVerification(name string, v *bundle.Verification) {
	printFindings(a.Stdout, v.Findings)
	if v.Broken() {
		return
	}
	fprintf(a.Stdout, "%s: %s\n", name, strings.Join([]string{
		count(v.Entries, "entry", "entries"), fmt.Sprintf("%.1f MB", float64(v.Bytes)/1e6), count(v.Programs, "program", "programs"),
		count(v.Objects, "object", "objects"), count(v.Needs, "need", "needs"), count(v.References, "reference", "references"),
	}, ", "))
	for _, f := range v.Accepted {
		fprintf(a.Stdout, "allowed: %s: %s\n", f.Name, f.What)
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

func verificationJSON(name string, v *bundle.Verification) any {
	type checked struct {
		Entries    int   `json:"entries"`
		Bytes      int64 `json:"bytes"`
		Programs   int   `json:"programs"`
		Objects    int   `json:"objects"`
		Needs      int   `json:"needs"`
		References int   `json:"references"`
	}
	return struct {
		Bundle   string        `json:"bundle"`
		Findings []findingJSON `json:"findings"`
		Accepted []findingJSON `json:"acceptedFindings"`
		Checked  checked       `json:"checked"`
	}{name, findingList(v.Findings), findingList(v.Accepted), checked{v.Entries, v.Bytes, v.Programs, v.Objects, v.Needs, v.References}}
}
