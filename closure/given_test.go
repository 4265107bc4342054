package closure_test

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// givenRule is a rule about what the starter of a program gives it, or its processor has.
type givenRule struct {
	rule
	opts closure.Options // DIR stands for the folder of the case
	env  []string        // the same for the real loader
}

func (r *givenRule) at(dir string) (opts closure.Options, env []string) {
	opts = r.opts
	opts.LibraryPath = inDir(opts.LibraryPath, dir)
	opts.Preload = mapped(opts.Preload, dir)
	return opts, mapped(r.env, dir)
}

// givenRules are those that hold on every processor of x86-64.
var givenRules = []givenRule{
	{
		rule: rule{name: "library_path_before_run_path", tree: tree{
			"bin/prog": runPath(program(elftest.Image{}, "liba.so"), "DIR/run"), "run/liba.so": lib(""), "env/liba.so": lib("", "libb.so"),
			"env/libb.so": lib(""),
		}, want: []string{"env/liba.so [LD_LIBRARY_PATH]", "env/libb.so [LD_LIBRARY_PATH]"}},
		opts: closure.Options{LibraryPath: "DIR/env"}, env: []string{"LD_LIBRARY_PATH=DIR/env"},
	}, {
		rule: rule{name: "library_path_after_rpath", tree: tree{
			"bin/prog": rpath(program(elftest.Image{}, "liba.so"), "DIR/rpath"), "rpath/liba.so": lib(""), "env/liba.so": lib(""),
		}, want: []string{"rpath/liba.so [rpath]"}},
		opts: closure.Options{LibraryPath: "DIR/env"}, env: []string{"LD_LIBRARY_PATH=DIR/env"},
	}, {
		rule: rule{name: "library_path_splits_at_semicolons_and_knows_the_programs_origin", tree: tree{
			"bin/prog": program(elftest.Image{}, "liba.so"), "sub/liba.so": lib("", "libb.so"), "env/libb.so": lib(""),
		}, want: []string{"bin/../sub/liba.so [LD_LIBRARY_PATH]", "bin/../env/libb.so [LD_LIBRARY_PATH]"}},
		opts: closure.Options{LibraryPath: "DIR/none;$ORIGIN/../sub:${ORIGIN}/../env/"},
		env:  []string{"LD_LIBRARY_PATH=DIR/none;$ORIGIN/../sub:${ORIGIN}/../env/"},
	}, {
		rule: rule{name: "preload_goes_before_needs", tree: tree{
			"bin/prog": rpath(program(elftest.Image{}, "liba.so", "libp.so"), "DIR/lib"), "lib/liba.so": lib(""),
			"lib/libp.so": lib("", "libq.so"), "lib/libq.so": lib(""),
		}, want: []string{"lib/libp.so [rpath]", "lib/liba.so [rpath]", "lib/libq.so [rpath]"}},
		opts: closure.Options{Preload: []string{"libp.so"}}, env: []string{"LD_PRELOAD=libp.so"},
	}, {
		rule: rule{name: "preload_by_path_answers_its_soname", tree: tree{
			"bin/prog": rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"), "lib/liba.so": lib(""), "pre/x.so": lib("liba.so"),
		}, want: []string{"pre/x.so [path]"}},
		opts: closure.Options{Preload: []string{"DIR/pre/x.so"}}, env: []string{"LD_PRELOAD=DIR/pre/x.so"},
	}, {
		rule: rule{name: "preload_that_is_missing_or_broken_is_ignored", tree: tree{
			"bin/prog": rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"), "lib/liba.so": lib(""), "pre/x.so": elftest.Data("no ELF"),
			"lib/libp.so": lib(""),
		}, want: []string{"lib/libp.so [rpath]", "lib/liba.so [rpath]"}},
		opts: closure.Options{Preload: []string{"none.so:DIR/pre/x.so", "libp.so libp.so"}},
		env:  []string{"LD_PRELOAD=none.so:DIR/pre/x.so libp.so libp.so"},
	}, {
		rule: rule{name: "preload_has_the_programs_rpath_for_its_needs", tree: tree{
			"bin/prog": rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"), "pre/libp.so": lib("", "libq.so"), "lib/libq.so": lib(""),
			"lib/liba.so": lib(""),
		}, want: []string{"pre/libp.so [path]", "lib/liba.so [rpath]", "lib/libq.so [rpath]"}},
		opts: closure.Options{Preload: []string{"DIR/pre/libp.so"}}, env: []string{"LD_PRELOAD=DIR/pre/libp.so"},
	},
}

