package closure_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// trace is what the real loader tells of a program.
type trace struct {
	files   []string // in load order, the program first
	missing []string // names that it did not find
	says    string   // its complaints
}

// loadOrder asks the real loader. sysroot is "" for this machine's own files.
func loadOrder(program, sysroot string, env ...string) (trace, error) {
	var args []string
	for _, v := range env {
		args = append(args, "-e", v)
	}
	args = append(args, program)
	if sysroot != "" {
		args = append(args, sysroot)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("../testdata/oracle/load-order.sh", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return trace{}, fmt.Errorf("load-order.sh %v: %w\n%s", args, err, stderr.String())
	}
	tr := trace{says: stderr.String()}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 {
			return trace{}, fmt.Errorf("load-order.sh %v: %q", args, line)
		}
		if fields[2] == "not found" {
			if !slices.Contains(tr.missing, fields[1]) { // told for each who asks
				tr.missing = append(tr.missing, fields[1])
			}
		} else {
			tr.files = append(tr.files, fields[2])
		}
	}
	for line := range strings.Lines(tr.says) { // musl's way to say it
		if rest, ok := strings.CutPrefix(line, "Error loading shared library "); ok && strings.Contains(rest, ": No such file") {
			tr.missing = append(tr.missing, rest[:strings.Index(rest, ": ")])
		}
	}
	return tr, nil
}

// needOracle skips a test that cannot ask the real loader; on CI it must be able to.
func needOracle(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range append(tools, "bash", "awk", "readelf") {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, tool+" is not installed")
		}
	}
}

func skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// storeDir is where `make store` puts the results and roots.
func storeDir(t testing.TB, below ...string) string {
	t.Helper()
	dir := os.Getenv("NIXBUNDLE_STORE")
	if dir == "" {
		dir = "../.store"
	}
	dir = filepath.Join(append([]string{dir}, below...)...)
	if _, err := os.Stat(dir); err != nil {
		skip(t, "no store: run `make store`")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// dynamicPrograms lists the programs in some folders of a root that have a loader, each file once.
func dynamicPrograms(t testing.TB, root fs.FS, dirs ...string) []string {
	t.Helper()
	var programs []string
	seen := map[string]bool{}
	for _, dir := range dirs {
		entries, err := fs.ReadDir(root, dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if at := path.Join(dir, e.Name()); e.Type().IsRegular() && hasInterp(root, at) && !seen[at] {
				seen[at] = true
				programs = append(programs, "/"+at)
			}
		}
	}
	return programs
}

func hasInterp(root fs.FS, name string) bool {
	f, err := root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return false
	}
	r, ok := f.(closure.File)
	if !ok {
		return false
	}
	info, err := elfpatch.Read(r, st.Size())
	return err == nil && info.Interp != ""
}

// sample takes every n-th so that about some are left, or all for NIXBUNDLE_FULL=1.
func sample(programs []string, some int) []string {
	if os.Getenv("NIXBUNDLE_FULL") != "" || len(programs) <= some {
		return programs
	}
	var taken []string
	for i := range some {
		taken = append(taken, programs[i*len(programs)/some])
	}
	return taken
}

// compare holds the walk of some programs against the real loader, on all processors.
func compare(t *testing.T, root fs.FS, sysroot string, programs []string) {
	t.Helper()
	limit := make(chan struct{}, runtime.NumCPU())
	var wait sync.WaitGroup
	var mu sync.Mutex
	objects, differ := 0, 0
	for _, program := range programs {
		wait.Add(1)
		limit <- struct{}{}
		go func() {
			defer func() { <-limit; wait.Done() }()
			n, err := compareOne(root, sysroot, program)
			mu.Lock()
			defer mu.Unlock()
			objects += n
			if err != nil {
				differ++
				t.Error(err)
			}
		}()
	}
	wait.Wait()
	t.Logf("%d programs, %d objects, %d programs differ", len(programs), objects, differ)
}

func compareOne(root fs.FS, sysroot, program string) (objects int, err error) {
	return compareGiven(root, sysroot, program, closure.Options{}, nil)
}

// compareGiven does so with options, which are env to the loader.
func compareGiven(root fs.FS, sysroot, program string, opts closure.Options, env []string) (objects int, err error) {
	c, err := closure.Walk(root, []string{program}, opts)
	if err != nil {
		return 0, err
	}
	m := c.LinkMaps[0]
	// The oracle starts a program of this machine by its real path, and no wrapper of it.
	if m.Setup != nil {
		for _, name := range []string{"LD_LIBRARY_PATH", "LD_PRELOAD"} {
			if value, set := wrapper.Variable(m.Setup.Env, name, "", false); set {
				env = append(env, name+"="+value)
			}
		}
	}
	want, err := loadOrder(m.Program().Path, sysroot, env...)
	if err != nil {
		return 0, err
	}
	want.files[0] = m.Program().Path
	got, missing := order(m)
	if !slices.Equal(got, want.files) || !slices.Equal(missing, want.missing) {
		return 0, fmt.Errorf("%s:\ngot  %q, missing %q\nwant %q, missing %q", program, got, missing, want.files, want.missing)
	}
	return len(got), nil
}

// order is a link map as the oracle tells it.
func order(m *closure.LinkMap) (files, missing []string) {
	for _, l := range m.Loaded {
		files = append(files, l.Path)
	}
	for _, n := range m.Needs {
		name := n.Name
		if strings.Contains(name, "$") && len(n.Tried) > 0 {
			name = n.Tried[0].Path // with its tokens expanded
		}
		if n.To == nil && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return files, missing
}

// TestOracleMachine compares the programs of this machine.
func TestOracleMachine(t *testing.T) {
	needOracle(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the oracle runs x86-64 programs only")
	}
	root := os.DirFS("/")
	programs := dynamicPrograms(t, root, "usr/bin", "usr/sbin", "usr/games", "usr/libexec")
	if len(programs) == 0 {
		t.Skip("no dynamic programs in /usr/bin")
	}
	compare(t, root, "", sample(programs, 40))
}

// TestOracleStore compares every dynamic program of the store set, which are of other machines.
func TestOracleStore(t *testing.T) {
	results := storeDir(t, "results")
	needOracle(t, "qemu-aarch64-static", "qemu-arm-static")
	compare(t, os.DirFS("/"), "", storePrograms(t, results))
}

// TestOracleRoots compares the programs of Debian roots for other machines, each inside its root.
func TestOracleRoots(t *testing.T) {
	eachRoot(t, func(t *testing.T, root fs.FS, sysroot string) {
		some := 10
		if filepath.Base(sysroot) == "programs-arm64" {
			some = 100
		}
		programs := dynamicPrograms(t, root, "usr/bin", "usr/sbin", "usr/lib/git-core", "bin", "sbin")
		compare(t, root, sysroot, sample(programs, some))
	})
}

// eachRoot runs a test in each Debian root for another machine; `make test` has the first of them.
func eachRoot(t *testing.T, test func(t *testing.T, root fs.FS, sysroot string)) {
	t.Helper()
	roots := storeDir(t, "root")
	needOracle(t, "qemu-aarch64-static", "qemu-arm-static", "chroot")
	for i, name := range []string{"bookworm-arm64", "bookworm-armhf", "programs-arm64",
		"bullseye-arm64", "programs-i386", "programs-ppc64el", "programs-s390x", "programs-riscv64"} {
		t.Run(name, func(t *testing.T) {
			sysroot := filepath.Join(roots, name)
			root, err := closure.OpenRoot(sysroot)
			if err != nil && i >= 3 && os.Getenv("NIXBUNDLE_FULL") == "" {
				t.Skip("only make test-full has this root")
			}
			if err != nil {
				t.Fatal(err)
			}
			test(t, root, sysroot)
		})
	}
}
