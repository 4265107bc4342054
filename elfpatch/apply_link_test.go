package elfpatch_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

// The programs that the linkers under test link: one that throws through a library, and the library.
const (
	libSource = `
#include <stdexcept>
thread_local int calls = 1;
extern "C" int half(int n) { calls++; if (n % 2) throw std::runtime_error("odd"); return n / 2; }
`
	mainSource = `
#include <cstdio>
#include <exception>
extern "C" int half(int);
int main() {
	int n = half(8);
	try { half(7); } catch (const std::exception &e) { std::printf("%d %s\n", n, e.what()); }
	return 0;
}
`
	want = "4 odd\n"
)

// toolchain is a compiler with one linker, and what runs its programs, in the directory dir.
type toolchain struct {
	dir            string
	name, compiler string
	flags          []string
	run            []string // before the program's name
	loader         string   // another path of the loader, longer than the one that gets linked in
}

func toolchains(t *testing.T) []toolchain {
	host := hostLoader(t)
	host = filepath.Dir(host) + "/././././././././" + filepath.Base(host)
	list := []toolchain{
		{name: "aarch64", compiler: "aarch64-linux-gnu-g++", run: []string{"qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"},
			loader: "/lib/./././././././././././ld-linux-aarch64.so.1"},
		{name: "armhf", compiler: "arm-linux-gnueabihf-g++", run: []string{"qemu-arm-static", "-L", "/usr/arm-linux-gnueabihf"},
			loader: "/lib/./././././././././././ld-linux-armhf.so.3"},
	}
	for _, ld := range []string{"bfd", "gold", "lld", "mold"} {
		list = append(list, toolchain{name: ld, compiler: "g++", flags: []string{"-fuse-ld=" + ld}, loader: host})
	}
	return list
}

// build compiles source to name.
func (c *toolchain) build(t *testing.T, name, source string, flags ...string) string {
	t.Helper()
	src, out := filepath.Join(c.dir, name+".cc"), filepath.Join(c.dir, name)
	require.NoError(t, os.WriteFile(src, []byte(source), 0o644))
	args := append([]string{"-O1", src, "-o", out}, c.flags...)
	text, err := exec.Command(c.compiler, append(args, flags...)...).CombinedOutput()
	require.NoError(t, err, "%s", text)
	return out
}

// write makes a file that may be run.
func (c *toolchain) write(t *testing.T, name string, b []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(c.dir, name), b, 0o755))
}

// check runs the program: it must print what it prints, and the loader must say nothing.
func (c *toolchain) check(t *testing.T, program string) {
	t.Helper()
	cmd := c.command(program)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	require.NoError(t, err, "%s%s", &stdout, &stderr)
	require.Equal(t, want, stdout.String())
	require.Empty(t, stderr.String())
}

// command runs the program with its symbols bound at start.
func (c *toolchain) command(program string) *exec.Cmd {
	args := append(append([]string{}, c.run...), program)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LD_BIND_NOW=1", "LD_WARN=1")
	return cmd
}

// need skips the test where a tool of c is missing.
func (c *toolchain) need(t *testing.T) {
	needTool(t, c.compiler)
	for _, flag := range c.flags {
		needTool(t, strings.Replace(flag, "-fuse-ld=", "ld.", 1))
	}
	if c.run != nil {
		needTool(t, c.run[0])
	}
}

// TestApplyLinked edits what each linker makes and has it run, as it is and after strip.
func TestApplyLinked(t *testing.T) {
	for _, c := range toolchains(t) {
		for _, kind := range []string{"-pie", "-no-pie"} {
			t.Run(c.name+kind, func(t *testing.T) {
				c.need(t)
				c.dir = t.TempDir()
				lib := c.build(t, "libhalf.so", libSource, "-shared", "-fPIC", "-Wl,-soname,libhalf.so")
				prog := c.build(t, "prog", mainSource, kind, "-Wl,-rpath,$ORIGIN", lib)
				c.check(t, prog)
				original := map[string][]byte{prog: readFile(t, prog), lib: readFile(t, lib)}
				for what, e := range linkedEdits(c.loader) {
					t.Run(what, func(t *testing.T) { c.edited(t, original[prog], original[lib], e) })
				}
			})
		}
	}
}

