// Command nixbundle makes one archive of a program that Nix built, for machines without Nix.
package main

import (
	"context"
	"os"

	"github.com/nixbundle/nixbundle/cmd"
)

func main() {
	os.Exit(cmd.Run(context.Background(), cmd.World{Args: os.Args, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}))
}
