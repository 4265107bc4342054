package closure_test

import (
	"debug/elf"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// Relocation types of x86-64 (psABI).
const (
	r64, rCopy, rGlobDat, rJumpSlot, rDTPMod = 1, 5, 6, 7, 16
)

// refers gives a library references.
func refers(im elftest.Image, symbols ...elftest.Symbol) elftest.Image {
	for _, s := range symbols {
		s.Undefined = true
		if s.Relocs == nil {
			s.Relocs = []uint32{rGlobDat}
		}
		im.Symbols = append(im.Symbols, s)
	}
	return im
}

// versionMatrix holds what four references reach, where an interposer stands before a library with
// foo@V1 and foo@@V2: foo@V2, foo@V1, foo of a file without versions, foo of one with versions.
// "I" is the interposer, else it is the version of the library's.
var versionMatrix = []struct {
	name    string
	symbols []elftest.Symbol
	other   []string // versions before those of symbols
	want    [4]string
}{
	{"no interposer", nil, nil, [4]string{"V2", "V1", "V1", "V1"}},
	{"no versym", []elftest.Symbol{{Name: "foo"}}, nil, [4]string{"I", "I", "I", "I"}},
	{"unversioned beside a version", []elftest.Symbol{{Name: "foo"}, {Name: "bar", Version: "VZ"}}, nil, [4]string{"I", "I", "I", "I"}},
	{"foo@@VQ index 2", []elftest.Symbol{{Name: "foo", Version: "VQ"}}, nil, [4]string{"V2", "V1", "I", "I"}},
	{"foo@@VQ index 3", []elftest.Symbol{{Name: "foo", Version: "VQ"}}, []string{"VP"}, [4]string{"V2", "V1", "I", "I"}},
	{"foo@@V1", []elftest.Symbol{{Name: "foo", Version: "V1"}}, nil, [4]string{"V2", "I", "I", "I"}},
	{"foo@@V2", []elftest.Symbol{{Name: "foo", Version: "V2"}}, nil, [4]string{"I", "V1", "I", "I"}},
	{"foo@VH index 2", []elftest.Symbol{{Name: "foo", Version: "VH", Hidden: true}}, nil, [4]string{"V2", "V1", "I", "I"}},
	{"foo@VH index 3", []elftest.Symbol{{Name: "foo", Version: "VH", Hidden: true}}, []string{"VP"}, [4]string{"V2", "V1", "V1", "V1"}},
}

func TestVersionMatrix(t *testing.T) {
	for _, test := range versionMatrix {
		t.Run(test.name, func(t *testing.T) {
			files := tree{
				"bin/prog":       rpath(program(elftest.Image{}, "libi.so", "libreal.so", "lib1.so", "lib2.so", "lib3.so", "lib4.so"), "DIR/lib"),
				"lib/libi.so":    elftest.Image{Soname: "libi.so", Symbols: test.symbols, Versions: test.other},
				"lib/libreal.so": exporting(lib("libreal.so"), elftest.Symbol{Name: "foo", Version: "V1", Hidden: true}, elftest.Symbol{Name: "foo", Version: "V2"}),
				"lib/lib1.so":    refers(lib("lib1.so", "libreal.so"), elftest.Symbol{Name: "foo", Version: "V2"}),
				"lib/lib2.so":    refers(lib("lib2.so", "libreal.so"), elftest.Symbol{Name: "foo", Version: "V1"}),
				"lib/lib3.so":    refers(lib("lib3.so", "libreal.so"), elftest.Symbol{Name: "foo"}),
				"lib/lib4.so":    refers(exporting(lib("lib4.so", "libreal.so"), elftest.Symbol{Name: "own", Version: "VO"}), elftest.Symbol{Name: "foo"}),
			}
			dir := files.write(t)
			var got [4]string
			for v := range bind(t, os.DirFS("/"), dir+"/bin/prog").All() {
				var i int
				if _, err := fmt.Sscanf(path.Base(v.From.Path), "lib%d.so", &i); err != nil {
					t.Fatal(err)
				}
				if got[i-1] = "I"; v.To != nil && path.Base(v.To.Path) == "libreal.so" {
					got[i-1] = v.Definition.Version
				}
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			for _, loader := range realLoaders(t) {
				realOne(t, files.startedBy(loader).write(t)+"/bin/prog")
			}
		})
	}
}

// realOne holds the bindings of one program against this machine's loader, where it can run it.
func realOne(t *testing.T, program string) int {
	t.Helper()
	if _, err := os.Stat(x86Interp); err != nil || runtime.GOARCH != "amd64" {
		return 0
	}
	n, err := compareBindingsOne(os.DirFS("/"), "", program)
	if err != nil {
		t.Error(err)
	}
	return n
}

// TestBindRandomReal makes trees of libraries whose symbols are drawn from few names, with all that
// lookup looks at, and holds the bindings of each against this machine's loader.
func TestBindRandomReal(t *testing.T) {
	needOracle(t)
	cases := 60
	if os.Getenv("NIXBUNDLE_FULL") != "" {
		cases = 1500
	}
	bindings := 0
	loaders := realLoaders(t)
	for seed := range cases {
		files := randomSymbols(rand.New(rand.NewPCG(uint64(seed), 11)))
		dir := files.startedBy(loaders[seed%len(loaders)]).write(t)
		bindings += realOne(t, dir+"/bin/prog")
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d trees, %d bindings, by %q", cases, bindings, loaders)
}

func randomSymbols(r *rand.Rand) tree {
	n := 2 + r.IntN(5)
	versioned := make([]bool, n) // whether a library has versions
	name := func(i int) string { return fmt.Sprintf("lib%d.so", i) }
	files := tree{}
	for i := range n {
		versioned[i] = r.IntN(2) == 0
	}
	images := make([]elftest.Image, n+1)
	for i := range images {
		im := &images[i]
		if i < n {
			im.Soname = name(i)
		}
		for range 1 + r.IntN(3) {
			if need := name(r.IntN(n)); !slices.Contains(im.Needed, need) && need != im.Soname {
				im.Needed = append(im.Needed, need)
			}
		}
		im.Hash = []elftest.Hash{elftest.HashBoth, elftest.HashGNU, elftest.HashSysV}[r.IntN(3)]
		if r.IntN(5) == 0 {
			im.DynFlags |= elf.DF_SYMBOLIC
		}
		versions := i < n && versioned[i]
		if versions { // the loader aborts where a file whose version is wanted has none
			im.Versions = []string{fmt.Sprintf("V%d", r.IntN(3))}
		}
		randomDefinitions(r, im, versions)
		randomReferences(r, im, versioned)
		im.RPath = "DIR/lib"
		if i < n {
			files["lib/"+name(i)] = *im
		}
	}
	start := images[n]
	if r.IntN(3) == 0 {
		start.Type = elf.ET_EXEC
	}
	files["bin/prog"] = start
	return files
}

func symbolName(r *rand.Rand) string { return "abcdefgh"[r.IntN(8):][:1] }

// pick draws one of a few; the first is the usual.
func pick[T any](r *rand.Rand, usual T, others ...T) T {
	if i := r.IntN(4 + len(others)); i >= 4 {
		return others[i-4]
	}
	return usual
}

func randomDefinitions(r *rand.Rand, im *elftest.Image, versions bool) {
	for range r.IntN(7) {
		s := elftest.Symbol{
			Name: symbolName(r), Size: 8,
			Bind:       pick(r, elf.STB_GLOBAL, elf.STB_WEAK, elf.SymBind(10)),
			Type:       pick(r, elf.STT_FUNC, elf.STT_OBJECT, elf.STT_NOTYPE, elf.STT_TLS),
			Visibility: pick(r, elf.STV_DEFAULT, elf.STV_PROTECTED, elf.STV_HIDDEN),
		}
		if s.Bind == 10 {
			s.Type = elf.STT_OBJECT
		}
		if versions && r.IntN(3) > 0 {
			s.Version, s.Hidden = fmt.Sprintf("V%d", r.IntN(3)), r.IntN(3) == 0
		}
		same := func(o elftest.Symbol) bool {
			return o.Name == s.Name && (o.Version == s.Version || !s.Hidden && !o.Hidden)
		}
		if slices.ContainsFunc(im.Symbols, same) {
			continue
		}
		if r.IntN(2) == 0 {
			s.Relocs = randomRelocs(r, s.Type)
		}
		im.Symbols = append(im.Symbols, s)
	}
}

func randomReferences(r *rand.Rand, im *elftest.Image, versioned []bool) {
	for range r.IntN(8) {
		s := elftest.Symbol{
			Name: symbolName(r), Undefined: true, Bind: pick(r, elf.STB_GLOBAL, elf.STB_WEAK),
			Visibility: pick(r, elf.STV_DEFAULT, elf.STV_PROTECTED),
		}
		s.Relocs = randomRelocs(r, elf.STT_NOTYPE)
		if i := r.IntN(len(versioned)); versioned[i] && slices.Contains(im.Needed, fmt.Sprintf("lib%d.so", i)) {
			s.Version, s.VersionFile = fmt.Sprintf("V%d", r.IntN(3)), fmt.Sprintf("lib%d.so", i)
		}
		if slices.ContainsFunc(im.Symbols, func(o elftest.Symbol) bool { return o.Name == s.Name && o.Version == s.Version }) {
			continue
		}
		if im.Soname == "" && r.IntN(4) == 0 {
			s.Type, s.Value = elf.STT_FUNC, 0x1000 // the canonical address of a function
		}
		im.Symbols = append(im.Symbols, s)
	}
}

func randomRelocs(r *rand.Rand, typ elf.SymType) []uint32 {
	if typ == elf.STT_TLS {
		return []uint32{rDTPMod}
	}
	var relocs []uint32
	for _, kind := range []uint32{rGlobDat, rJumpSlot, r64} {
		if r.IntN(2) == 0 {
			relocs = append(relocs, kind)
		}
	}
	return relocs
}

// TestBindCopy binds everybody to the copy that a program has, and the copy to the library.
func TestBindCopy(t *testing.T) {
	variable := elftest.Symbol{Name: "data", Type: elf.STT_OBJECT, Size: 8}
	copied := variable
	copied.Relocs = []uint32{rCopy}
	used := variable
	used.Relocs = []uint32{rGlobDat}
	dir := tree{
		"bin/prog":    rpath(program(exporting(elftest.Image{Type: elf.ET_EXEC}, copied), "liba.so", "libb.so"), "DIR/lib"),
		"lib/liba.so": exporting(lib("liba.so"), used),
		"lib/libb.so": refers(lib("libb.so", "liba.so"), elftest.Symbol{Name: "data"}),
	}.write(t)
	var got []string
	for v := range bind(t, os.DirFS("/"), dir+"/bin/prog").All() {
		got = append(got, fmt.Sprintf("%s %v %s", path.Base(v.From.Path), v.Class, path.Base(v.To.Path)))
	}
	if want := "prog copy liba.so, liba.so data prog, libb.so data prog"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	realOne(t, dir+"/bin/prog")
}

// TestBindWeakCopy: of a weak copy that nothing answers the loader says nothing.
func TestBindWeakCopy(t *testing.T) {
	copied := elftest.Symbol{Name: "data", Type: elf.STT_OBJECT, Size: 8, Bind: elf.STB_WEAK, Relocs: []uint32{rCopy}}
	dir := tree{
		"bin/prog":    rpath(program(exporting(elftest.Image{Type: elf.ET_EXEC}, copied), "liba.so"), "DIR/lib"),
		"lib/liba.so": lib("liba.so"),
	}.write(t)
	for v := range bind(t, os.DirFS("/"), dir+"/bin/prog").All() {
		if v.To != nil || !v.Weak {
			t.Errorf("got %+v", v)
		}
	}
	realOne(t, dir+"/bin/prog")
}

// TestBindProtectedCopy: up to glibc 2.35 a slot of the GOT for protected data leads to the program's copy, and a
// pointer beside it does not; from 2.36 on neither does.
func TestBindProtectedCopy(t *testing.T) {
	variable := elftest.Symbol{Name: "data", Type: elf.STT_OBJECT, Size: 8}
	copied, protected := variable, variable
	copied.Relocs = []uint32{rCopy}
	protected.Visibility, protected.Relocs = elf.STV_PROTECTED, []uint32{rGlobDat, r64}
	function := elftest.Symbol{Name: "f", Visibility: elf.STV_PROTECTED, Relocs: []uint32{rGlobDat, r64}}
	files := elftest.Tree{
		"/bin/prog":    rpath(program(exporting(elftest.Image{Type: elf.ET_EXEC}, copied), "liba.so"), "/lib"),
		"/lib/liba.so": exporting(lib("liba.so"), protected, function),
	}
	for minor, want := range map[int]string{
		35: "prog data liba.so, liba.so data liba.so, liba.so data prog, liba.so f liba.so",
		36: "prog data liba.so, liba.so data liba.so, liba.so data liba.so, liba.so f liba.so",
	} {
		loader := debian
		loader.Version = [2]int{2, minor}
		c, err := closure.Walk(files.FS(), []string{"/bin/prog"}, closure.Options{Loader: &loader})
		if err != nil {
			t.Fatal(err)
		}
		b, err := closure.Bind(c.LinkMaps[0])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for v := range b.All() {
			got = append(got, fmt.Sprintf("%s %s %s", path.Base(v.From.Path), v.Symbol, path.Base(v.To.Path)))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("glibc 2.%d: got %q, want %q", minor, got, want)
		}
	}
}
