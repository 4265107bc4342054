package closure_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

func chainNames(chain []*closure.Need) string {
	var names []string
	for _, n := range chain {
		names = append(names, n.Name)
	}
	return strings.Join(names, " ")
}

// TestWhyAll holds the chains of random processes, some with needs in a circle, against every path
// that a plain search finds.
func TestWhyAll(t *testing.T) {
	for seed := range 60 {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		files, circles := tree{}, seed%2 == 0
		pick := func(from int) (names []string) {
			for i := range 9 {
				if (circles || i > from) && r.IntN(3) == 0 {
					names = append(names, fmt.Sprintf("lib%d.so", i))
				}
			}
			return names
		}
		files["bin/prog"] = rpath(program(elftest.Image{}, pick(-1)...), "DIR/lib")
		for i := range 9 {
			files[fmt.Sprintf("lib/lib%d.so", i)] = lib("", pick(i)...)
		}
		c, err := closure.Walk(files.at("/t").FS(), []string{"/t/bin/prog"}, closure.Options{Loader: &debian})
		if err != nil {
			t.Fatal(err)
		}
		m := c.LinkMaps[0]
		var want []string
		for _, chain := range allChains(m, nil, m.Program(), "lib8.so") {
			want = append(want, chainNames(chain))
		}
		reasons := c.Why(m, "lib8.so", 1<<20)
		var got []string
		for _, reason := range reasons {
			for i, chain := range reason.Chains {
				got = append(got, chainNames(chain))
				if i > 0 && len(chain) < len(reason.Chains[i-1]) {
					t.Errorf("seed %d: a shorter chain comes later", seed)
				}
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: got %q\nwant %q", seed, got, want)
		}
		for _, few := range c.Why(m, "lib8.so", 2) {
			all := uint64(len(few.Chains)) + few.More
			if all > uint64(len(want)) || !few.Least && all != uint64(len(want)) || !circles && few.Least {
				t.Errorf("seed %d: %d listed and %d more (least %v), of %d", seed, len(few.Chains), few.More, few.Least, len(want))
			}
		}
	}
}

func allChains(m *closure.LinkMap, before []*closure.Need, at *closure.Loaded, name string) (all [][]*closure.Need) {
	for _, n := range m.NeedsOf(at) {
		seen := n.To == nil || n.To == m.Program() || slices.ContainsFunc(before, func(b *closure.Need) bool { return b.To == n.To })
		switch chain := append(slices.Clip(before), n); {
		case seen:
		case n.Name == name:
			all = append(all, chain)
		default:
			all = append(all, allChains(m, chain, n.To, name)...)
		}
	}
	return all
}

// TestWhyMany: a process with more chains than can be counted one by one ends in time.
func TestWhyMany(t *testing.T) {
	files := tree{"bin/prog": rpath(program(elftest.Image{}, "lib0a.so", "lib0b.so"), "DIR/lib"), "lib/end.so": lib("")}
	const layers = 80
	for i := range layers {
		next := []string{fmt.Sprintf("lib%da.so", i+1), fmt.Sprintf("lib%db.so", i+1)}
		if i == layers-1 {
			next = []string{"end.so", "lib3a.so"} // and round again
		}
		files[fmt.Sprintf("lib/lib%da.so", i)] = lib("", next...)
		files[fmt.Sprintf("lib/lib%db.so", i)] = lib("", next...)
	}
	c, err := closure.Walk(files.at("/t").FS(), []string{"/t/bin/prog"}, closure.Options{Loader: &debian})
	if err != nil {
		t.Fatal(err)
	}
	r := c.Why(c.LinkMaps[0], "end.so", 5)[0]
	if len(r.Chains) != 5 || r.More < 1<<63 || !r.Least {
		t.Errorf("got %d, %d more, least %v", len(r.Chains), r.More, r.Least)
	}
	if r := c.Why(c.LinkMaps[0], "none.so", 5); r != nil {
		t.Errorf("got %v", r)
	}
}
