package closure_test

import (
	"debug/elf"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestWalkAnyProcessors: what is read ahead, right or wrong, changes nothing. Each library is in one of
// two directories or, as one file, in both; files for another machine and links to another library
// stand in the way.
func TestWalkAnyProcessors(t *testing.T) {
	files := elftest.Tree{x86Interp: lib(ldso)}
	const n = 200
	name := func(i int) string { return fmt.Sprintf("lib%d.so", i) }
	for i := range n {
		dirs := []string{"/a", "/b"}
		switch {
		case i%3 == 0:
			files["/a/"+name(i)] = elftest.Link("../b/" + name(i))
		case i%7 == 0:
			files["/a/"+name(i)] = elftest.Image{Machine: elf.EM_386, Soname: name(i)}
		case i%31 == 30:
			files["/a/"+name(i)] = elftest.Link("/b/" + name(i-1))
		}
		slices.Reverse(dirs[:1+i%2])
		image := lib(name(i%(n-3)), name((2*i+1)%n), name((5*i+3)%n), name((i+1)%n))
		files["/b/"+name(i)] = runPath(image, dirs[0]+":"+dirs[1])
	}
	files["/bin/prog"] = runPath(program(elftest.Image{}, name(0), name(1)), "/a:/b")
	all := needs(walk(t, files, "/bin/prog"))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		if got := needs(walk(t, files, "/bin/prog")); !slices.Equal(got, all) {
			t.Errorf("%d processors: another link map", procs)
		}
	}
	if len(all) < n {
		t.Errorf("only %d needs", len(all))
	}
}

// needs are the needs of a closure with everything that was learnt on the way.
func needs(c *closure.Closure) []string {
	var lines []string
	for _, m := range c.LinkMaps {
		for _, n := range m.Needs {
			line := fmt.Sprintf("%s %s %v %s", n.From.Path, n.Name, n.Rule, n.Path)
			if n.To != nil {
				line += " " + n.To.Object.Path
			}
			for _, tried := range n.Tried {
				line += fmt.Sprintf("; %s %v %s", tried.Path, tried.Rule, tried.Why)
			}
			lines = append(lines, line)
		}
	}
	for _, o := range c.Objects {
		lines = append(lines, o.Path)
	}
	return lines
}
