package closure_test

import (
	"debug/elf"
	"maps"
	"os"
	"path"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// muslProgram is bin/prog of a case, for musl on AArch64.
func muslProgram(needed ...string) elftest.Image {
	return elftest.Image{Machine: elf.EM_AARCH64, Interp: "INTERP", Needed: needed}
}

// muslLib is a library for musl on AArch64.
func muslLib(soname string, needed ...string) elftest.Image {
	return elftest.Image{Machine: elf.EM_AARCH64, Soname: soname, Needed: needed}
}

// muslRules are musl's, in the order of ldso/dynlink.c: load_library.
var muslRules = []rule{
	{
		name: "reserved_names_are_the_loader",
		tree: tree{
			"bin/prog":    runPath(muslProgram("libm.so.6", "libc.so", "liba.so"), "DIR/lib"),
			"lib/liba.so": muslLib("", "libpthread.so.0"),
		},
		want: []string{"INTERP [loader]", "lib/liba.so [run path]"},
	},
	{
		name: "already_loaded_by_searched_name",
		tree: tree{
			"bin/prog":    runPath(muslProgram("liba.so", "libb.so"), "DIR/lib"),
			"lib/liba.so": runPath(muslLib("", "libb.so"), "DIR/own"),
			"lib/libb.so": muslLib(""),
			"own/libb.so": muslLib("", ""),
		},
		want: []string{"lib/liba.so [run path]", "lib/libb.so [run path]"},
	},
	{
		name: "soname_is_never_read",
		tree: tree{
			"bin/prog":        runPath(muslProgram("libfoo.so", "libbar.so.1"), "DIR/lib"),
			"lib/libfoo.so":   muslLib("libbar.so.1"),
			"lib/libbar.so.1": muslLib("libbar.so.1", "libc.so"),
		},
		want: []string{"lib/libfoo.so [run path]", "lib/libbar.so.1 [run path]", "INTERP [loader]"},
	},
	{
		name: "path_gives_no_name",
		tree: tree{
			"bin/prog":    runPath(muslProgram("DIR/one/liba.so", "liba.so"), "DIR/two"),
			"one/liba.so": muslLib("liba.so"),
			"two/liba.so": muslLib("liba.so", "libc.so"),
		},
		want: []string{"one/liba.so [path]", "two/liba.so [run path]", "INTERP [loader]"},
	},
	{
		name: "path_and_search_to_one_file",
		tree: tree{
			"bin/prog":      runPath(muslProgram("DIR/one/liba.so", "liba.so", "libuse.so"), "DIR/one"),
			"one/liba.so":   muslLib(""),
			"one/libuse.so": runPath(muslLib("", "liba.so"), "DIR/two"),
			"two/liba.so":   muslLib("", "libc.so"),
		},
		want: []string{"one/liba.so [path]", "one/libuse.so [run path]"},
	},
	{
		name: "run_path_is_inherited",
		tree: tree{
			"bin/prog":    runPath(muslProgram("liba.so"), "DIR/lib"),
			"lib/liba.so": runPath(muslLib("", "libb.so", "libd.so"), "DIR/own"),
			"lib/libb.so": muslLib(""),
			"lib/libd.so": muslLib(""),
			"own/libd.so": muslLib("", "libc.so"),
		},
		want: []string{"lib/liba.so [run path]", "lib/libb.so [run path]", "own/libd.so [run path]", "INTERP [loader]"},
	},
	{
		name: "run_path_replaces_rpath",
		tree: tree{
			"bin/prog":      rpath(runPath(muslProgram("liba.so"), "DIR/run"), "DIR/rpath"),
			"rpath/liba.so": muslLib("", "libc.so"),
			"run/liba.so":   muslLib(""),
		},
		want: []string{"run/liba.so [run path]"},
	},
	{
		name: "origin_needs_no_end",
		tree: tree{
			"bin/prog":      runPath(muslProgram("liba.so"), "$ORIGIN-x:${ORIGIN}/none"),
			"bin-x/liba.so": muslLib(""),
		},
		want: []string{"bin-x/liba.so [run path]"},
	},
	{
		name: "other_token_voids_the_list",
		tree: tree{
			"bin/prog":    runPath(muslProgram("liba.so"), "DIR/lib:$LIB"),
			"lib/liba.so": muslLib(""),
		},
		missing: []string{"liba.so"},
	},
	{
		name: "empty_elements_are_skipped",
		tree: tree{
			"bin/prog":    runPath(muslProgram("liba.so"), "::DIR/lib/:"),
			"lib/liba.so": muslLib(""),
		},
		want: []string{"lib//liba.so [run path]"},
	},
	muslBroken("directory_stops", elftest.Dir{}, "is a directory"),
	muslBroken("text_file_stops", elftest.Data("INPUT(-lc)                                                            "), "not an ELF file"),
}

func muslBroken(name string, f elftest.File, why string) rule {
	r := broken(name, f, why)
	r.tree["bin/prog"] = runPath(muslProgram("liba.so"), "DIR/one:DIR/two")
	r.tree["two/liba.so"] = muslLib("")
	return r
}

// forInterp puts a loader's path into a case.
func (r *rule) forInterp(interp string) rule {
	placed := *r
	placed.tree = tree{}
	for name, f := range r.tree {
		if im, ok := f.(elftest.Image); ok && im.Interp != "" {
			im.Interp = interp
			f = im
		}
		placed.tree[name] = f
	}
	placed.want = mapped(r.want, "")
	for i, w := range placed.want {
		if w == "INTERP [loader]" {
			placed.want[i] = interp + " [loader]"
		}
	}
	return placed
}

// TestMuslRules predicts every case in a tree in memory.
func TestMuslRules(t *testing.T) {
	const interp = "/lib/ld-musl-aarch64.so.1"
	for _, r := range muslRules {
		t.Run(r.name, func(t *testing.T) {
			r := r.forInterp(interp)
			all := r.tree.at("/t")
			maps.Copy(all, elftest.Tree{interp: muslLib("libc.so")})
			c, err := closure.Walk(all.FS(), []string{"/t/bin/prog"}, closure.Options{})
			r.check(t, "/t", c, err)
		})
	}
}

// TestMuslRulesReal holds every case against the musl of the store set, under qemu.
func TestMuslRulesReal(t *testing.T) {
	results := storeDir(t, "results")
	needOracle(t, "qemu-aarch64-static")
	root := os.DirFS("/")
	c, err := closure.Walk(root, []string{path.Join(results, "misc-muslHello/bin/musl-hello")}, closure.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range muslRules {
		t.Run(r.name, func(t *testing.T) {
			r := r.forInterp(c.LinkMaps[0].Interp.Path)
			r.real(t, r.tree)
		})
	}
}

// TestMuslPathFile: <prefix>/etc/ld-musl-<arch>.path replaces the usual directories; an empty one
// leaves none.
func TestMuslPathFile(t *testing.T) {
	const interp = "/nix/musl/lib/ld-musl-aarch64.so.1"
	for _, test := range []struct {
		file string
		has  bool
		want string
	}{
		{has: false, want: "/usr/local/lib/liba.so"},
		{has: true, file: "/opt/a:/opt/b\n/opt/c\n", want: "/opt/b/liba.so"},
		{has: true, file: "", want: ""},
	} {
		all := elftest.Tree{
			interp:                   muslLib("libc.so"),
			"/opt/b/liba.so":         muslLib(""),
			"/usr/local/lib/liba.so": muslLib(""),
			"/bin/prog":              elftest.Image{Machine: elf.EM_AARCH64, Interp: interp, Needed: []string{"liba.so"}},
		}
		if test.has {
			all["/nix/musl/etc/ld-musl-aarch64.path"] = elftest.Data(test.file)
		}
		c, err := closure.Walk(all.FS(), []string{"/bin/prog"}, closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n := c.LinkMaps[0].Needs[0]; n.Path != test.want {
			t.Errorf("path file %q: got %q, want %q", test.file, n.Path, test.want)
		}
	}
}
