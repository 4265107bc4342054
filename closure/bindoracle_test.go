package closure_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
)

// realBindings asks the real loader. Each is "FILE SYMBOL VERSION|- -> FILE|UNDEFINED".
func realBindings(program, sysroot string) (map[string]bool, string, error) {
	args := []string{program}
	if sysroot != "" {
		args = append(args, sysroot)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("../testdata/oracle/bindings.sh", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 1) {
		return nil, "", fmt.Errorf("bindings.sh %v: %w\n%s", args, err, stderr.String())
	}
	set := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		set[strings.TrimSuffix(line, "\n")] = true
	}
	return set, stderr.String(), nil
}

// oracleSet writes bindings as the oracle does. It is silent of a weak reference that nothing answers,
// of what is bound without a lookup, and in this mode of ld.so's own.
func oracleSet(b *closure.Bindings) map[string]bool {
	set := map[string]bool{}
	for v := range b.All() {
		if v.Own || v.From == b.Map.Interp || v.To == nil && v.Weak {
			continue
		}
		version, to := v.Version, "UNDEFINED"
		if version == "" {
			version = "-"
		}
		if v.To != nil {
			to = v.To.Path
		}
		set[fmt.Sprintf("%s %s %s -> %s", v.From.Path, v.Symbol, version, to)] = true
	}
	return set
}

// faultSet writes what the version check finds as the loader does.
func faultSet(b *closure.Bindings) map[string]bool {
	set := map[string]bool{}
	for _, f := range b.Faults {
		text := fmt.Sprintf("version `%s' not found", f.Version)
		if f.Weak {
			text = "weak " + text
		}
		if f.NoInfo {
			text = "no version information available"
		}
		set[fmt.Sprintf("%s: %s (required by %s)", f.To.Path, text, f.From.Path)] = true
	}
	return set
}

// realFaults are the loader's own lines about versions, without the program's name before them.
func realFaults(says string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(says) {
		_, fault, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if ok && strings.HasSuffix(fault, ")") && strings.Contains(fault, "(required by ") && !strings.Contains(line, "(continued)") {
			set[fault] = true
		}
	}
	return set
}

// bind walks and binds one program.
func bind(t testing.TB, root fs.FS, program string) *closure.Bindings {
	t.Helper()
	c, err := closure.Walk(root, []string{program}, closure.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := closure.Bind(c.LinkMaps[0])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compareBindings holds the bindings of some programs against the real loader's.
func compareBindings(t *testing.T, root fs.FS, sysroot string, programs []string) {
	t.Helper()
	limit := make(chan struct{}, runtime.NumCPU())
	var wait sync.WaitGroup
	var mu sync.Mutex
	compared, differ := 0, 0
	for _, program := range programs {
		limit <- struct{}{}
		wait.Go(func() {
			defer func() { <-limit }()
			n, err := compareBindingsOne(root, sysroot, program)
			mu.Lock()
			defer mu.Unlock()
			compared += n
			if err != nil {
				differ++
				t.Error(err)
			}
		})
	}
	wait.Wait()
	t.Logf("%d programs, %d bindings, %d programs differ", len(programs), compared, differ)
}

func compareBindingsOne(root fs.FS, sysroot, program string) (int, error) {
	c, err := closure.Walk(root, []string{program}, closure.Options{})
	if err != nil {
		return 0, err
	}
	m := c.LinkMaps[0]
	if m.Loader.Kind != closure.LoaderGlibc {
		return 0, nil // only glibc's loader tells
	}
	b, err := closure.Bind(m)
	if err != nil {
		return 0, err
	}
	want, says, err := realBindings(m.Program().Path, sysroot)
	if err != nil {
		return 0, err
	}
	got := oracleSet(b)
	maps.Copy(got, faultSet(b))
	maps.Copy(want, realFaults(says))
	if diff := difference(got, want); diff != "" {
		return len(got), fmt.Errorf("%s: %s%s", program, diff, says)
	}
	return len(got), nil
}

// difference tells the first lines in which two sets differ; "" where they do not.
func difference(got, want map[string]bool) string {
	var text strings.Builder
	n := 0
	for _, d := range []struct {
		mark string
		a, b map[string]bool
	}{{"too much", got, want}, {"missing", want, got}} {
		for _, line := range slices.Sorted(maps.Keys(d.a)) {
			if !d.b[line] {
				if n++; n <= 12 {
					fmt.Fprintf(&text, "\n%s: %s", d.mark, line)
				}
			}
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d bindings differ:%s\n", n, len(want), text.String())
}

// TestBindMachine compares the programs of this machine.
func TestBindMachine(t *testing.T) {
	needOracle(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the oracle runs x86-64 programs only")
	}
	root := os.DirFS("/")
	programs := dynamicPrograms(t, root, "usr/bin", "usr/sbin", "usr/games", "usr/libexec", "usr/lib/git-core")
	compareBindings(t, root, "", sample(programs, 25))
}

// TestBindStore compares every program of the store set.
func TestBindStore(t *testing.T) {
	results := storeDir(t, "results")
	needOracle(t, "qemu-aarch64-static", "qemu-arm-static")
	compareBindings(t, os.DirFS("/"), "", storePrograms(t, results))
}

// storePrograms are the programs of the store set that have a loader, by their real paths.
func storePrograms(t testing.TB, results string) []string {
	t.Helper()
	root := os.DirFS("/")
	entries, err := os.ReadDir(results)
	if err != nil {
		t.Fatal(err)
	}
	var programs []string
	for _, e := range entries {
		found, err := closure.Programs(root, filepath.Join(results, e.Name()), closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, program := range found {
			if real, err := filepath.EvalSymlinks(program); err == nil && hasInterp(root, real[1:]) {
				programs = append(programs, real)
			}
		}
	}
	return programs
}

// TestBindRoots compares programs of Debian roots for other machines, each inside its root.
func TestBindRoots(t *testing.T) {
	eachRoot(t, func(t *testing.T, root fs.FS, sysroot string) {
		programs := dynamicPrograms(t, root, "usr/bin", "usr/sbin", "usr/lib/git-core")
		compareBindings(t, root, sysroot, sample(programs, 8))
	})
}
