package closure_test

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
)

// chain writes a chain as a reader would.
func chain(needs []*closure.Need) string {
	var names []string
	for _, n := range needs {
		names = append(names, path.Base(n.From.Path))
	}
	return strings.Join(append(names, needs[len(needs)-1].Name), " → ")
}

// TestStoreFindings judges the store set, which was built to hold these clashes and no others.
func TestStoreFindings(t *testing.T) {
	results := storeDir(t, "results")
	for name, want := range map[string][]string{
		"sensor-plain":    nil,
		"sensor-fixed":    nil,
		"sensor-twoprogs": nil,
		"sensor-samesoname": {
			"error same-soname libprotobuf.so.32",
			"sensor → libtensorflowlite.so.2 → libprotobuf.so.32",
			"sensor → libopencv_dnn.so.406 → libprotobuf.so.32",
		},
		"sensor-diffsoname": {
			"error two-versions libprotobuf",
			"sensor → libtensorflowlite.so.2 → libprotobuf.so.23",
			"sensor → libopencv_dnn.so.406 → libprotobuf.so.32",
		},
		"armhf-sqlite3":  nil,
		"misc-muslHello": nil,
		"misc-static":    nil,
		"misc-ioc":       nil,
		"misc-wrongArchFirst": {
			"note wrong-machine libz.so.1",
			"greet → libz.so.1",
			"greet → libz.so.1",
		},
	} {
		root := os.DirFS("/")
		programs, err := closure.Programs(root, path.Join(results, name), closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := closure.Walk(root, programs, closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := closure.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range findings {
			got = append(got, fmt.Sprintf("%v %v %s", f.Severity, f.Kind, f.Name))
			for _, copied := range f.Copies {
				for _, needs := range copied.Chains {
					got = append(got, chain(needs))
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestUsersReal: of the two clashes of the store set, the references of each object that a finding
// counts are those that the loader binds to the wrong copy (LD_DEBUG=bindings).
func TestUsersReal(t *testing.T) {
	results := storeDir(t, "results")
	needOracle(t, "qemu-aarch64-static")
	for name, least := range map[string]map[string]int{
		"sensor-samesoname": {"libopencv_dnn.so.406": 147},
		"sensor-diffsoname": {"libopencv_dnn.so.406": 117},
	} {
		c, err := closure.Walk(os.DirFS("/"), []string{path.Join(results, name, "bin/sensor")}, closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := closure.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		real, _, err := realBindings(c.LinkMaps[0].Program().Path, "")
		if err != nil {
			t.Fatal(err)
		}
		f, total := findings[0], 0
		got := map[string]int{}
		for _, u := range f.Users {
			want := 0
			for line := range real {
				if strings.HasPrefix(line, u.From.Path+" ") && strings.HasSuffix(line, " -> "+f.Copies[0].Path) {
					want++
				}
			}
			if u.References != want {
				t.Errorf("%s: %d references of %s, the loader has %d: %s", name, u.References, u.From.Path, want, f.What)
			}
			got[path.Base(u.From.Path)], total = u.References, total+u.References
		}
		for file, n := range least {
			if got[file] != n {
				t.Errorf("%s: %d references of %s, want %d", name, got[file], file, n)
			}
		}
		if total != f.References {
			t.Errorf("%s: %d references, together %d", name, f.References, total)
		}
	}
}
