package trial_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/bundle/trial"
)

// A main function hands the command line of Verb to Inside before it does anything else. The program is then
// run in a root that has nothing but the bundle; that takes a Linux which lets its user make namespaces.
func ExampleRun() {
	if len(os.Args) == 3 && os.Args[1] == trial.Verb {
		os.Exit(trial.Inside(os.Args[2]))
	}
	ctx := context.Background()
	v, err := bundle.Verify(ctx, "sensor.tar.zst", bundle.VerifyOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if v.Broken() {
		log.Fatal(v.Findings[0].What)
	}
	result, err := trial.Run(ctx, "sensor.tar.zst", v, trial.Options{
		Args: []string{"--version"}, Limit: 10 * time.Second,
		Stdout: os.Stdout, Stderr: os.Stderr, Look: exec.LookPath,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Program, result)
}
