package closure_test

import (
	"debug/elf"
	"errors"
	"maps"
	"os"
	"path/filepath"
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
var glibcRules = []rule{
	{
		name: "breadth_first",
		tree: tree{
			"bin/prog":     runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/lib"),
			"lib/liba.so":  runPath(lib("liba.so", "libc1.so"), "DIR/lib"),
			"lib/libb.so":  lib("libb.so"),
			"lib/libc1.so": lib("libc1.so"),
		},
		want: []string{"lib/liba.so [run path]", "lib/libb.so [run path]", "lib/libc1.so [run path]"},
	},
	{
		name: "duplicate_needed",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so", "liba.so", ""), "DIR/lib"),
			"lib/liba.so": lib("liba.so"),
		},
		want: []string{"lib/liba.so [run path]"},
	},
	{
		name: "already_loaded_by_name",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/lib"),
			"lib/liba.so": runPath(lib("", "libb.so"), "DIR/own"),
			"lib/libb.so": lib(""),
			"own/libb.so": lib("", ""),
		},
		want: []string{"lib/liba.so [run path]", "lib/libb.so [run path]"},
	},
	{
		name: "already_loaded_by_soname",
		tree: tree{
			"bin/prog":        runPath(program(elftest.Image{}, "libfoo.so", "libuse.so"), "DIR/lib"),
			"lib/libfoo.so":   lib("libbar.so.1"),
			"lib/libuse.so":   runPath(lib("", "libbar.so.1"), "DIR/own"),
			"own/libbar.so.1": lib("libbar.so.1"),
		},
		want: []string{"lib/libfoo.so [run path]", "lib/libuse.so [run path]"},
	},
	{
		name: "soname_does_not_stop_another_name",
		tree: tree{
			"bin/prog":        runPath(program(elftest.Image{}, "libbar.so.1", "libfoo.so"), "DIR/lib"),
			"lib/libbar.so.1": lib("libbar.so.1"),
			"lib/libfoo.so":   lib("libbar.so.1", ""),
		},
		want: []string{"lib/libbar.so.1 [run path]", "lib/libfoo.so [run path]"},
	},
	{
		name: "file_name_is_no_name",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "DIR/one/liba.so", "liba.so"), "DIR/two"),
			"one/liba.so":   lib(""),
			"two/liba.so":   lib("", ""),
			"three/liba.so": lib(""),
		},
		want: []string{"one/liba.so [path]", "two/liba.so [run path]"},
	},
	{
		name: "path_then_soname",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "DIR/one/liba.so.1", "liba.so.1"), "DIR/two"),
			"one/liba.so.1": lib("liba.so.1"),
			"two/liba.so.1": lib("liba.so.1", ""),
		},
		want: []string{"one/liba.so.1 [path]"},
	},
	{
		name: "soname_then_path",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "liba.so.1", "DIR/two/liba.so.1"), "DIR/one"),
			"one/liba.so.1": lib("liba.so.1"),
			"two/liba.so.1": lib("liba.so.1", ""),
		},
		want: []string{"one/liba.so.1 [run path]", "two/liba.so.1 [path]"},
	},
	{
		name: "loader_by_soname",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": runPath(lib("", "ld-linux-x86-64.so.2"), "DIR/lib"),
		},
		want: []string{"lib/liba.so [run path]", x86Interp + " [loader]"},
	},
	{
		name: "path_with_token",
		tree: tree{
			"bin/prog":    program(elftest.Image{}, "$ORIGIN/../lib/liba.so"),
			"lib/liba.so": lib(""),
		},
		want: []string{"bin/../lib/liba.so [path]"},
	},
	{
		name: "path_relative",
		tree: tree{
			"bin/prog":    program(elftest.Image{}, "lib/liba.so"),
			"lib/liba.so": lib(""),
		},
		missing: []string{"lib/liba.so"},
	},
	{
		name: "rpath_of_program",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/none:DIR/lib"),
			"lib/liba.so": lib(""),
		},
		want: []string{"lib/liba.so [rpath]"},
	},
	{
		name: "rpath_of_parent",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": rpath(lib("", "libb.so"), "DIR/own"),
			"own/libb.so": lib("", "libd.so"),
			"own/libd.so": lib(""),
		},
		want: []string{"lib/liba.so [run path]", "own/libb.so [rpath]", "own/libd.so [rpath]"},
	},
	{
		name: "rpath_of_requester_before_parents",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": rpath(lib("", "libb.so"), "DIR/own"),
			"lib/libb.so": lib(""),
			"own/libb.so": lib("", ""),
		},
		want: []string{"lib/liba.so [rpath]", "own/libb.so [rpath]"},
	},
	{
		name: "rpath_of_first_loader_only",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/lib"),
			"lib/liba.so": rpath(lib("", "libx.so"), "DIR/x"),
			"lib/libb.so": rpath(lib("", "libx.so"), "DIR/x:DIR/y"),
			"x/libx.so":   lib("", "libd.so"),
			"y/libd.so":   lib(""),
		},
		want:    []string{"lib/liba.so [run path]", "lib/libb.so [run path]", "x/libx.so [rpath]"},
		missing: []string{"libd.so"},
	},
	{
		name: "run_path_hides_rpath",
		tree: tree{
			"bin/prog":      rpath(runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/run"), "DIR/rpath"),
			"rpath/liba.so": lib(""),
			"run/libb.so":   lib(""),
		},
		want:    []string{"run/libb.so [run path]"},
		missing: []string{"liba.so"},
	},
	{
		name: "run_path_of_requester_hides_chain",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": runPath(lib("", "libb.so"), "DIR/own"),
			"lib/libb.so": lib(""),
		},
		want:    []string{"lib/liba.so [rpath]"},
		missing: []string{"libb.so"},
	},
	{
		name: "run_path_of_parent_hides_nothing",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": runPath(lib("", "libx.so"), "DIR/own"),
			"own/libx.so": lib("", "libb.so"),
			"lib/libb.so": lib(""),
		},
		want: []string{"lib/liba.so [rpath]", "own/libx.so [run path]", "lib/libb.so [rpath]"},
	},
	{
		name: "empty_run_path_hides_rpath",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": runPath(lib("", "libb.so"), ""),
			"lib/libb.so": lib(""),
		},
		want:    []string{"lib/liba.so [rpath]"},
		missing: []string{"libb.so"},
	},
	{
		name: "run_path_is_not_inherited",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": lib("", "libb.so"),
			"lib/libb.so": lib(""),
		},
		want:    []string{"lib/liba.so [run path]"},
		missing: []string{"libb.so"},
	},
	{
		name: "empty_element_is_current_directory",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), ":DIR/none::"),
			"lib/liba.so": lib(""),
		},
		missing: []string{"liba.so"},
	},
	{
		name: "relative_element",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "lib:./lib:DIR/lib"),
			"lib/liba.so": lib(""),
		},
		want: []string{"lib/liba.so [run path]"},
	},
	{
		name: "slashes_of_an_element",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR//bin/.././lib///"),
			"lib/liba.so": lib(""),
		},
		want: []string{"//bin/.././lib/liba.so [run path]"},
	},
	{
		name: "first_directory_wins",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/none:DIR/empty:DIR/two:DIR/one:DIR/two"),
			"empty":       elftest.Dir{},
			"one/liba.so": lib(""),
			"two/liba.so": lib("", ""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	{
		name: "origin_of_program_is_its_real_path",
		tree: tree{
			"bin/prog":        elftest.Link("DIR/pkg/bin/prog"),
			"pkg/bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "${ORIGIN}/../lib"),
			"pkg/lib/liba.so": lib(""),
			"lib/liba.so":     lib("", ""),
		},
		want: []string{"pkg/bin/../lib/liba.so [run path]"},
	},
	{
		name: "origin_of_library_is_text",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "liba.so"), "DIR/farm"),
			"farm/liba.so":  elftest.Link("../store/liba.so"),
			"store/liba.so": runPath(lib("", "libb.so"), "$ORIGIN"),
			"farm/libb.so":  lib(""),
			"store/libb.so": lib("", ""),
		},
		want: []string{"farm/liba.so [run path]", "farm/libb.so [run path]"},
	},
	{
		name: "token_ends_where_a_name_ends",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "liba.so"), "$ORIGINx:DIR/$FOO:DIR/${ORIGIN:$ORIGIN-x"),
			"bin-x/liba.so": lib(""),
			"binx/liba.so":  lib("", ""),
		},
		want: []string{"bin-x/liba.so [run path]"},
	},
	{
		name: "unknown_token_is_text",
		tree: tree{
			"bin/prog":     runPath(program(elftest.Image{}, "liba.so"), "DIR/$FOO"),
			"$FOO/liba.so": lib(""),
		},
		want: []string{"$FOO/liba.so [run path]"},
	},
	{
		name: "lib_token",
		tree: tree{
			"bin/prog":                     runPath(program(elftest.Image{}, "liba.so"), "DIR/$LIB"),
			"lib/x86_64-linux-gnu/liba.so": lib(""),
		},
		want: []string{"lib/x86_64-linux-gnu/liba.so [run path]"},
	},
	{
		name: "platform_token_drops_its_element",
		tree: tree{
			"bin/prog":       runPath(program(elftest.Image{}, "liba.so"), "DIR/$PLATFORM:DIR/lib"),
			"x86_64/liba.so": lib("", ""),
			"lib/liba.so":    lib(""),
		},
		want: []string{"lib/liba.so [run path]"},
		mem:  true,
	},
	{
		name: "no_default_directories",
		tree: tree{
			"bin/prog": flags1(program(elftest.Image{}, "libc.so.6"), elf.DF_1_NODEFLIB),
		},
		missing: []string{"libc.so.6"},
	},
	{
		name: "two_links_are_one_object",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "liba.so", "libb.so", "liba.so.1"), "DIR/lib"),
			"lib/liba.so":   lib("libother.so"),
			"lib/libb.so":   elftest.Link("liba.so"),
			"lib/liba.so.1": elftest.Link("DIR/lib/libb.so"),
		},
		want: []string{"lib/liba.so [run path]"},
	},
	{
		name: "two_copies_are_two_objects",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/lib"),
			"lib/liba.so": lib(""),
			"lib/libb.so": lib(""),
		},
		want: []string{"lib/liba.so [run path]", "lib/libb.so [run path]"},
	},
	{
		name: "dangling_link_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": elftest.Link("nowhere"),
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	{
		name: "link_loop_ends_its_list",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": elftest.Link("liba.so"),
			"two/liba.so": lib(""),
		},
		missing: []string{"liba.so"},
	},
	{
		name: "link_loop_leaves_the_next_list",
		tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "libx.so"), "DIR/two"),
			"two/libx.so": rpath(lib("", "liba.so"), "DIR/one"),
			"one/liba.so": elftest.Link("liba.so"),
			"two/liba.so": lib(""),
		},
		want: []string{"two/libx.so [rpath]", "two/liba.so [rpath]"},
	},
	{
		name: "link_loop_of_a_directory_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one":         elftest.Link("one"),
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	{
		name: "file_for_a_directory_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one":         elftest.Data("text"),
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	{
		name: "wrong_class_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": elftest.Image{Machine: elf.EM_386},
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	{
		name: "wrong_machine_is_passed_over",
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": elftest.Image{Machine: elf.EM_AARCH64},
			"two/liba.so": lib(""),
		},
		want: []string{"two/liba.so [run path]"},
	},
	broken("text_file_stops", elftest.Data(strings.Repeat("INPUT(-lc) ", 10)), "not an ELF file"),
	broken("short_file_stops", elftest.Data("\x7fELF\x02\x01\x01"), "file too short"),
	broken("empty_file_stops", elftest.Data(""), "file too short"),
	broken("directory_stops", elftest.Dir{}, "is a directory"),
	broken("object_file_stops", elftest.Image{Type: elf.ET_REL}, "neither a library nor an executable"),
	broken("executable_stops", elftest.Image{Type: elf.ET_EXEC, Interp: x86Interp}, "is an executable, not a library"),
	broken("pie_stops", flags1(elftest.Image{Interp: x86Interp}, elf.DF_1_PIE), "is a position-independent executable, not a library"),
	broken("static_library_stops", elftest.Image{Static: true}, "object file has no dynamic section"),
	broken("other_os_stops", elftest.Image{OSABI: elf.ELFOSABI_FREEBSD}, "ELF file OS ABI invalid (ELFOSABI_FREEBSD, version 0)"),
	{
		name: "auxiliary_goes_before",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "libfil.so", "libz1.so"), "DIR/lib"),
			"lib/libfil.so": elftest.Image{Auxiliary: []string{"libaux.so"}, RunPath: "DIR/lib", HasRunPath: true},
			"lib/libaux.so": runPath(lib("", "libdep.so"), "DIR/lib"),
			"lib/libz1.so":  lib(""),
			"lib/libdep.so": lib(""),
		},
		want: []string{"lib/libaux.so [run path]", "lib/libfil.so [run path]", "lib/libz1.so [run path]", "lib/libdep.so [run path]"},
	},
	{
		name: "auxiliary_may_be_missing",
		tree: tree{
			"bin/prog":      runPath(program(elftest.Image{}, "libfil.so"), "DIR/lib"),
			"lib/libfil.so": elftest.Image{Auxiliary: []string{"libnone.so"}},
		},
		want: []string{"lib/libfil.so [run path]"},
		mem:  true, // in trace mode the loader tells of it
	},
	{
		name: "filter_moves_forward",
		tree: tree{
			"bin/prog":        runPath(program(elftest.Image{}, "libearly.so", "libfil.so", "liblate.so"), "DIR/lib"),
			"lib/libfil.so":   elftest.Image{Filter: []string{"liblate.so", "libearly.so"}, RunPath: "DIR/lib", HasRunPath: true},
			"lib/libearly.so": lib(""),
			"lib/liblate.so":  lib(""),
		},
		want: []string{"lib/libearly.so [run path]", "lib/liblate.so [run path]", "lib/libfil.so [run path]"},
	},
}

