package closure_test

import (
	"fmt"
	"path"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
)

// knownErrors are the errors in programs of Debian, each of them looked at: what they say is true.
var knownErrors = map[string]string{
	// libisc exports a strlcpy of its own and stands before libbsd, which libedit was linked with.
	"nslookup": "error interposed libbsd.so.0",
	"nsupdate": "error interposed libbsd.so.0",
}

// TestHealthy judges programs that work: an error in one is a false alarm, or a clash that nobody has
// noticed. Of at least 200 it may be one in a hundred.
func TestHealthy(t *testing.T) {
	root, err := closure.OpenRoot(storeDir(t, "root", "programs-arm64"))
	if err != nil {
		t.Fatal(err)
	}
	programs := dynamicPrograms(t, root, "usr/bin", "usr/sbin", "usr/games", "usr/libexec", "usr/lib/git-core")
	counts := map[closure.Severity]int{}
	for _, program := range programs {
		c, err := closure.Walk(root, []string{program}, closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := closure.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		worst := closure.Note + 1
		for _, f := range findings {
			worst = min(worst, f.Severity)
			told := fmt.Sprintf("%v %v %s", f.Severity, f.Kind, f.Name)
			t.Logf("%s: %s: %s", program, told, f.What)
			if f.Severity == closure.Error && knownErrors[path.Base(program)] != told {
				t.Errorf("%s: a new error: %s", program, f.What)
			}
		}
		counts[worst]++
	}
	errors := counts[closure.Error]
	t.Logf("%d programs: %d with errors, %d with warnings at most, %d with notes", len(programs), errors,
		counts[closure.Warning], counts[closure.Note])
	if len(programs) < 200 || 100*errors > len(programs) {
		t.Errorf("%d of %d programs have errors", errors, len(programs))
	}
}