// linkedEdits are the edits that a bundle makes, and worse; NIXBUNDLE_FULL=1 takes more of them.
func linkedEdits(loader string) map[string]elfpatch.Edit {
	far := "$ORIGIN/sub:$ORIGIN/../lib:$ORIGIN/" + strings.Repeat("x", 100)
	edits := map[string]elfpatch.Edit{
		"bundle": {RunPath: "$ORIGIN/sub:$ORIGIN/../../lib:$ORIGIN/foo-1.2", Interp: loader},
		"needed": {RunPath: far, AddNeeded: []string{"libpthread.so.0", "libdl.so.2", "./libhalf.so"}},
		"stub":   {RunPath: far, RPath: true, Loader: "sub/ld.so"},
		"rename": {RunPath: far, ReplaceNeeded: map[string]string{"libhalf.so": "./././libhalf-with-a-long-name.so"}},
	}
	if os.Getenv("NIXBUNDLE_FULL") != "" {
		edits["short"] = elfpatch.Edit{RunPath: "$ORIGIN/sub"}
		edits["rpath"] = elfpatch.Edit{RunPath: far, RPath: true}
		edits["far"] = elfpatch.Edit{RunPath: far, Interp: loader, ReplaceNeeded: map[string]string{"libhalf.so": "libhalf-2.so"}}
		edits["without"] = elfpatch.Edit{RemoveRunPath: true, ReplaceNeeded: map[string]string{"libhalf.so": "sub/libhalf.so"}}
	}
	return edits
}

// edited edits the program, and the library in its own way, and judges the result.
func (c toolchain) edited(t *testing.T, program, lib []byte, e elfpatch.Edit) {
	c.dir = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(c.dir, "sub"), 0o755))
	name := "libhalf.so"
	if to, ok := e.ReplaceNeeded[name]; ok {
		name = to
	}
	lib = apply(t, lib, elfpatch.Edit{RunPath: e.RunPath, RPath: e.RPath, Soname: filepath.Base(name)})
	if e.Loader != "" {
		sysroot := ""
		if c.run != nil {
			sysroot = c.run[2]
		}
		c.write(t, e.Loader, readFile(t, filepath.Join(sysroot, c.loader)))
	}
	for _, where := range []string{filepath.Join("sub", filepath.Base(name)), name} {
		c.write(t, where, lib)
	}
	out := apply(t, program, e)
	again := apply(t, out, elfpatch.Edit{RunPath: e.RunPath, RPath: e.RPath, RemoveRunPath: e.RemoveRunPath})
	require.Equal(t, len(out), len(again))
	c.write(t, "before", program)
	c.write(t, "after", out)
	c.check(t, "./after")
	t.Run("strip", func(t *testing.T) { c.stripped(t, "strip", "after", "-o", "stripped") })
	t.Run("strip -g", func(t *testing.T) { c.stripped(t, "strip", "-g", "after", "-o", "stripped") })
	t.Run("objcopy", func(t *testing.T) { c.stripped(t, "objcopy", "after", "stripped") })
	t.Run("eu-strip", func(t *testing.T) { c.stripped(t, "eu-strip", "after", "-o", "stripped") })
	t.Run("eu-elflint", func(t *testing.T) { lint(t, filepath.Join(c.dir, "before"), filepath.Join(c.dir, "after")) })
	t.Run("readelf", func(t *testing.T) { readelf(t, filepath.Join(c.dir, "after"), e) })
	t.Run("patchelf", func(t *testing.T) { c.repatched(t, e) })
	t.Run("no sections", func(t *testing.T) { c.bare(t, program, e) })
}

// stripped runs a tool that makes the file stripped, edits that once more, and runs both.
func (c *toolchain) stripped(t *testing.T, tool string, args ...string) {
	if tool != "eu-strip" && c.run != nil {
		tool = strings.TrimSuffix(c.compiler, "g++") + tool
	}
	needTool(t, tool)
	cmd := exec.Command(tool, args...)
	cmd.Dir = c.dir
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.Empty(t, string(text))
	c.check(t, "./stripped")
	b := readFile(t, filepath.Join(c.dir, "stripped"))
	b = apply(t, b, elfpatch.Edit{RunPath: "$ORIGIN/sub:" + strings.Repeat("/another", 20)})
	c.write(t, "stripped again", b)
	c.check(t, "./stripped again")
}