// cpuRules depend on the processor; this is how they come out on one that has x86-64-v2.
var cpuRules = []givenRule{
	{
		rule: rule{name: "glibc_hwcaps_before_the_directory_itself", tree: tree{
			"bin/prog": runPath(program(elftest.Image{}, "liba.so"), "DIR/lib"), "lib/liba.so": lib(""),
			"lib/glibc-hwcaps/x86-64-v2/liba.so": lib("", "libb.so"), "lib/libb.so": lib(""),
		}, want: []string{"lib/glibc-hwcaps/x86-64-v2/liba.so [run path]"}, missing: []string{"libb.so"}},
	}, {
		rule: rule{name: "origin_of_a_library_in_glibc_hwcaps_is_there", tree: tree{
			"bin/prog":    rpath(program(elftest.Image{}, "liba.so"), "DIR/lib"),
			"lib/liba.so": lib(""), "lib/glibc-hwcaps/x86-64-v2/liba.so": runPath(lib("", "libb.so"), "$ORIGIN"),
			"lib/libb.so": lib(""), "lib/glibc-hwcaps/x86-64-v2/libb.so": lib(""),
		}, want: []string{"lib/glibc-hwcaps/x86-64-v2/liba.so [rpath]", "lib/glibc-hwcaps/x86-64-v2/libb.so [run path]"}},
	}, {
		rule: rule{name: "glibc_hwcaps_of_an_earlier_directory_only", tree: tree{
			"bin/prog": rpath(program(elftest.Image{}, "liba.so"), "DIR/one:DIR/two"), "one/liba.so": lib(""),
			"two/glibc-hwcaps/x86-64-v2/liba.so": lib(""), "one/glibc-hwcaps/x86-64-v9/liba.so": lib(""),
		}, want: []string{"one/liba.so [rpath]"}},
	},
}

// legacyRules hold up to glibc 2.36 on every processor of x86-64.
var legacyRules = []givenRule{
	{
		rule: rule{name: "legacy_tls_before_the_directory_itself", tree: tree{
			"bin/prog": runPath(program(elftest.Image{}, "liba.so", "libb.so", "libc1.so"), "DIR/lib"), "lib/liba.so": lib(""),
			"lib/tls/liba.so": lib(""), "lib/tls/x86_64/libb.so": lib(""), "lib/tls/libb.so": lib(""), "lib/x86_64/libb.so": lib(""),
			"lib/x86_64/libc1.so": lib(""), "lib/libc1.so": lib(""),
		}, want: []string{"lib/tls/liba.so [run path]", "lib/tls/x86_64/libb.so [run path]", "lib/x86_64/libc1.so [run path]"}},
	}, {
		rule: rule{name: "glibc_hwcaps_before_legacy", tree: tree{
			"bin/prog": runPath(program(elftest.Image{}, "liba.so"), "DIR/lib"), "lib/liba.so": lib(""),
			"lib/tls/liba.so": lib(""), "lib/glibc-hwcaps/x86-64-v2/liba.so": lib(""),
		}, want: []string{"lib/glibc-hwcaps/x86-64-v2/liba.so [run path]"}},
		opts: closure.Options{HWCaps: []string{"x86-64-v2"}},
	},
}

// v2 gives rules a processor that has x86-64-v2.
func v2(rules []givenRule) []givenRule {
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].opts.HWCaps = []string{"x86-64-v2"}
	}
	return rules
}

func TestGiven(t *testing.T) {
	for _, r := range slices.Concat(givenRules, v2(cpuRules), legacyRules) {
		t.Run(r.name, func(t *testing.T) {
			all := r.tree.at("/t")
			maps.Copy(all, elftest.Tree{x86Interp: elftest.Image{Soname: "ld-linux-x86-64.so.2"}})
			opts, _ := r.at("/t")
			opts.Loader = &debian
			c, err := closure.Walk(all.FS(), []string{"/t/bin/prog"}, opts)
			r.check(t, "/t", c, err)
		})
	}
}

