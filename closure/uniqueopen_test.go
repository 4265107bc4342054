package closure_test

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// uniqueLibs define u, each for itself: as a unique symbol, a protected one, and not at all.
func uniqueLibs() tree {
	u := elftest.Symbol{Name: "u", Bind: uniqueBind, Type: elf.STT_OBJECT, Size: 8, Relocs: []uint32{rGlobDat}}
	protected := u
	protected.Bind, protected.Visibility = elf.STB_GLOBAL, elf.STV_PROTECTED
	return tree{
		"lib/liba.so":   exporting(lib("liba.so"), u),
		"lib/libb.so":   exporting(lib("libb.so"), u),
		"lib/libpr.so":  exporting(lib("libpr.so"), protected),
		"lib/libtop.so": runPath(lib("libtop.so", "liba.so", "libpr.so"), "DIR/lib"),
		"lib/libex.so":  runPath(refers(lib("libex.so", "libb.so"), elftest.Symbol{Name: "u", Type: elf.STT_OBJECT}), "DIR/lib"),
	}
}

// uniqueOpens are what is opened in turn, and what u is then.
var uniqueOpens = []struct {
	needs string // of the program
	opens []string
	want  []string // sorted
}{
	{"", []string{"liba.so", "libb.so"}, []string{"liba.so -> liba.so", "libb.so -> liba.so"}},
	{"", []string{"libb.so", "liba.so", "libex.so"}, []string{"liba.so -> libb.so", "libb.so -> libb.so", "libex.so -> libb.so"}},
	{"", []string{"liba.so", "libex.so"}, []string{"liba.so -> liba.so", "libb.so -> liba.so", "libex.so -> liba.so"}},
	{"", []string{"libtop.so"}, []string{"liba.so -> liba.so", "libpr.so -> libpr.so"}},
	{"", []string{"libpr.so", "libb.so"}, []string{"libb.so -> libb.so", "libpr.so -> libpr.so"}},
	{"liba.so", []string{"libb.so"}, []string{"liba.so -> liba.so", "libb.so -> liba.so"}},
	{"liba.so", []string{"libex.so"}, []string{"liba.so -> liba.so", "libb.so -> liba.so", "libex.so -> liba.so"}},
}

// TestUniqueOpened: the first definition of a unique symbol that is bound to serves what is opened later, be it in no
// scope of it.
func TestUniqueOpened(t *testing.T) {
	for _, test := range uniqueOpens {
		files := uniqueLibs()
		files["bin/prog"] = program(elftest.Image{RPath: "DIR/lib"}, strings.Fields(test.needs)...)
		all := files.at("/t")
		all[x86Interp] = lib(ldso)
		for _, lastFirst := range []bool{false, true} {
			c, err := closure.Walk(all.FS(), []string{"/t/bin/prog"}, thatOpen("/t", test.opens))
			if err != nil {
				t.Fatal(err)
			}
			if got := uniqueBindings(t, c.LinkMaps[0], lastFirst); !slices.Equal(got, test.want) {
				t.Errorf("%q: got %q, want %q", test.opens, got, test.want)
			}
		}
	}
}

// TestUniqueOpenedReal holds the same against this machine's loader.
func TestUniqueOpenedReal(t *testing.T) {
	needOracle(t, "gcc")
	if _, err := os.Stat(x86Interp); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no glibc for x86-64 here")
	}
	for _, test := range uniqueOpens {
		files := uniqueLibs()
		files["prog.c"] = elftest.Data(`#include <dlfcn.h>
int main(int c, char **v) { for (int i = 1; i < c; i++) if (!dlopen(v[i], RTLD_NOW)) return 1; return 0; }`)
		dir := files.write(t)
		args := []string{"-o", dir + "/prog", dir + "/prog.c", "-Wl,--no-as-needed,-rpath," + dir + "/lib", "-ldl"}
		if test.needs != "" {
			args = append(args, dir+"/lib/"+test.needs)
		}
		if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		opts := thatOpen(dir, test.opens)
		var stderr bytes.Buffer
		cmd := exec.Command(dir + "/prog")
		for _, o := range opts.Opened {
			cmd.Args = append(cmd.Args, o.Name)
		}
		cmd.Env, cmd.Stderr = []string{"LD_DEBUG=bindings", "LD_BIND_NOW=1"}, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		var real []string
		for _, m := range regexp.MustCompile("binding file (\\S+) .* to (\\S+) .* symbol `u'").FindAllStringSubmatch(stderr.String(), -1) {
			real = append(real, path.Base(m[1])+" -> "+path.Base(m[2]))
		}
		slices.Sort(real)
		c, err := closure.Walk(os.DirFS("/"), []string{dir + "/prog"}, opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := uniqueBindings(t, c.LinkMaps[0], false); !slices.Equal(got, real) || !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, the loader %q, want %q", test.opens, got, real, test.want)
		}
	}
}

// TestUniqueCycle: of libraries that need each other, which is relocated first, and so has the unique symbol, is another
// one since glibc 2.35. Real loaders of 2.31 and 2.36 say so.
func TestUniqueCycle(t *testing.T) {
	u := elftest.Symbol{Name: "u", Bind: uniqueBind, Type: elf.STT_OBJECT, Size: 8, Relocs: []uint32{rGlobDat}}
	symbolic := func(name, needed string) elftest.Image {
		im := runPath(exporting(lib(name, needed), u), "/lib")
		im.DynFlags = elf.DF_SYMBOLIC
		return im
	}
	for _, test := range []struct {
		needs     string
		old, late string // whose u all get
	}{
		{"liba.so libb.so", "libb.so", "liba.so"},
		{"libb.so liba.so", "liba.so", "libb.so"},
		{"liba.so", "libb.so", "liba.so"},
		{"libb.so", "liba.so", "libb.so"},
	} {
		files := elftest.Tree{
			"/bin/prog":    rpath(program(elftest.Image{}, strings.Fields(test.needs)...), "/lib"),
			"/lib/liba.so": symbolic("liba.so", "libb.so"),
			"/lib/libb.so": symbolic("libb.so", "liba.so"),
		}
		for minor, to := range map[int]string{34: test.old, 35: test.late} {
			loader := debian
			loader.Version = [2]int{2, minor}
			c, err := closure.Walk(files.FS(), []string{"/bin/prog"}, closure.Options{Loader: &loader})
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"liba.so -> " + to, "libb.so -> " + to}
			if got := uniqueBindings(t, c.LinkMaps[0], false); !slices.Equal(got, want) {
				t.Errorf("%s, glibc 2.%d: got %q, want %q", test.needs, minor, got, want)
			}
		}
	}
}

// thatOpen are options to open libraries of a folder.
func thatOpen(dir string, names []string) closure.Options {
	var opts closure.Options
	for _, name := range names {
		opts.Opened = append(opts.Opened, closure.Opened{Name: dir + "/lib/" + name})
	}
	return opts
}

// uniqueBindings are those of u, at start and of what is opened.
func uniqueBindings(t *testing.T, m *closure.LinkMap, lastFirst bool) []string {
	t.Helper()
	var got []string
	take := func(b *closure.Bindings, err error) {
		if err != nil {
			t.Fatal(err)
		}
		for v := range b.Of("u") {
			got = append(got, path.Base(v.From.Path)+" -> "+path.Base(v.To.Path))
		}
	}
	opened := slices.Clone(m.Opened)
	if lastFirst {
		slices.Reverse(opened)
	}
	for _, o := range opened {
		take(closure.BindOpened(m, o))
	}
	take(closure.Bind(m))
	slices.Sort(got)
	return got
}
