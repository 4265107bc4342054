package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// corner is a folder of a root in which one file at a time is judged; original and results have the
// same path in turn, so that what they say is the same.
type corner struct {
	*root
	dir    string // inside the root
	sum    sum    // of the file that was judged last
	failed []string
}

// wish goes before the run path that a file has.
const wish = "$ORIGIN/../lib:$ORIGIN/../../lib/foo-1.2"

// judge edits one file and says in sum and failed what became of it.
func (c *corner) judge(name string) {
	c.sum, c.failed = sum{}, nil
	if err := c.judgeFile(name); err != nil {
		c.fail(name, "%v", err)
	}
}

func (c *corner) fail(name, format string, args ...any) {
	c.failed = append(c.failed, strings.TrimPrefix(name, c.path)+": "+fmt.Sprintf(format, args...))
}

func (c *corner) judgeFile(name string) error {
	in, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	info, err := elfpatch.Read(bytes.NewReader(in), int64(len(in)))
	if err != nil {
		return err
	}
	at := filepath.Join(c.dir, filepath.Base(name))
	if err := c.write(at, in); err != nil {
		return err
	}
	want, ok := c.load(at)
	if !ok {
		return nil // not even the original loads here
	}
	c.sum.files = 1
	started := c.start(at, info.Interp != "")
	complaints := c.complaints(at)
	e := elfpatch.Edit{RunPath: wish + ":" + info.RPath + info.RunPath, AddNeeded: []string{"libm.so.6"}}
	if info.Interp == "" {
		e.Soname = "libnixbundle-" + info.Soname
	}
	c.theirs(name, at, in, e, want)
	img, err := elfpatch.Apply(bytes.NewReader(in), int64(len(in)), e)
	if err != nil {
		c.sum.refused = 1
		return err
	}
	c.sum.ours.measure(img.Size() - int64(len(in)))
	var out bytes.Buffer
	if _, err := img.WriteTo(&out); err != nil {
		return err
	}
	if err := c.write(at, out.Bytes()); err != nil {
		return err
	}
	if got, _ := c.load(at); got != want {
		c.fail(name, "load: %s", firstNew(got, want))
	} else if got := c.start(at, info.Interp != ""); got != started {
		c.fail(name, "start: %s", firstNew(got, started))
	} else {
		c.sum.ours.load = 1
	}
	for _, line := range c.complaints(at) {
		if !slices.Contains(complaints, line) {
			c.fail(name, "%s", line)
		}
	}
	c.sum.strip = c.afterTool(name, at, in, want, "strip")
	c.sum.objcp = c.afterTool(name, at, in, want, "objcopy")
	c.sum.eustrp = c.afterTool(name, at, in, want, "eu-strip")
	return nil
}

func (m *made) measure(growth int64) {
	if growth != 0 {
		m.grew, m.growth = 1, growth
	}
}

// write puts a file into the root that may be run.
func (c *corner) write(at string, b []byte) error {
	if err := os.MkdirAll(c.path+c.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(c.path+at, b, 0o755)
}

// theirs has patchelf make the same edit.
func (c *corner) theirs(name, at string, in []byte, e elfpatch.Edit, want string) {
	args := []string{"--set-rpath", e.RunPath, "--add-needed", e.AddNeeded[0]}
	if e.Soname != "" {
		args = append(args, "--set-soname", e.Soname)
	}
	theirs := c.path + at + ".patchelf"
	defer os.Remove(theirs)
	if err := exec.Command("patchelf", append(args, "--output", theirs, name)...).Run(); err != nil {
		return
	}
	out, err := os.ReadFile(theirs)
	if err != nil || c.write(at, out) != nil {
		return
	}
	c.sum.theirs.measure(int64(len(out) - len(in)))
	if got, _ := c.load(at); got == want {
		c.sum.theirs.load = 1
	}
	if c.tool("strip", at) == nil {
		if got, _ := c.load(at); got == want {
			c.sum.theirs.strip = 1
		}
	}
}

// afterTool has a tool make its file of the edited one and loads that. What the tool spoils of the
// original too is not the edit's.
func (c *corner) afterTool(name, at string, in []byte, want, tool string) int {
	edited, err := os.ReadFile(c.path + at)
	if err != nil {
		c.fail(name, "%v", err)
		return 0
	}
	defer func() { _ = c.write(at, edited) }()
	err = c.tool(tool, at)
	got, _ := c.load(at)
	if err == nil && got == want {
		return 1
	}
	if c.write(at, in) != nil {
		return 0
	}
	if c.tool(tool, at) != nil {
		return 1
	}
	if original, _ := c.load(at); original != want {
		return 1
	}
	c.fail(name, "after %s: %v %s", tool, err, firstNew(got, want))
	return 0
}

// tool runs one of binutils, or eu-strip, over a file. What it says is an error.
func (c *corner) tool(tool, at string) error {
	cmd := exec.Command(tool, c.path+at)
	if tool != "eu-strip" {
		cmd = exec.Command(c.tools+"/usr/bin/x86_64-linux-gnu-"+tool, c.path+at)
		cmd.Env = []string{"LC_ALL=C", "LD_LIBRARY_PATH=" + c.tools + "/usr/lib/x86_64-linux-gnu"}
	}
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		return fmt.Errorf("%s: %v %s", tool, err, out)
	}
	return nil
}

// complaints are what eu-elflint and readelf have against a file, numbers aside.
func (c *corner) complaints(at string) []string {
	lint, _ := exec.Command("eu-elflint", "--gnu-ld", c.path+at).CombinedOutput()
	cmd := exec.Command("readelf", "-aW", c.path+at)
	cmd.Env = []string{"LC_ALL=C"}
	var read bytes.Buffer
	cmd.Stderr = &read
	_ = cmd.Run()
	var list []string
	for _, line := range strings.Split(string(lint)+read.String(), "\n") {
		if line != "" && line != "No errors" {
			list = append(list, sameEachTime.ReplaceAllString(line, "N"))
		}
	}
	return list
}

// firstNew is the first line of got that want has not.
func firstNew(got, want string) string {
	old := strings.Split(want, "\n")
	for _, line := range strings.Split(got, "\n") {
		if !slices.Contains(old, line) {
			return line
		}
	}
	return "less is said, or another order"
}
