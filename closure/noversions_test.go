package closure_test

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// unversioned are programs that want a version of a library that has none.
var unversioned = []struct {
	name  string
	tree  tree
	fatal bool // up to glibc 2.40
}{
	{"reached", tree{
		"bin/prog":    wantsFoo("liba.so"),
		"lib/liba.so": exporting(lib("liba.so"), named("foo")...),
	}, true},
	{"another answers first", tree{
		"bin/prog":    wantsFoo("libi.so", "liba.so"),
		"lib/libi.so": exporting(lib("libi.so"), named("foo")...),
		"lib/liba.so": exporting(lib("liba.so"), named("foo")...),
	}, false},
	{"has versions of others", tree{
		"bin/prog":    wantsFoo("liba.so"),
		"lib/liba.so": runPath(refers(exporting(lib("liba.so", "libb.so"), named("foo")...), elftest.Symbol{Name: "b", Version: "VB"}), "DIR/lib"),
		"lib/libb.so": exporting(lib("libb.so"), elftest.Symbol{Name: "b", Version: "VB"}),
	}, false},
}

// wantsFoo is a program that refers to foo of a version of liba.so.
func wantsFoo(needed ...string) elftest.Image {
	return refers(runPath(program(elftest.Image{}, needed...), "DIR/lib"), elftest.Symbol{Name: "foo", Version: "V1", VersionFile: "liba.so"})
}

// TestUnversioned: the loader warns of it, and glibc up to 2.40 ends the process where it is the file with the
// version that a lookup reaches.
func TestUnversioned(t *testing.T) {
	for _, test := range unversioned {
		files := test.tree.at("/t")
		files[x86Interp] = lib(ldso)
		for _, minor := range []int{40, 41} {
			loader := debian
			loader.Version = [2]int{2, minor}
			c, err := closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{Loader: &loader})
			if err != nil {
				t.Fatal(err)
			}
			if fatal := test.fatal && minor == 40; endsForVersion(t, c) != fatal {
				t.Errorf("%s with glibc 2.%d: fatal is not %v", test.name, minor, fatal)
			}
		}
	}
}

// TestUnversionedReal holds the same against this machine's loader.
func TestUnversionedReal(t *testing.T) {
	needOracle(t)
	if _, err := os.Stat(x86Interp); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no glibc for x86-64 here")
	}
	for _, test := range unversioned {
		dir := test.tree.write(t)
		c, err := closure.Walk(os.DirFS("/"), []string{dir + "/bin/prog"}, closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd := exec.Command(dir + "/bin/prog")
		cmd.Env, cmd.Stderr = []string{"LD_BIND_NOW=1"}, &stderr
		_ = cmd.Run() // the program has no code that would end it well
		if real := strings.Contains(stderr.String(), "Assertion `version->filename"); real != endsForVersion(t, c) {
			t.Errorf("%s: the loader says %q", test.name, stderr.String())
		}
	}
}

// endsForVersion reports whether a closure has the finding as an error, and not as a warning.
func endsForVersion(t *testing.T, c *closure.Closure) bool {
	t.Helper()
	findings, err := closure.Judge(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Kind == closure.KindVersion {
			return f.Severity == closure.Error
		}
	}
	t.Errorf("no finding of a version in %v", findings)
	return false
}