// TestGivenReal holds the same against this machine's loader and processor.
func TestGivenReal(t *testing.T) {
	needOracle(t)
	if _, err := os.Stat(x86Interp); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no glibc for x86-64 here")
	}
	caps := processorCaps(t)
	rules := givenRules
	if slices.ContainsFunc(caps, func(name string) bool { return strings.HasPrefix(name, "x86-64-") }) {
		rules = slices.Concat(rules, cpuRules, legacyRules)
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			dir := r.tree.write(t)
			opts, env := r.at(dir)
			opts.HWCaps = caps
			if _, err := compareGiven(os.DirFS("/"), "", dir+"/bin/prog", opts, env); err != nil {
				t.Error(err)
			}
		})
	}
}

// processorCaps are this machine's, as its loader tells them.
func processorCaps(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command(x86Interp, "--list-diagnostics").Output()
	if err != nil {
		t.Skip("the loader has no --list-diagnostics")
	}
	value := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `="?([^"\n]*)`).FindSubmatch(out)
		if m == nil {
			return ""
		}
		return string(m[1])
	}
	var caps []string
	switch value("dl_hwcaps_subdirs_active") { // bit 0 is the best
	case "0x7":
		caps = append(caps, "x86-64-v4")
	case "0x6":
		caps = append(caps, "x86-64-v3")
	case "0x4":
		caps = append(caps, "x86-64-v2")
	}
	if p := value("dl_platform"); p == "haswell" || p == "xeon_phi" {
		caps = append(caps, p)
	}
	if value("dl_hwcap") == "0x6" {
		caps = append(caps, "avx512_1")
	}
	return caps
}

// TestProcessorNote: what a processor would change is noted, and only that.
func TestProcessorNote(t *testing.T) {
	files := tree{
		"bin/prog":    runPath(program(elftest.Image{}, "liba.so", "libb.so"), "DIR/lib"),
		"lib/liba.so": lib(""), "lib/glibc-hwcaps/x86-64-v3/liba.so": lib(""), "lib/libb.so": lib(""), "lib/haswell/libb.so": lib(""),
	}.at("/t")
	for _, test := range []struct {
		minor int
		caps  []string
		want  []string
	}{
		{36, nil, []string{"/t/lib/glibc-hwcaps/x86-64-v3/liba.so", "/t/lib/haswell/libb.so"}},
		{36, []string{"x86-64-v3", "haswell"}, nil},
		{40, []string{"x86-64-v2"}, []string{"/t/lib/glibc-hwcaps/x86-64-v3/liba.so"}},
		{32, nil, []string{"/t/lib/haswell/libb.so"}},
	} {
		loader := debian
		loader.Version = [2]int{2, test.minor}
		c, err := closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{Loader: &loader, HWCaps: test.caps})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := closure.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range findings {
			if f.Kind == closure.KindProcessor {
				got = append(got, f.Copies[1].Path)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("glibc 2.%d on %q: got %q, want %q", test.minor, test.caps, got, test.want)
		}
	}
	_, err := closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{HWCaps: []string{"x86-64-v9"}})
	if err == nil || !strings.Contains(err.Error(), "x86-64-v9") {
		t.Errorf("got %v for a directory that no loader knows", err)
	}
}

// TestPreloadFile: the file of preloads is read only when asked for, and nixpkgs' glibc has its own.
func TestPreloadFile(t *testing.T) {
	files := tree{"bin/prog": program(elftest.Image{}), "p/a.so": lib(""), "p/b.so": lib("")}.at("/t")
	files["/etc/ld.so.preload"] = elftest.Data("# all\n/t/p/a.so:/t/p/b.so # two\n")
	files["/etc/ld-nix.so.preload"] = elftest.Data("/t/p/b.so")
	for _, test := range []struct {
		file string
		asks bool
		want int
	}{{"/etc/ld.so.preload", true, 2}, {"/etc/ld-nix.so.preload", true, 1}, {"/etc/ld.so.preload", false, 0}, {"", true, 0}} {
		loader := debian
		loader.PreloadPath = test.file
		c, err := closure.Walk(files.FS(), []string{"/t/bin/prog"}, closure.Options{Loader: &loader, PreloadFile: test.asks})
		if err != nil {
			t.Fatal(err)
		}
		if m := c.LinkMaps[0]; len(m.Loaded)-1 != test.want || len(m.Preloads) != test.want {
			t.Errorf("%+v: loaded %d", test, len(m.Loaded)-1)
		}
	}
}
