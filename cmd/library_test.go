package cmd_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const exampleModule = "../testdata/module"

// TestLibraryTopic: the program that the help shows is the one that TestModule builds and runs.
func TestLibraryTopic(t *testing.T) {
	topic, _, status := run("help", "library")
	require.Zero(t, status)
	_, code, found := strings.Cut(topic, "```go\n")
	require.True(t, found)
	code, _, found = strings.Cut(code, "```\n")
	require.True(t, found)
	file, err := os.ReadFile(exampleModule + "/minimal/main.go")
	require.NoError(t, err)
	require.Equal(t, string(file), code)
}

// TestModule: a module of somebody else builds against the library, passes its own tests and does what it should,
// with what the module cache has and nothing from a network.
func TestModule(t *testing.T) {
	require.NoError(t, fs.WalkDir(os.DirFS(exampleModule), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() { // so that go test, which sees what is read here, takes no old result from its cache
			_, err = os.ReadFile(filepath.Join(exampleModule, name))
		}
		return err
	}))
	dir := t.TempDir()
	for _, test := range []struct {
		line   string
		output string // of standard output; "*" is any
		fails  bool
	}{
		{line: "go vet ./..."},
		{line: "go test ./...", output: "*"},
		{line: "go build -o " + dir + " ./..."},
		{line: dir + "/shipcheck ../demo /sensor-conflict/bin/sensor " + dir + "/conflict.tar", fails: true, output: `libprotobuf-c.so.1: same-soname, for 6 references
  kept protobuf-c 1.3.3 by libtflite.so.2
  wanted protobuf-c 1.4.1 by libvision.so.4
`},
		{line: dir + "/shipcheck ../demo /sensor-fixed/bin/sensor " + dir + "/sensor.tar.zst", output: `sensor/bin/sensor starts by stub
6 objects, 10 needs, 161 references: all as in the store
`},
		{line: dir + "/minimal ../demo /sensor-fixed " + dir + "/minimal.tar", output: dir + "/minimal.tar has 13 entries\n"},
		{line: dir + "/minimal ../demo /sensor-conflict " + dir + "/refused.tar", fails: true},
	} {
		args := strings.Fields(test.line)
		c := exec.Command(args[0], args[1:]...)
		c.Dir = exampleModule
		c.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=off")
		var stderr strings.Builder
		c.Stderr = &stderr
		out, err := c.Output()
		require.Equal(t, test.fails, err != nil, "%s: %v\n%s%s", test.line, err, out, &stderr)
		if test.output != "*" {
			require.Equal(t, test.output, string(out), test.line)
		}
	}
	names, err := filepath.Glob(dir + "/*.tar*")
	require.NoError(t, err)
	require.Equal(t, []string{dir + "/minimal.tar", dir + "/sensor.tar.zst"}, names)
	for _, name := range names {
		_, stderr, status := run("verify", name)
		require.Zero(t, status, stderr)
	}
}