// broken is a file in the way at which the loader stops though a good one stands behind it.
func broken(name string, f elftest.File, why string) rule {
	return rule{
		name: name,
		tree: tree{
			"bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"),
			"one/liba.so": f,
			"two/liba.so": lib(""),
		},
		stops: why,
	}
}

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
	// The tree is made twice: its folder is known only then.
	dir := filepath.Join(elftest.WriteTree(t, nil), "t")
	at := elftest.Tree{}
	for name, f := range files.at(dir) {
		at[strings.TrimPrefix(name, strings.TrimPrefix(dir, "/")+"/")] = f
	}
	if err := os.Rename(elftest.WriteTree(t, at), dir); err != nil {
		t.Fatal(err)
	}
	c, err := closure.Walk(os.DirFS("/"), []string{dir + "/bin/prog"}, closure.Options{})
	r.check(t, dir, c, err)
	trace, oracleErr := loadOrder(dir+"/bin/prog", "")
	if oracleErr != nil {
		t.Fatal(oracleErr)
	}
	if r.stops != "" {
		if !strings.Contains(trace.says, "error while loading") && !strings.Contains(trace.says, "Error loading") {
			t.Errorf("the loader goes on: %q, says %q", trace.files, trace.says)
		}
		return
	}
	if t.Failed() {
		return
	}
	got, missing := order(c.LinkMaps[0])
	if !slices.Equal(got[1:], trace.files[1:]) || !slices.Equal(missing, trace.missing) {
		t.Errorf("got  %q, missing %q\nthe loader has %q, missing %q", got, missing, trace.files, trace.missing)
	}
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
