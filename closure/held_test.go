package closure_test

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/nixdb"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// at is a store path of the tests below.
func at(digit, name string) string { return "/nix/store/" + strings.Repeat(digit, 32) + "-" + name }

// heldRoot is a program with a library, and what its Nix closure holds besides: the build machine's
// compiler and shell, headers, and data.
func heldRoot(t *testing.T) (*closure.Closure, closure.Holders) {
	t.Helper()
	foreign := lib("")
	foreign.Machine = elf.EM_AARCH64
	header := elftest.Data("#define A")
	files := elftest.Tree{
		x86Interp:                                                  lib("ld-linux-x86-64.so.2"),
		at("0", "app-1.0") + "/bin/app":                            runPath(program(elftest.Image{}, "liba.so"), at("1", "a-2.0")+"/lib"),
		at("1", "a-2.0") + "/lib/liba.so":                          lib("liba.so"),
		at("2", "gcc-wrapper-13.2.0") + "/bin/gcc":                 foreign,
		at("3", "bash-5.2") + "/bin/bash":                          foreign,
		at("4", "a-2.0-dev") + "/include/a.h":                      header,
		at("5", "model-1") + "/share/m.onnx":                       elftest.Data("model"),
		at("6", "tools-1") + "/bin/both":                           foreign,
		at("6", "tools-1") + "/lib/own.so":                         lib(""),
		at("7", "x86_64-unknown-linux-gnu-binutils-2") + "/bin/ld": elftest.Link("nowhere"),
	}
	record := func(path string, size int64, refs ...string) nixdb.Record {
		return nixdb.Record{Path: path, NarSize: size, References: refs}
	}
	refs := closure.NewReferences([]nixdb.Record{
		record(at("0", "app-1.0"), 200_000, at("0", "app-1.0"), at("1", "a-2.0"), at("5", "model-1")),
		record(at("1", "a-2.0"), 300_000, at("1", "a-2.0"), at("2", "gcc-wrapper-13.2.0"), at("4", "a-2.0-dev")),
		record(at("2", "gcc-wrapper-13.2.0"), 1000, at("3", "bash-5.2"), at("1", "a-2.0")), // a circle
		record(at("3", "bash-5.2"), 2000),
		record(at("4", "a-2.0-dev"), 500, at("1", "a-2.0"), at("3", "bash-5.2")),
		record(at("5", "model-1"), 400, at("6", "tools-1"), at("9", "unknown")),
		record(at("6", "tools-1"), 600),
		record(at("8", "not-referred-to"), 1<<30),
	})
	c, err := closure.Walk(files.FS(), []string{at("0", "app-1.0") + "/bin/app"}, closure.Options{Loader: &debian})
	if err != nil {
		t.Fatal(err)
	}
	return c, closure.Holders{Root: files.FS(), References: refs}
}

// heldText is an answer in one line: digits of store paths, = for a need and - for a reference.
func heldText(h closure.Held) string {
	digit := func(p string) string { return p[len("/nix/store/"):][:1] }
	text := digit(h.StorePath)
	if h.Own {
		text += " own"
	}
	for _, chain := range h.Chains {
		text += " " + digit(chain[0].From)
		for _, r := range chain {
			text += map[bool]string{true: "=", false: "-"}[r.Need] + digit(r.To)
		}
	}
	for _, m := range h.Mentions {
		text += " " + m.Path
	}
	if h.More > 0 {
		text += fmt.Sprintf(" +%d", h.More)
	}
	return text + " " + h.Role.String()
}

