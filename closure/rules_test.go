package closure_test

import (
	"debug/elf"
	"errors"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// tree is the files of one case, by paths below its folder; in run paths and links, DIR stands for
// that folder.
type tree map[string]elftest.File

// at puts the tree into a folder.
func (t tree) at(dir string) elftest.Tree {
	placed := elftest.Tree{}
	for name, f := range t {
		switch v := f.(type) {
		case elftest.Image:
			v.RPath, v.RunPath = inDir(v.RPath, dir), inDir(v.RunPath, dir)
			v.Needed = mapped(v.Needed, dir)
			v.Auxiliary, v.Filter = mapped(v.Auxiliary, dir), mapped(v.Filter, dir)
			f = v
		case elftest.Link:
			f = elftest.Link(inDir(string(v), dir))
		}
		placed[strings.TrimLeft(dir+"/"+name, "/")] = f
	}
	return placed
}

func inDir(s, dir string) string { return strings.ReplaceAll(s, "DIR", dir) }

func mapped(list []string, dir string) []string {
	var all []string
	for _, s := range list {
		all = append(all, inDir(s, dir))
	}
	return all
}

const x86Interp = "/lib64/ld-linux-x86-64.so.2"

// program is bin/prog of a case.
func program(im elftest.Image, needed ...string) elftest.Image {
	im.Interp, im.Needed = x86Interp, needed
	return im
}

// lib is a library; its soname may be "".
func lib(soname string, needed ...string) elftest.Image {
	return elftest.Image{Soname: soname, Needed: needed}
}

func rpath(im elftest.Image, list string) elftest.Image {
	im.RPath = list
	return im
}

func runPath(im elftest.Image, list string) elftest.Image {
	im.RunPath, im.HasRunPath = list, true
	return im
}

func flags1(im elftest.Image, f elf.DynFlag1) elftest.Image {
	im.DynFlags1 |= f
	return im
}

// rule is one rule of a loader and a case that shows it.
type rule struct {
	name string
	tree tree
	// want is what is loaded after bin/prog, "PATH [RULE]" below the folder, in order.
	want    []string
	missing []string
	stops   string // why the loader stops, instead
	mem     bool   // only predicted: the real loader's answer depends on the machine
}

// glibcRules are in the order of ld.so(8).
var glibcRules = slices.Concat(nameRules, pathRules, fileRules)

// debian is the loader of Debian 12 on x86-64.
var debian = closure.Loader{
	Kind: closure.LoaderGlibc, Version: [2]int{2, 36}, CachePath: "/etc/ld.so.cache",
	DefaultDirs: []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"},
	Lib:         "lib/x86_64-linux-gnu",
}

// TestRules predicts every case in a tree in memory.
func TestRules(t *testing.T) {
	for _, r := range glibcRules {
		t.Run(r.name, func(t *testing.T) {
			all := r.tree.at("/t")
			maps.Copy(all, elftest.Tree{x86Interp: elftest.Image{Soname: "ld-linux-x86-64.so.2"}})
			c, err := closure.Walk(all.FS(), []string{"/t/bin/prog"}, closure.Options{Loader: &debian})
			r.check(t, "/t", c, err)
		})
	}
}

// TestRulesReal holds every case against this machine's loader.
func TestRulesReal(t *testing.T) {
	needOracle(t)
	if _, err := os.Stat(x86Interp); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no glibc for x86-64 here")
	}
	for _, r := range glibcRules {
		if r.mem {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			r.real(t, r.tree)
		})
	}
}

// real writes a case to disk and compares the walk, the loader and what is wanted.
func (r *rule) real(t *testing.T, files tree) {
	t.Helper()
	dir := files.write(t)
	c, err := closure.Walk(os.DirFS("/"), []string{dir + "/bin/prog"}, closure.Options{})
	r.check(t, dir, c, err)
	if r.stops == "" && !t.Failed() {
		if _, err := compareOne(os.DirFS("/"), "", dir+"/bin/prog"); err != nil {
			t.Error(err)
		}
		return
	}
	trace, err := loadOrder(dir+"/bin/prog", "")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(trace.says, "error while loading") && !strings.Contains(trace.says, "Error loading") {
		t.Errorf("the loader goes on: %q, says %q", trace.files, trace.says)
	}
}

// write puts the tree on disk and returns its folder, which its files name.
func (t tree) write(tb testing.TB) string {
	tb.Helper()
	dir := elftest.WriteTree(tb, nil)
	below := elftest.Tree{}
	for name, f := range t.at(dir) {
		below[strings.TrimPrefix("/"+name, dir+"/")] = f
	}
	if err := os.Remove(dir); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(elftest.WriteTree(tb, below), dir); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// check compares a walk with what a case wants.
func (r *rule) check(t *testing.T, dir string, c *closure.Closure, err error) {
	t.Helper()
	if r.stops != "" {
		var stop *closure.LoadError
		if !errors.As(err, &stop) || stop.Why != r.stops {
			t.Fatalf("got %v, want that the loader stops: %s", err, r.stops)
		}
		if stop.Path != dir+"/one/liba.so" || stop.Name != "liba.so" || stop.By != dir+"/bin/prog" {
			t.Errorf("got %+v", stop)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m := c.LinkMaps[0]
	got := []string{}
	for _, l := range m.Loaded[1:] {
		got = append(got, strings.TrimPrefix(strings.TrimPrefix(l.Path, dir), "/")+" ["+ruleOf(m, l)+"]")
	}
	want := []string{}
	for _, w := range r.want {
		want = append(want, strings.TrimPrefix(w, "/"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if _, missing := order(m); !slices.Equal(missing, r.missing) {
		t.Errorf("missing %q, want %q", missing, r.missing)
	}
}

func ruleOf(m *closure.LinkMap, l *closure.Loaded) string {
	if l.By != nil {
		return l.By.Rule.String()
	}
	return m.NeedsFor(l)[0].Rule.String()
}
