package cmd_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/cmd"
)

func TestMain(m *testing.M) {
	main := func(check func(cmd.World, int) error) {
		w := cmd.World{Args: os.Args, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}
		status, err := runCommand(w)
		if err == nil {
			err = check(w, status)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = exitInvalid
		}
		os.Exit(status)
	}
	twice := func() { main(runTwins) }
	once := func() { main(func(cmd.World, int) error { return nil }) }
	testscript.Main(suite{m}, map[string]func(){"nixbundle": twice, "patchelf": twice, calledOnce: once})
}

// calledOnce is the name of this program that runs a command line and nothing beside it, as on a terminal.
const calledOnce = "nixbundle-once"

// The scripts in testdata/script: each reads as documentation of one behaviour. They use the small
// real closure in testdata/demo, and need neither Nix nor a network.
func TestScripts(t *testing.T) {
	demo, err := filepath.Abs("../testdata/demo")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:                 "../testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DEMO", demo)
			e.Setenv(answersEnv, os.Getenv(answersEnv))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits STATUS COMMAND...: the command ends with that exit status.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, not %d", got, want)
	}
}

// run runs one command line in this process.
func run(args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	status, err := runCommand(cmd.World{
		Args: append([]string{"nixbundle"}, args...), Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" },
	})
	if err != nil {
		panic(fmt.Sprintf("%q: %v", args, err))
	}
	return out.String(), errs.String(), status
}
