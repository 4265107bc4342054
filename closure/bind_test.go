package closure_test

import (
	"debug/elf"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// bound writes the bindings of one program: "prog f -> liba.so", with a mark for what is no call.
func boundTo(t testing.TB, files elftest.Tree, program string) []string {
	t.Helper()
	b, err := closure.Bind(walk(t, files, program).LinkMaps[0])
	if err != nil {
		t.Fatal(err)
	}
	return lines(b)
}

func lines(b *closure.Bindings) []string {
	var lines []string
	for v := range b.All() {
		to := "nothing"
		if v.To != nil {
			to = path.Base(v.To.Path)
		}
		lines = append(lines, fmt.Sprintf("%s %s %v -> %s %s", path.Base(v.From.Path), v.Symbol, v.Class, to, v.Definition.Version))
	}
	return lines
}

// TestBindSensor counts the references of OpenCV's network module to protobuf by the copy that they
// reach, as LD_DEBUG=bindings has them.
func TestBindSensor(t *testing.T) {
	results := storeDir(t, "results")
	for name, want := range map[string]string{
		"sensor-samesoname": "147 protobuf-aarch64-unknown-linux-gnu-3.21.9",
		"sensor-diffsoname": "117 libprotobuf23-aarch64-unknown-linux-gnu-3.12.4, 30 libprotobuf32-aarch64-unknown-linux-gnu-3.21.12",
		"sensor-fixed":      "147 libprotobuf32-aarch64-unknown-linux-gnu-3.21.12",
	} {
		program, err := filepath.EvalSymlinks(filepath.Join(results, name, "bin/sensor"))
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]map[string]bool{}
		for v := range bind(t, os.DirFS("/"), program).All() {
			if !strings.HasPrefix(path.Base(v.From.Path), "libopencv_dnn") || !strings.Contains(v.Symbol, "google8protobuf") ||
				v.To == v.From {
				continue
			}
			sp, _, _ := closure.ParseStorePath("/nix/store", v.To.Path)
			if counts[sp.Name] == nil {
				counts[sp.Name] = map[string]bool{}
			}
			counts[sp.Name][v.Symbol] = true
		}
		var got []string
		for name, symbols := range counts {
			got = append(got, fmt.Sprintf("%d %s", len(symbols), name))
		}
		slices.Sort(got)
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestBindAnyProcessors: the result does not depend on how many processors there are.
func TestBindAnyProcessors(t *testing.T) {
	program := path.Join(storeDir(t, "results"), "sensor-samesoname/bin/sensor")
	all := lines(bind(t, os.DirFS("/"), program))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if one := lines(bind(t, os.DirFS("/"), program)); !slices.Equal(all, one) {
		t.Error("another result with one processor")
	}
}

// TestBindMusl: musl has no versions but hides what is not the default one, knows no DF_SYMBOLIC and
// no IFUNC, and takes for a call only what is defined.
func TestBindMusl(t *testing.T) {
	prog := func(symbols ...elftest.Symbol) elftest.Image {
		return elftest.Image{Interp: "/lib/ld-musl-x86_64.so.1", RunPath: "/lib", Needed: []string{"liba.so", "libb.so"}, Symbols: symbols}
	}
	symbolic := exporting(lib("libb.so"), elftest.Symbol{Name: "own", Relocs: []uint32{rJumpSlot}})
	symbolic.DynFlags = elf.DF_SYMBOLIC
	got := boundTo(t, elftest.Tree{
		"/lib/ld-musl-x86_64.so.1": lib("libc.so"),
		"/bin/prog": refers(prog(), elftest.Symbol{Name: "foo", Version: "V1", VersionFile: "liba.so", Relocs: []uint32{rJumpSlot}},
			elftest.Symbol{Name: "fast"}, elftest.Symbol{Name: "addr", Value: 0x1000, Type: elf.STT_FUNC, Relocs: []uint32{rJumpSlot, rGlobDat}}),
		"/lib/liba.so": exporting(lib("liba.so"), elftest.Symbol{Name: "foo", Version: "V1", Hidden: true},
			elftest.Symbol{Name: "foo", Version: "V2"}, elftest.Symbol{Name: "own"}, elftest.Symbol{Name: "addr"},
			elftest.Symbol{Name: "fast", Type: elf.STT_GNU_IFUNC}),
		"/lib/libb.so": symbolic,
	}, "/bin/prog")
	slices.Sort(got)
	want := []string{
		"libb.so own call -> liba.so ", "prog addr call -> liba.so ", "prog addr data -> prog ",
		"prog fast data -> nothing ", "prog foo call -> liba.so V2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestBindOpened: what a plugin refers to is looked for in the process first, then beside it.
func TestBindOpened(t *testing.T) {
	files := elftest.Tree{
		x86Interp:        lib(ldso),
		"/bin/prog":      runPath(program(elftest.Image{}, "liba.so"), "/lib"),
		"/lib/plugin.so": runPath(refers(lib("plugin.so", "libb.so"), named("both", "new")...), "/lib"),
		"/lib/liba.so":   exporting(lib("liba.so"), named("both")...),
		"/lib/libb.so":   exporting(lib("libb.so"), named("both", "new")...),
	}
	c, err := closure.Walk(files.FS(), []string{"/bin/prog"}, closure.Options{Opened: []closure.Opened{{Name: "plugin.so"}}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := closure.BindOpened(c.LinkMaps[0], c.LinkMaps[0].Opened[0])
	if err != nil {
		t.Fatal(err)
	}
	got := lines(b)
	slices.Sort(got)
	if want := []string{"plugin.so both data -> liba.so ", "plugin.so new data -> libb.so "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	findings, err := closure.Judge(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) != 2 || findings[1].Severity != closure.Note || findings[0].Kind != closure.KindInterposed || findings[0].Severity != closure.Error {
		t.Errorf("got %+v", findings)
	}
}