func TestWhyHeld(t *testing.T) {
	c, by := heldRoot(t)
	for _, test := range []struct {
		name string
		want []string
	}{
		{at("3", "bash-5.2"), []string{"3 0=1-2-3 0=1-4-3 for the build machine (aarch64)"}},
		{at("3", "bash-5.2") + "/bin/bash", []string{"3 0=1-2-3 0=1-4-3 for the build machine (aarch64)"}},
		{"bash", []string{"3 0=1-2-3 0=1-4-3 for the build machine (aarch64)"}},
		{"gcc-wrapper", []string{"2 0=1-2 a compiler for the build machine (aarch64)"}},
		{"a-2.0-dev", []string{"4 0=1-4 headers to build with"}},
		{at("5", "model-1") + "/share/m.onnx", []string{"5 0-5 "}},
		{at("6", "tools-1"), []string{"6 0-5-6 "}}, // some of it is for the program's machine
		{at("1", "a-2.0") + "/share/doc", []string{"1 0=1 "}},
		{at("0", "app-1.0") + "/share", []string{"0 own "}},
		{at("8", "not-referred-to"), nil},
		{at("9", "unknown"), []string{"9 0-5-9 "}},
		{"/nix/store", nil},
		{"nothing", nil},
		{"", nil},
	} {
		var got []string
		for _, h := range c.WhyHeld(c.LinkMaps[0], test.name, by, 10) {
			got = append(got, heldText(h))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	few := c.WhyHeld(c.LinkMaps[0], "bash", by, 1)
	if got := heldText(few[0]); got != "3 0=1-2-3 +1 for the build machine (aarch64)" {
		t.Errorf("got %q", got)
	}
}

// TestWhyHeldMentions: a string holds a path that Nix knows nothing of.
func TestWhyHeldMentions(t *testing.T) {
	c, _ := heldRoot(t)
	by := closure.Holders{Mentions: []closure.Mention{
		{Holder: at("0", "app-1.0") + "/bin/app", Off: 64, Path: at("5", "model-1") + "/share"},
		{Holder: at("0", "app-1.0") + "/bin/app", Off: 99, Path: at("5", "model-1") + "2/share"},
	}}
	held := c.WhyHeld(c.LinkMaps[0], at("5", "model-1")+"/share/m.onnx", by, 10)
	if len(held) != 1 || heldText(held[0]) != "5 "+at("5", "model-1")+"/share " {
		t.Errorf("got %+v", held)
	}
	if held := c.WhyHeld(c.LinkMaps[0], at("3", "bash-5.2"), by, 10); held != nil {
		t.Errorf("got %+v", held)
	}
}

func TestNixClosure(t *testing.T) {
	c, by := heldRoot(t)
	n := c.NixClosure(by.References)
	brought := map[string]int64{}
	for _, p := range c.ByStorePath() {
		brought[p.Path] = p.Size
	}
	app, a := brought[at("0", "app-1.0")], brought[at("1", "a-2.0")]
	want := &closure.NixClosure{
		StorePaths: 7, NarSize: 504_500, Brought: app + a, Unknown: []string{at("9", "unknown")},
		Left: []closure.LeftPath{
			{StorePath: at("1", "a-2.0"), NarSize: 300_000, Brought: a},
			{StorePath: at("0", "app-1.0"), NarSize: 200_000, Brought: app},
			{StorePath: at("3", "bash-5.2"), NarSize: 2000},
			{StorePath: at("2", "gcc-wrapper-13.2.0"), NarSize: 1000},
			{StorePath: at("6", "tools-1"), NarSize: 600},
			{StorePath: at("4", "a-2.0-dev"), NarSize: 500},
			{StorePath: at("5", "model-1"), NarSize: 400},
		},
	}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("got %+v\nwant %+v", n, want)
	}
	if got := n.LeftBehind(); got != 504_500-app-a {
		t.Errorf("%d bytes are left behind", got)
	}
}

// TestRoleNames: what names say, as nixpkgs makes them.
func TestRoleNames(t *testing.T) {
	c := &closure.Closure{StoreDir: "/nix/store"}
	for name, want := range map[string]string{
		"gcc-13.2.0":        "a compiler",
		"gcc-13.2.0-lib":    "",
		"gcc-13.2.0-libgcc": "",
		"aarch64-unknown-linux-gnu-gcc-wrapper-12.3.0": "a compiler",
		"binutils-wrapper-2.40":                        "a linker",
		"stdenv-linux":                                 "a build environment",
		"zlib-1.3-dev":                                 "headers to build with",
		"zlib-1.3":                                     "",
		"libgcc-12":                                    "",
		"glibc-2.38-44":                                "",
	} {
		if got := c.Role(nil, at("a", name)).String(); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestReferencesReal holds Nix's closure of the store set against Nix: every path, and the sum of sizes.
func TestReferencesReal(t *testing.T) {
	results := storeDir(t, "results")
	nixConf := filepath.Join(path.Dir(results), "etc/nix")
	root, err := closure.OpenRoot("/")
	if err != nil {
		t.Fatal(err)
	}
	for name, foreign := range map[string]int{"sensor-plain/bin/sensor": 0, "misc-wrongArchFirst/bin/greet": 2, "misc-ioc/bin/linux-aarch64/opcuaIoc": 2, "misc-static/bin/static-glibc": 0} {
		c, err := closure.Walk(root, []string{path.Join(results, name)}, closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		refs, err := closure.ReadReferences(root, c)
		if err != nil {
			t.Fatal(err)
		}
		n := c.NixClosure(refs)
		query := exec.Command("nix", "--extra-experimental-features", "nix-command", "path-info", "--json", "-S", "-r", path.Join(results, strings.SplitN(name, "/", 2)[0]))
		query.Env = append(os.Environ(), "NIX_CONF_DIR="+nixConf, "NIX_REMOTE=local")
		out, err := query.Output()
		if err != nil {
			t.Fatal(err)
		}
		var infos []struct {
			Path        string
			ClosureSize int64
		}
		if err := json.Unmarshal(out, &infos); err != nil {
			t.Fatal(err)
		}
		var largest int64
		for _, info := range infos {
			largest = max(largest, info.ClosureSize)
		}
		if n.StorePaths != len(infos) || n.NarSize != largest || n.Unknown != nil {
			t.Errorf("%s: %d store paths of %d bytes, Nix has %d of %d; unknown %q", name, n.StorePaths, n.NarSize, len(infos), largest, n.Unknown)
		}
		got := 0
		for _, l := range n.Left {
			if slices.Equal(c.Role(root, l.StorePath).Machines, []string{"x86_64"}) {
				got++
			}
			held := c.WhyHeld(c.LinkMaps[0], l.StorePath, closure.Holders{References: refs}, 5)
			if len(held) != 1 || !held[0].Own && len(held[0].Chains) == 0 {
				t.Errorf("%s: nothing holds %s", name, l.StorePath)
			}
		}
		if got != foreign {
			t.Errorf("%s: %d store paths for the build machine, want %d", name, got, foreign)
		}
	}
}
