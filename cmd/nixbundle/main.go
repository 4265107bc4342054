// Command nixbundle makes one archive of a program that Nix built, for machines without Nix.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/nixbundle/nixbundle/cmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(cmd.Run(ctx, cmd.World{Args: os.Args, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}))
}
