package closure_test

import (
	"os"
	"path"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
)

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
