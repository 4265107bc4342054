// Minimal makes a bundle of a program, or says why there is none.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: minimal ROOT PROGRAM OUTPUT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "minimal:", err)
		os.Exit(1)
	}
}

func run(dir, name, output string) error {
	root, err := closure.OpenRoot(dir) // "/" is this machine
	if err != nil {
		return err
	}
	// A file, a folder with programs in bin/, or a link such as result.
	programs, err := closure.Programs(root, name, closure.Options{})
	if err != nil {
		return err
	}
	// What they load, open, start and read.
	c, err := closure.Gather(root, programs, closure.Options{}, closure.Follow{})
	if err != nil {
		return err
	}
	plan, err := bundle.NewPlan(c, bundle.Options{}) // refuses what the loader would mix up
	if err != nil {
		return err
	}
	if err := plan.Prove(); err != nil { // the planned tree loads and binds as the store does
		return err
	}
	summary, err := bundle.Create(context.Background(), output, plan, bundle.PackOptions{})
	if err != nil {
		return err
	}
	fmt.Println(output, "has", summary.Entries, "entries")
	return nil
}
