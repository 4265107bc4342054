package closure_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// TestDamagedLibraries: whatever stands in a library, the walk gives an error or an answer.
func TestDamagedLibraries(t *testing.T) {
	good := runPath(lib("liba.so", "libb.so"), "$ORIGIN:/lib").Bytes()
	files := elftest.Tree{
		"/bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "/lib"),
		"/lib/libb.so": lib("libb.so"),
		x86Interp:      lib("ld-linux-x86-64.so.2"),
	}
	try := func(data []byte) {
		files["/lib/liba.so"] = elftest.Data(data)
		c, err := closure.Walk(files.FS(), []string{"/bin/prog"}, closure.Options{})
		if err != nil {
			if _, ok := errors.AsType[*closure.LoadError](err); !ok {
				t.Fatalf("got %v", err)
			}
			return
		}
		if _, err := closure.Judge(c); err != nil {
			t.Fatal(err)
		}
	}
	for n := range good {
		try(good[:n])
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		data := bytes.Clone(good)
		for range 1 + random.IntN(8) {
			data[random.IntN(len(data))] = byte(random.Uint32())
		}
		try(data)
	}
}

// TestHostileTrees: names, links and lists made to do harm.
func TestHostileTrees(t *testing.T) {
	loops := elftest.Tree{}
	for i := range 100 {
		loops[fmt.Sprintf("/chain/%d", i)] = elftest.Link(fmt.Sprintf("/chain/%d", i+1))
	}
	for name, files := range map[string]elftest.Tree{
		"newlines": {
			"/bin/prog":        runPath(program(elftest.Image{}, "lib\na.so", "\x1b[31m"), "/li\nb"),
			"/li\nb/lib\na.so": lib("x\ny"),
		},
		"not utf-8":      {"/bin/prog": runPath(program(elftest.Image{}, "lib\xff.so"), "/\xfe")},
		"long names":     {"/bin/prog": runPath(program(elftest.Image{}, strings.Repeat("x", 5000)), "/"+strings.Repeat("y", 5000))},
		"long links":     {"/bin/prog": runPath(program(elftest.Image{}, "0", "60", "70"), "/chain")},
		"link to itself": {"/bin/prog": runPath(program(elftest.Image{}, "a"), "/l"), "/l/a": elftest.Link("a/b")},
		"link to top":    {"/bin/prog": runPath(program(elftest.Image{}, "a"), "/l/l/l/bin"), "/l": elftest.Link("/")},
		"needs itself":   {"/bin/prog": runPath(program(elftest.Image{}, "prog", "liba.so"), "/lib"), "/lib/liba.so": runPath(lib("", "liba.so"), "/lib")},
		"dots":           {"/bin/prog": runPath(program(elftest.Image{}, "..", ".", "../prog"), "/bin:/..")},
		"slashes":        {"/bin/prog": program(elftest.Image{}, "/", "//", "/.", "/bin/")},
		"tokens":         {"/bin/prog": runPath(program(elftest.Image{}, "$", "${", "$ORIGIN", "${ORIGIN}/x"), "$:${:${}:$ORIGIN$ORIGIN")},
	} {
		t.Run(name, func(t *testing.T) {
			all := maps.Clone(loops)
			maps.Copy(all, files)
			c, err := closure.Walk(all.FS(), []string{"/bin/prog"}, closure.Options{})
			if err != nil {
				if _, ok := errors.AsType[*closure.LoadError](err); !ok {
					t.Fatalf("got %v", err)
				}
				return
			}
			if _, err := closure.Judge(c); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestTooManySearches: a file that asks for a search without end gets an error.
func TestTooManySearches(t *testing.T) {
	var needed []string
	for i := range 3000 {
		needed = append(needed, fmt.Sprintf("lib%d.so", i))
	}
	files := elftest.Tree{"/bin/prog": runPath(program(elftest.Image{}, needed...), manyDirs(3000))}
	_, err := closure.Walk(files.FS(), []string{"/bin/prog"}, closure.Options{})
	if e, ok := errors.AsType[*closure.ProgramError](err); !ok || !strings.Contains(e.Why, "more searches") {
		t.Errorf("got %v", err)
	}
}

// TestTooManyOfOneHash: names made to have one hash get an error, and soon.
func TestTooManyOfOneHash(t *testing.T) {
	const pairs = 13
	var symbols []elftest.Symbol
	for i := range 1 << pairs {
		name := ""
		for bit := range pairs {
			name += []string{"ab", "bA"}[i>>bit&1] // 97*33 + 98 is 98*33 + 65
		}
		symbols = append(symbols, elftest.Symbol{Name: name})
	}
	files := elftest.Tree{
		x86Interp:      lib(ldso),
		"/bin/prog":    refers(runPath(program(elftest.Image{}, "liba.so"), "/lib"), symbols...),
		"/lib/liba.so": exporting(lib("liba.so"), symbols...),
	}
	_, err := closure.Bind(walk(t, files, "/bin/prog").LinkMaps[0])
	if e, ok := errors.AsType[*closure.BindError](err); !ok || e.Object.Path != "/bin/prog" {
		t.Errorf("got %v", err)
	}
}

func manyDirs(n int) string {
	var dirs []string
	for i := range n {
		dirs = append(dirs, fmt.Sprintf("/d%d", i))
	}
	return strings.Join(dirs, ":")
}
