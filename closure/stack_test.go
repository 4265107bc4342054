package closure_test

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestExecutableStacks holds what is said of a program and its library against the stack that the
// process then has.
func TestExecutableStacks(t *testing.T) {
	needOracle(t, "gcc")
	if _, err := os.Stat(x86Interp); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no glibc for x86-64 here")
	}
	dir := elftest.WriteTree(t, elftest.Tree{
		"prog.c": elftest.Data(`#include <stdio.h>
#include <string.h>
int f(void); int main(void) { char line[4096]; FILE *m = fopen("/proc/self/maps", "r"); while (fgets(line, sizeof line, m)) if (strstr(line, "[stack]")) puts(strchr(line, ' ') + 1); return f(); }`),
		"lib.c": elftest.Data(`int f(void) { return 0; }`),
	})
	for _, test := range []struct{ name, program, library, want string }{
		{"none", "-Wl,-z,noexecstack", "-Wl,-z,noexecstack", ""},
		{"library", "-Wl,-z,noexecstack", "-Wl,-z,execstack", "libf.so"},
		{"program", "-Wl,-z,execstack", "-Wl,-z,noexecstack", "prog"},
	} {
		for _, args := range [][]string{
			{"-shared", "-fPIC", "-Wl,-soname,libf.so", test.library, "-o", "libf.so", "lib.c"},
			{test.program, "-Wl,-rpath," + dir, "-o", "prog", "prog.c", "libf.so"},
		} {
			cmd := exec.Command("gcc", args...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		out, err := exec.Command(dir + "/prog").Output()
		if err != nil {
			t.Fatal(err)
		}
		c, err := closure.Walk(os.DirFS("/"), []string{dir + "/prog"}, closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := closure.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range findings {
			if f.Kind == closure.KindStack {
				got = append(got, f.Name)
			}
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s: got %q, want %q", test.name, text, test.want)
		}
		if real := strings.HasPrefix(string(out), "rwxp"); real != (got != nil) {
			t.Errorf("%s: got %q, the process has %s", test.name, got, out)
		}
	}
}

// TestExecutableStackOpened: from glibc 2.41 on such a library is not opened (elf/dl-load.c), unless the
// process has an executable stack already.
func TestExecutableStackOpened(t *testing.T) {
	for _, test := range []struct {
		minor   int
		already bool
		want    closure.Severity
	}{{40, false, closure.Warning}, {41, false, closure.Error}, {41, true, closure.Warning}} {
		program := app(storeGlibc, "", "libc.so.6")
		program.ExecStack = test.already
		files := glibc(storeGlibc)
		files[storeApp+"/bin/app"] = program
		files["/opt/plugin.so"] = elftest.Image{ExecStack: true}
		c, err := closure.Walk(files.FS(), []string{storeApp + "/bin/app"}, closure.Options{
			Loader: &closure.Loader{Kind: closure.LoaderGlibc, Version: [2]int{2, test.minor}, DefaultDirs: []string{storeGlibc + "/lib"}},
			Opened: []closure.Opened{{Name: "/opt/plugin.so"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := closure.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if f.Name == "plugin.so" && f.Kind == closure.KindStack && f.Severity != test.want {
				t.Errorf("glibc 2.%d: %v, want %v: %s", test.minor, f.Severity, test.want, f.What)
			}
		}
		if !slices.ContainsFunc(findings, func(f closure.Finding) bool { return f.Name == "plugin.so" && f.Kind == closure.KindStack }) {
			t.Errorf("glibc 2.%d: nothing is said", test.minor)
		}
	}
}
