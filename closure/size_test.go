package closure_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestSizes holds what each part retains against what is left when needs are followed that do not lead
// into it, in random processes of two programs, some with needs in a circle.
func TestSizes(t *testing.T) {
	for seed := range 80 {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		files := elftest.Tree{x86Interp: lib("ld-linux-x86-64.so.2")}
		dirs := []string{}
		for i := range 4 {
			dirs = append(dirs, fmt.Sprintf("/nix/store/%032d-part-%d/lib", i, i))
		}
		pick := func(from int) (names []string) {
			for i := range 12 {
				if (seed%2 == 0 || i > from) && r.IntN(5) == 0 {
					names = append(names, fmt.Sprintf("lib%d.so", i))
				}
			}
			return names
		}
		files["/bin/one"] = rpath(program(elftest.Image{}, pick(-1)...), strings.Join(dirs, ":"))
		files["/bin/two"] = rpath(program(elftest.Image{}, pick(-1)...), strings.Join(dirs, ":"))
		for i := range 12 {
			image := lib("", pick(i)...)
			image.Padding = r.IntN(5000)
			files[fmt.Sprintf("%s/lib%d.so", dirs[i%4], i)] = image
		}
		c, err := closure.Walk(files.FS(), []string{"/bin/one", "/bin/two"}, closure.Options{Loader: &debian})
		if err != nil {
			t.Fatal(err)
		}
		byFile := func(o *closure.Object) string { return o.Path }
		byStore := func(o *closure.Object) string {
			if sp, _, ok := closure.ParseStorePath(c.StoreDir, o.Path); ok {
				return sp.String()
			}
			return o.Path
		}
		checkParts(t, c, c.ByObject(), byFile)
		checkParts(t, c, c.ByStorePath(), byStore)
	}
}

func checkParts(t *testing.T, c *closure.Closure, parts []*closure.Part, name func(*closure.Object) string) {
	t.Helper()
	sizes := map[string]int64{}
	for _, o := range c.Objects {
		sizes[name(o)] += o.Size
	}
	whole := reached(c, name, "")
	if len(whole) != len(parts) || len(whole) != len(sizes) {
		t.Fatalf("%d parts, want %d", len(parts), len(whole))
	}
	for i, p := range parts {
		rest := reached(c, name, p.Path)
		var gone int64
		for n := range whole {
			if !rest[n] {
				gone += sizes[n]
			}
		}
		if p.Size != sizes[p.Path] || p.Retained != gone {
			t.Fatalf("%s: size %d retains %d, want %d retains %d", p.Path, p.Size, p.Retained, sizes[p.Path], gone)
		}
		if i > 0 && p.Size > parts[i-1].Size {
			t.Errorf("%s is out of order", p.Path)
		}
		if p.Holder != nil && (reached(c, name, p.Holder.Path)[p.Path] || !slices.Contains(p.Holder.Held, p)) {
			t.Errorf("%s is not held by %s", p.Path, p.Holder.Path)
		}
	}
}

// reached are the parts that chains of needs lead to which do not go through one of them.
func reached(c *closure.Closure, name func(*closure.Object) string, without string) map[string]bool {
	edges := map[string][]string{}
	seen := map[string]bool{}
	var follow func(n string)
	follow = func(n string) {
		if n != without && !seen[n] {
			seen[n] = true
			for _, to := range edges[n] {
				follow(to)
			}
		}
	}
	for _, m := range c.LinkMaps {
		program := name(m.Program().Object)
		if m.Interp != nil {
			edges[program] = append(edges[program], name(m.Interp.Object))
		}
		for _, n := range m.Needs {
			if n.To != nil {
				from := name(n.From.Object)
				edges[from] = append(edges[from], name(n.To.Object))
			}
		}
	}
	for _, m := range c.LinkMaps {
		follow(name(m.Program().Object))
	}
	return seen
}

// TestSizesReal: the objects of the store set are all there, and the program holds all but what has
// another holder.
func TestSizesReal(t *testing.T) {
	results := storeDir(t, "results")
	root, err := closure.OpenRoot("/")
	if err != nil {
		t.Fatal(err)
	}
	c, err := closure.Walk(root, []string{path.Join(results, "sensor-plain/bin/sensor")}, closure.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, o := range c.Objects {
		sum += o.Size
	}
	retained := map[string]int64{}
	for _, p := range c.ByObject() {
		retained[path.Base(p.Path)] = p.Retained
	}
	if retained["sensor"] != sum {
		t.Errorf("the program retains %d of %d bytes", retained["sensor"], sum)
	}
	// Only libopencv_dnn needs protobuf and only libopencv_core LAPACK, whose Fortran library nothing else needs.
	held := map[string]string{}
	for _, p := range c.ByStorePath() {
		if p.Holder != nil {
			held[short(p.Path)] = short(p.Holder.Path)
		}
	}
	for part, holder := range map[string]string{
		"libprotobuf32": "libopencv-dnn406", "liblapack3": "libopencv-core406", "libgfortran5": "liblapack3",
		"libxau6": "libxcb1", "glibc": "sensor", "libstdc++6": "sensor",
	} {
		if held[part] != holder {
			t.Errorf("%s is held by %q, want %q (all: %v)", part, held[part], holder, slices.Sorted(maps.Keys(held)))
		}
	}
}

func short(storePath string) string {
	sp, _, _ := closure.ParseStorePath("/nix/store", storePath)
	return sp.Package()
}
