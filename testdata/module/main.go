// Shipcheck is what a release script may do with the library: it bundles a program and proves the bundle, and
// where the loader would mix up two copies of a library it names both, and who brought them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// errClash says that there is no bundle, for the reasons that were printed.
var errClash = errors.New("not shipped")

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: shipcheck ROOT PROGRAM OUTPUT")
		os.Exit(2)
	}
	if err := ship(context.Background(), os.Stdout, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "shipcheck:", err)
		os.Exit(1)
	}
}

// ship bundles a program of the file system in dir, or prints what stands against it.
func ship(ctx context.Context, w io.Writer, dir, name, output string) error {
	root, err := closure.OpenRoot(dir)
	if err != nil {
		return err
	}
	programs, err := closure.Programs(root, name, closure.Options{})
	if err != nil {
		return err
	}
	c, err := closure.Gather(root, programs, closure.Options{}, closure.Follow{})
	if err != nil {
		return err
	}
	if err := sound(c); err != nil {
		return err
	}
	plan, err := bundle.NewPlan(c, bundle.Options{})
	var conflict *bundle.ConflictError
	if errors.As(err, &conflict) {
		for _, f := range conflict.Findings {
			explain(w, c, f)
		}
		return errClash
	}
	if err != nil {
		return err
	}
	if err := plan.Prove(); err != nil {
		return err
	}
	if _, err := bundle.Create(ctx, output, plan, bundle.PackOptions{}); err != nil {
		return err
	}
	return proven(ctx, w, output)
}

// sound holds each file against what kernel and loader want of one.
func sound(c *closure.Closure) error {
	for _, o := range c.Objects {
		f, err := o.Open()
		if err != nil {
			return err
		}
		defects, err := elfpatch.Check(f, o.Size)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", o.Path, err)
		}
		if len(defects) > 0 {
			return fmt.Errorf("%s: %w", o.Path, defects[0])
		}
	}
	return nil
}

// explain prints a finding: each copy, and by whom it came.
func explain(w io.Writer, c *closure.Closure, f closure.Finding) {
	fmt.Fprintf(w, "%s: %s, for %d references\n", f.Name, f.Kind, f.References)
	for _, file := range f.Copies {
		state := "wanted"
		if file.Kept {
			state = "kept"
		}
		version := file.Path
		if sp, _, ok := closure.ParseStorePath(c.StoreDir, file.Path); ok {
			version = sp.Package() + " " + sp.Version()
		}
		for _, chain := range file.Chains {
			by := chain[len(chain)-1].From
			fmt.Fprintf(w, "  %s %s by %s\n", state, version, path.Base(by.Path))
		}
	}
}

// proven reads the bundle back, as somebody who trusts nothing in it.
func proven(ctx context.Context, w io.Writer, output string) error {
	v, err := bundle.Verify(ctx, output, bundle.VerifyOptions{})
	if err != nil {
		return err
	}
	for _, f := range v.Findings {
		fmt.Fprintf(w, "%s: %s\n", f.Severity, f.What)
	}
	if v.Broken() {
		return errClash
	}
	for _, p := range v.Manifest.Programs {
		fmt.Fprintf(w, "%s starts by %s\n", p.Entry, p.Strategy)
	}
	fmt.Fprintf(w, "%d objects, %d needs, %d references: all as in the store\n", v.Objects, v.Needs, v.References)
	return nil
}
