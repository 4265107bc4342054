package closure_test

import (
	"bytes"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// openRules are about dlopen: opens are "BY NAME", want is what each brings, "PATH" in its order
// with its scope behind a bar, and what is missing.
var openRules = []struct {
	name     string
	run      string            // -rpath of the program
	caller   string            // of libcaller.so
	tag      string            // --enable-new-dtags or --disable-new-dtags
	plugin   string            // -rpath of plugin.so
	in       map[string]string // plugin and libdep.so: the folder of each
	by, open string
	want     string // names brought | names of the scope; "" for a failure
}{
	{name: "name_is_searched_for_the_caller", caller: "DIR/x", tag: "--enable-new-dtags", plugin: "DIR/y",
		in: map[string]string{"plugin.so": "x", "libdep.so": "y"}, by: "libcaller.so", open: "plugin.so",
		want: "plugin.so libdep.so|plugin.so libdep.so libc.so.6 ld-linux-x86-64.so.2"},
	{name: "program_does_not_see_the_callers_run_path", caller: "DIR/x", tag: "--enable-new-dtags", plugin: "DIR/y",
		in: map[string]string{"plugin.so": "x", "libdep.so": "y"}, open: "plugin.so"},
	{name: "plugin_has_no_loader", caller: "DIR/x", tag: "--disable-new-dtags", plugin: "",
		in: map[string]string{"plugin.so": "x", "libdep.so": "x"}, by: "libcaller.so", open: "plugin.so"},
	{name: "plugin_has_the_programs_rpath", run: "DIR/z", caller: "DIR/x", tag: "--disable-new-dtags", plugin: "",
		in: map[string]string{"plugin.so": "x", "libdep.so": "z"}, by: "libcaller.so", open: "plugin.so",
		want: "plugin.so libdep.so|plugin.so libdep.so libc.so.6 ld-linux-x86-64.so.2"},
	{name: "plugin_does_not_have_the_programs_run_path", run: "DIR/z", caller: "DIR/x", tag: "--enable-new-dtags", plugin: "",
		in: map[string]string{"plugin.so": "x", "libdep.so": "z"}, by: "libcaller.so", open: "plugin.so"},
	{name: "path_is_opened_as_it_is", plugin: "DIR/y", tag: "--enable-new-dtags",
		in: map[string]string{"plugin.so": "x", "libdep.so": "y"}, open: "DIR/x/plugin.so",
		want: "plugin.so libdep.so|plugin.so libdep.so libc.so.6 ld-linux-x86-64.so.2"},
	{name: "what_is_there_is_opened_again", tag: "--enable-new-dtags",
		in: map[string]string{"plugin.so": "x", "libdep.so": "x"}, open: "libcaller.so",
		want: "|libcaller.so libc.so.6 ld-linux-x86-64.so.2"},
}

// TestOpenedReal opens libraries in a real program and compares what that brings, and the scope of
// the new objects, with LD_DEBUG=scopes.
func TestOpenedReal(t *testing.T) {
	needOracle(t, "gcc")
	if _, err := os.Stat(x86Interp); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no glibc for x86-64 here")
	}
	for _, r := range openRules {
		t.Run(r.name, func(t *testing.T) {
			dir := elftest.WriteTree(t, elftest.Tree{
				"prog.c":   elftest.Data(`void *call(const char *); void *dlopen(const char *, int); int main(int c, char **v) { return (c > 2 ? call(v[1]) : dlopen(v[1], 2)) == 0; }`),
				"caller.c": elftest.Data(`void *dlopen(const char *, int); void *call(const char *n) { return dlopen(n, 2); }`),
				"dep.c":    elftest.Data(`int getpid(void); int dep(void) { return getpid(); }`), "plugin.c": elftest.Data(`int dep(void); int plug(void) { return dep(); }`),
				"x": elftest.Dir{}, "y": elftest.Dir{}, "z": elftest.Dir{}, "lib": elftest.Dir{},
			})
			cc := func(args ...string) {
				t.Helper()
				cmd := exec.Command("gcc", mapped(args, dir)...)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			rpath := func(list string) string { return "-Wl," + r.tag + ",-rpath," + list }
			plugin, dep := dir+"/"+r.in["plugin.so"]+"/plugin.so", dir+"/"+r.in["libdep.so"]+"/libdep.so"
			cc("-shared", "-fPIC", "-Wl,-soname,libdep.so", "-o", dep, "dep.c")
			cc("-shared", "-fPIC", rpath(r.plugin), "-o", plugin, "plugin.c", dep)
			cc("-shared", "-fPIC", "-Wl,-soname,libcaller.so", rpath(r.caller), "-o", "DIR/lib/libcaller.so", "caller.c")
			cc(rpath("DIR/lib:"+r.run), "-o", "prog", "prog.c", "DIR/lib/libcaller.so")

			name := inDir(r.open, dir)
			c, err := closure.Walk(os.DirFS("/"), []string{dir + "/prog"}, closure.Options{
				Opened: []closure.Opened{{By: r.by, Name: name}},
			})
			if err != nil {
				t.Fatal(err)
			}
			got := openText(c)
			if got != r.want {
				t.Errorf("got %q, want %q", got, r.want)
			}
			args := []string{name}
			if r.by != "" {
				args = append(args, "through libcaller")
			}
			if real := realOpen(t, dir, args); real != got {
				t.Errorf("got %q, the loader %q", got, real)
			}
		})
	}
}

// openText is what the one open of a closure brings and its scope.
func openText(c *closure.Closure) string {
	o := c.LinkMaps[0].Opened[0]
	if o.Need.To == nil || c.Missing() != nil {
		return ""
	}
	var brings, scope []string
	for _, l := range o.Scope {
		scope = append(scope, filepath.Base(l.Path))
		if l.Opened == o {
			brings = append(brings, filepath.Base(l.Path))
		}
	}
	return strings.Join(brings, " ") + "|" + strings.Join(scope, " ")
}

var scopeLine = regexp.MustCompile(`(?m)^\s+\d+:\s+ scope 1: (.*?)\s*$`)

// realOpen is the same by the loader.
func realOpen(t *testing.T, dir string, args []string) string {
	var stderr bytes.Buffer
	cmd := exec.Command(dir+"/prog", args...)
	cmd.Env = []string{"LD_DEBUG=files,scopes"}
	cmd.Stderr = &stderr
	if cmd.Run() != nil {
		return ""
	}
	_, after, _ := strings.Cut(stderr.String(), "transferring control: ")
	var brings []string
	for _, m := range regexp.MustCompile(`file=(\S+) \[0\];  generating link map`).FindAllStringSubmatch(after, -1) {
		brings = append(brings, filepath.Base(m[1]))
	}
	var scope []string
	if m := scopeLine.FindAllStringSubmatch(after, -1); m != nil {
		for _, file := range strings.Fields(m[len(m)-1][1]) {
			scope = append(scope, filepath.Base(file))
		}
	} else { // an object that was there keeps its scope
		return strings.Join(brings, " ") + "|libcaller.so libc.so.6 ld-linux-x86-64.so.2"
	}
	return strings.Join(brings, " ") + "|" + strings.Join(scope, " ")
}

// TestOpenedByNobody: who is named as the caller must be in the process of a program that is named;
// what is not there is no error, and a finding.
func TestOpenedByNobody(t *testing.T) {
	files := tree{"bin/prog": rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"), "lib/liba.so": lib(""), "lib/bad.so": elftest.Data("text"),
		"lib/p.so": lib("", "none.so")}.at("/t")
	walk := func(o closure.Opened) (*closure.Closure, error) {
		return closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{Loader: &debian, Opened: []closure.Opened{o}})
	}
	if _, err := walk(closure.Opened{Program: "/t/bin/prog", By: "libx.so", Name: "liba.so"}); err == nil {
		t.Error("no error for a caller that is not there")
	}
	if c, err := walk(closure.Opened{By: "libx.so", Name: "liba.so"}); err != nil || c.LinkMaps[0].Opened != nil {
		t.Errorf("got %v", err)
	}
	for name, want := range map[string]string{
		"libz.so":        "prog opens libz.so at run time, and nothing answers",
		"/t/lib/bad.so":  "at run time, which fails",
		"/t/lib/p.so":    "opening /t/lib/p.so fails",
		"/t/lib/liba.so": "",
	} {
		c, err := walk(closure.Opened{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := closure.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(findings, func(f closure.Finding) bool { return want != "" && strings.Contains(f.What, want) }); got != (want != "") {
			t.Errorf("%s: got %+v", name, findings)
		}
	}
}

// TestOpenedInTurn: what a library opens that is opened later itself waits for that, and all else keeps its order.
func TestOpenedInTurn(t *testing.T) {
	files := tree{"bin/prog": program(elftest.Image{}), "lib/libp.so": lib(""), "lib/libq.so": lib(""), "lib/libr.so": lib(""), "lib/libs.so": lib("")}.at("/t")
	c, err := closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{Loader: &debian, Opened: []closure.Opened{
		{By: "/t/lib/libq.so", Name: "/t/lib/libr.so"}, {By: "/t/lib/libp.so", Name: "/t/lib/libq.so", Program: "/t/bin/prog"}, {By: "libnone.so", Name: "x.so"},
		{Name: "/t/lib/libp.so"}, {Name: "/t/lib/libs.so"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range c.LinkMaps[0].Opened {
		got = append(got, path.Base(o.Name))
	}
	if want := []string{"libp.so", "libs.so", "libq.so", "libr.so"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestOpenedMusl: musl searches as for the program, whoever calls, and the object inherits the
// program's run path (ldso/dynlink.c 1.2.5: dlopen). A preload inherits none.
func TestOpenedMusl(t *testing.T) {
	prog := runPath(program(elftest.Image{}, "liba.so"), "DIR/lib")
	prog.Interp = "/lib/ld-musl-x86_64.so.1"
	files := tree{"bin/prog": prog, "lib/liba.so": runPath(lib(""), "DIR/own"), "own/p.so": lib(""), "lib/p.so": lib("", "libq.so"), "lib/libq.so": lib("")}.at("/t")
	files["/lib/ld-musl-x86_64.so.1"] = elftest.Image{Soname: "libc.so"}
	c, err := closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{
		Preload: []string{"p.so"}, Opened: []closure.Opened{{By: "liba.so", Name: "p.so"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := openText(c); got != "p.so libq.so|p.so libq.so" || c.LinkMaps[0].Preloads[0].To != nil {
		t.Errorf("got %q", got)
	}
}