// repatched edits what patchelf has laid out anew.
func (c *toolchain) repatched(t *testing.T, e elfpatch.Edit) {
	args := []string{"--set-rpath", "/nix/store/" + strings.Repeat("y", 300), "--output", "repatched", "before"}
	cmd := exec.Command(needTool(t, "patchelf"), args...)
	cmd.Dir = c.dir
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	b := readFile(t, filepath.Join(c.dir, "repatched"))
	if _, err := applyBytes(b, e); errors.Is(err, elfpatch.ErrUnsupported) {
		t.Skipf("patchelf's layout is refused: %v", err)
	}
	b = apply(t, b, e)
	require.NotContains(t, string(b), "/nix/store")
	c.write(t, "repatched", b)
	if e.RunPath != "" || len(e.ReplaceNeeded) > 0 {
		c.check(t, "./repatched")
	}
}

// bare edits the program without its section headers, and once more so that it must grow.
func (c *toolchain) bare(t *testing.T, program []byte, e elfpatch.Edit) {
	b := apply(t, withoutSections(t, program), e)
	c.write(t, "bare", b)
	c.check(t, "./bare")
	if e.RemoveRunPath {
		return
	}
	e.RunPath += ":" + strings.Repeat("/another", 1000)
	for _, in := range [][]byte{b, withoutSections(t, program)} {
		c.write(t, "bare", apply(t, in, e))
		c.check(t, "./bare")
	}
}

// ofStub is what eu-elflint finds odd in a program with a start stub: it has no PT_INTERP, a note that
// elfutils does not know, and code in that.
var ofStub = regexp.MustCompile("^static executable cannot have dynamic sections$|unknown object file note type N with owner name 'nixbundle'|" +
	"^loadable segment .N. is executable but contains no executable sections$")

// lint compares what eu-elflint says of the two files, numbers aside.
func lint(t *testing.T, before, after string) {
	tool := needTool(t, "eu-elflint")
	complaints := func(name string) map[string]bool {
		out, _ := exec.Command(tool, "--gnu-ld", name).Output()
		lines := map[string]bool{}
		for line := range strings.Lines(string(out)) {
			lines[regexp.MustCompile(`\d+`).ReplaceAllString(strings.TrimSpace(line), "N")] = true
		}
		delete(lines, "No errors")
		return lines
	}
	old := complaints(before)
	for line := range complaints(after) {
		require.True(t, old[line] || ofStub.MatchString(line), "new complaint: %s", line)
	}
}

// readelf reads the result with another's eyes.
func readelf(t *testing.T, name string, e elfpatch.Edit) {
	tool := needTool(t, "readelf")
	cmd := exec.Command(tool, "-ldSVW", name)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Empty(t, stderr.String())
	tag := map[bool]string{true: "Library rpath", false: "Library runpath"}[e.RPath]
	if e.RunPath != "" {
		require.Contains(t, string(out), tag+": ["+e.RunPath+"]")
	} else {
		require.NotContains(t, string(out), tag)
	}
	for _, to := range e.ReplaceNeeded {
		require.Contains(t, string(out), "Shared library: ["+to+"]")
	}
	if e.Interp != "" {
		require.Contains(t, string(out), "interpreter: "+e.Interp+"]")
	}
}

// TestApplyBareLibrary edits what each linker makes of a library, without section headers, until it grows.
func TestApplyBareLibrary(t *testing.T) {
	for _, c := range toolchains(t) {
		t.Run(c.name, func(t *testing.T) {
			c.need(t)
			c.dir = t.TempDir()
			lib := c.build(t, "libhalf.so", libSource, "-shared", "-fPIC", "-Wl,-soname,libhalf.so", "-Wl,--build-id")
			prog := c.build(t, "prog", mainSource, "-Wl,-rpath,$ORIGIN", lib)
			in := withoutSections(t, readFile(t, lib))
			for _, times := range []int{1, 10, 100, 1000} {
				out := apply(t, in, elfpatch.Edit{RunPath: strings.Repeat("/another", times), AddNeeded: []string{"libdl.so.2"}})
				buildID(t, in, out)
				c.write(t, "libhalf.so", out)
				c.check(t, prog)
			}
		})
	}
}
