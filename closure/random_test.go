package closure_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestRandomReal makes trees of libraries at random, with names, sonames, run paths and links that
// cross each other, and holds the walk of each against this machine's loader.
func TestRandomReal(t *testing.T) {
	needOracle(t)
	if _, err := os.Stat(x86Interp); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no glibc for x86-64 here")
	}
	cases := 60
	if os.Getenv("NIXBUNDLE_FULL") != "" {
		cases = 1000
	}
	objects := 0
	loaders := realLoaders(t)
	for seed := range cases {
		files := randomTree(rand.New(rand.NewPCG(uint64(seed), 7)))
		dir := files.startedBy(loaders[seed%len(loaders)]).write(t)
		n, err := compareOne(os.DirFS("/"), "", dir+"/bin/prog")
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		objects += n
	}
	t.Logf("%d trees, %d objects, by %q", cases, objects, loaders)
}

// realLoaders are this machine's ld.so and those of other versions of glibc, which run here as well.
func realLoaders(t *testing.T) []string {
	t.Helper()
	others, err := filepath.Glob(filepath.Join(storeDir(t, "loaders"), "*.so"))
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{x86Interp}, others...)
}

// startedBy is a tree whose program names that loader.
func (t tree) startedBy(loader string) tree {
	t = maps.Clone(t)
	start := t["bin/prog"].(elftest.Image)
	start.Interp = loader
	t["bin/prog"] = start
	return t
}

// randomTree is a program and up to 20 libraries of 6 names in 4 folders.
func randomTree(r *rand.Rand) tree {
	const names, folders = 6, 4
	pick := func() string { return fmt.Sprintf("lib%d.so", r.IntN(names)) }
	object := func() elftest.Image {
		im := elftest.Image{}
		for range r.IntN(5) {
			name := pick()
			switch r.IntN(12) {
			case 0:
				name = fmt.Sprintf("DIR/%d/%s", r.IntN(folders), name)
			case 1:
				name = fmt.Sprintf("$ORIGIN/../%d/%s", r.IntN(folders), name)
			}
			im.Needed = append(im.Needed, name)
		}
		if r.IntN(3) > 0 {
			im.RPath = randomList(r, folders)
		}
		if r.IntN(4) == 0 {
			im.RunPath, im.HasRunPath = randomList(r, folders), true
		}
		return im
	}
	start := program(object(), pick(), pick(), pick())
	if r.IntN(2) == 0 {
		start = rpath(runPath(start, ""), "DIR/3:DIR/1:DIR/0:DIR/2")
		start.HasRunPath = false // all that is missing elsewhere is found, so that the tree goes deep
	}
	files := tree{"bin/prog": start}
	for folder := range folders {
		for name := range names {
			at := fmt.Sprintf("%d/lib%d.so", folder, name)
			switch r.IntN(10) {
			case 0, 1:
			case 2:
				files[at] = elftest.Link(fmt.Sprintf("../%d/%s", r.IntN(folders), pick()))
			case 3:
				files[at] = elftest.Image{Machine: 183, Soname: pick()}
			case 4:
				im := object()
				im.Soname = pick()
				files[at] = im
			case 5:
				files[at] = object()
			default:
				im := object()
				im.Soname = fmt.Sprintf("lib%d.so", name)
				files[at] = im
			}
		}
	}
	return files
}

// randomList is a run path of up to 4 elements.
func randomList(r *rand.Rand, folders int) string {
	var list string
	for range 1 + r.IntN(5) {
		forms := []string{"DIR/%d", "$ORIGIN/../%d", "${ORIGIN}/../%d/", "DIR//%d", "DIR/%d", "DIR/none%d", "$FOO/%d"}
		list += fmt.Sprintf(forms[r.IntN(len(forms))], r.IntN(folders)) + ":"
	}
	if list == "" {
		return list
	}
	return list[:len(list)-1]
}
