package elfpatch_test

import (
	"os"
	"os/exec"
	"testing"
)

// needTool is the path of a program. Where it is not installed the test ends: skipped, or failed in
// CI, which installs all of them.
func needTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return path
}
