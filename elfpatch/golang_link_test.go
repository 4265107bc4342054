package elfpatch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

// Go's own linker puts the section headers right behind the program headers: they make room for one more.
func TestApplyGo(t *testing.T) {
	needTool(t, "go")
	c := toolchain{name: "go", compiler: "go", dir: t.TempDir(), loader: hostLoader(t)}
	source := filepath.Join(c.dir, "main.go")
	require.NoError(t, os.WriteFile(source, []byte("package main\n\nfunc main() { print() }\n"), 0o644))
	for _, flags := range []string{"", "-s -w"} {
		cmd := exec.Command("go", "build", "-buildmode=pie", "-ldflags=-linkmode=internal "+flags, "-o", "prog", source)
		cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GO111MODULE=off")
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", text)
		in := readFile(t, filepath.Join(c.dir, "prog"))
		for what, e := range map[string]elfpatch.Edit{
			"short": {RunPath: "/opt/lib", Interp: c.loader},
			"long":  {RunPath: strings.Repeat("/another", 1000), Interp: strings.Repeat("/.", 200) + c.loader, AddNeeded: []string{"libc.so.6"}},
		} {
			t.Run(flags+what, func(t *testing.T) {
				out := apply(t, in, e)
				require.Len(t, allocated(t, out), len(allocated(t, in)))
				c.write(t, "after", out)
				require.NoError(t, c.command("./after").Run())
				for _, tool := range []string{"strip", "objcopy"} {
					text, err := exec.Command(needTool(t, tool), filepath.Join(c.dir, "after")).CombinedOutput()
					require.NoError(t, err, "%s", text)
					require.NoError(t, c.command("./after").Run(), tool)
				}
			})
		}
	}
}
