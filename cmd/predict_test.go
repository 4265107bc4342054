package cmd_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

// The prediction is held against the loader: programs that ask for versions on both sides of what a
// machine's glibc has are bundled for the machine's own C library and started in a root made of that
// machine's packages.

// judgedRoot is a root and the known targets that it is.
type judgedRoot struct {
	name, arch string
	targets    []string
}

var judgedRoots = []judgedRoot{
	{"bullseye-arm64", "arm64", []string{"debian-11", "raspios-bullseye"}},
	{"bookworm-arm64", "arm64", []string{"debian-12", "raspios-bookworm"}},
	{"bookworm-armhf", "armhf", []string{"debian-12", "raspios-bookworm"}},
	{"trixie-arm64", "arm64", []string{"debian-13", "raspios-trixie"}},
}

// ask is one thing that an object wants of the C library.
type ask struct {
	file, symbol, version string
	weak                  bool // the reference is weak
	weakVersion           bool // the version is (VER_FLG_WEAK), which no link editor at hand makes
}

// asks are real symbols, one that each version brought, and some that are in none or elsewhere.
var asks = []ask{
	{file: "libc.so.6", symbol: "statx", version: "GLIBC_2.28"},
	{file: "libc.so.6", symbol: "gettid", version: "GLIBC_2.30"},
	{file: "libc.so.6", symbol: "pthread_clockjoin_np", version: "GLIBC_2.31"},
	{file: "libpthread.so.0", symbol: "pthread_clockjoin_np", version: "GLIBC_2.31"},
	{file: "libc.so.6", symbol: "__libc_single_threaded", version: "GLIBC_2.32"},
	{file: "libc.so.6", symbol: "mallinfo2", version: "GLIBC_2.33"},
	{file: "libc.so.6", symbol: "dlsym", version: "GLIBC_2.34"},
	{file: "libc.so.6", symbol: "__memcmpeq", version: "GLIBC_2.35"},
	{file: "libc.so.6", symbol: "arc4random", version: "GLIBC_2.36"},
	{file: "libc.so.6", symbol: "strlcpy", version: "GLIBC_2.38"},
	{file: "libc.so.6", symbol: "pidfd_spawn", version: "GLIBC_2.39"},
	{file: "libc.so.6", symbol: "sched_setattr", version: "GLIBC_2.41"},
	{file: "libm.so.6", symbol: "pow", version: "GLIBC_2.29"},
	{file: "libm.so.6", symbol: "totalorderf", version: "GLIBC_2.31"},
	{file: "libm.so.6", symbol: "hypotf", version: "GLIBC_2.35"},
	{file: "libm.so.6", symbol: "fmod", version: "GLIBC_2.38"},
	{file: "libm.so.6", symbol: "cospi", version: "GLIBC_2.41"},
	{file: "libc.so.6", symbol: "never", version: "GLIBC_2.99"},
	{file: "libc.so.6", symbol: "strlcpy", version: "GLIBC_2.38", weak: true},
	{file: "libc.so.6", symbol: "strlcpy", version: "GLIBC_2.38", weak: true, weakVersion: true},
	{file: "libc.so.6", symbol: "strlcpy", version: "GLIBC_2.38", weakVersion: true},
	{file: "libc.so.6", symbol: "arc4random", version: "GLIBC_2.36", weakVersion: true},
	{file: "libBrokenLocale.so.2"},
}

// relr is what a file with DT_RELR asks for, but for the symbol: a real C library has none in this version.
var relr = ask{file: "libc.so.6", symbol: "relr", version: "GLIBC_ABI_DT_RELR", weak: true}

// wish is a program: what it asks for itself, and what its library asks for.
type wish struct {
	program, library []ask
	relr             bool // with DT_RELR, and what a link editor has it ask for
}

// TestPredictions: a bundle starts with the target's own C library exactly where the verdict says yes;
// where it says no, the loader names the same versions of the same files, for the same objects.
func TestPredictions(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	full := os.Getenv("NIXBUNDLE_FULL") != ""
	wishes := []wish{{}, {program: asks[1:4], library: asks[4:9]}, {program: asks[9:12], library: asks[12:18]},
		{program: []ask{relr, asks[0]}, library: []ask{relr, asks[0]}, relr: true}}
	for i, a := range append(asks, relr) {
		if full || i%2 == 0 {
			wishes = append(wishes, wish{program: []ask{a}})
		}
		if full || i%2 == 1 {
			wishes = append(wishes, wish{library: []ask{a}})
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for n := 0; full && n < 100; n++ {
		var w wish
		for _, a := range asks {
			switch random.IntN(12) {
			case 0:
				w.program = append(w.program, a)
			case 1:
				w.library = append(w.library, a)
			}
		}
		wishes = append(wishes, w)
	}
	for _, arch := range []string{"arm64", "armhf"} {
		t.Run(arch, func(t *testing.T) {
			k, roots := newKit(t, arch), rootsOf(t, dir, arch, full)
			yes := map[string]int{}
			for i, w := range wishes {
				program := k.build(t, fmt.Sprintf("wish-%d", i), w)
				for _, r := range roots {
					if k.judge(t, filepath.Join(dir, "root", r.name), r.targets, program, w) {
						yes[r.name]++
					}
				}
			}
			for _, r := range roots {
				t.Logf("%s: %d of %d start", r.name, yes[r.name], len(wishes))
				require.Greater(t, yes[r.name], 2)
				require.Less(t, yes[r.name], len(wishes)-2)
			}
		})
	}
}

// rootsOf are the roots for one machine; those that only make test-full builds may be missing else.
func rootsOf(t *testing.T, dir, arch string, full bool) []judgedRoot {
	t.Helper()
	var roots []judgedRoot
	for _, r := range judgedRoots {
		if r.arch != arch {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "root", r.name, "lib")); err == nil {
			roots = append(roots, r)
		} else if full || strings.HasPrefix(r.name, "bookworm") {
			t.Fatalf("the root %s is missing: run testdata/store/make.sh full", r.name)
		} else {
			t.Logf("without the root %s, which make test-full builds", r.name)
		}
	}
	return roots
}

// judge predicts and starts one program in one root; it reports whether it starts.
func (k *kit) judge(t *testing.T, root string, targets []string, program string, w wish) bool {
	t.Helper()
	at := unpack(t, root, "--root", k.dir, "--interp", "system", program)
	output, status := runIn(t, root, at+"/wisher/bin/wisher")
	starts := status == 0 && strings.HasSuffix(output, "it runs\n")
	real, err := closure.OpenRoot(root)
	require.NoError(t, err)
	fromRoot, err := bundle.TargetFromRoot(real, root)
	require.NoError(t, err)
	verdicts := []*bundle.Target{fromRoot}
	for _, target := range targets {
		known, err := bundle.ParseTarget(target)
		require.NoError(t, err)
		verdicts = append(verdicts, known)
	}
	source, err := closure.OpenRoot(k.dir)
	require.NoError(t, err)
	for _, target := range verdicts {
		said := said(t, source, program, target)
		about := fmt.Sprintf("%s: %+v: said %q, and it says %q", target.Name, w, said, output)
		require.Equal(t, starts, said == nil, about)
		if !starts {
			fatal, all := heard(output)
			require.Subset(t, said, fatal, about)
			require.Subset(t, all, said, about)
		}
	}
	verifyAs(t, filepath.Join(root, at), append([]string{"--target-root=" + root}, targets...), starts, output)
	return starts
}

// verifyAs requires of verify to say of a bundle what the loader said: yes, or the versions and files that it
// names.
func verifyAs(t *testing.T, folder string, machines []string, starts bool, output string) {
	t.Helper()
	for _, machine := range machines {
		if strings.HasPrefix(machine, "raspios") && strings.Contains(machines[0], "armhf") {
			continue // for the first Pi, and the compiler here is for armv7: verify says so
		}
		if !strings.HasPrefix(machine, "--") {
			machine = "--target=" + machine
		}
		stdout, stderr, status := run("verify", folder, machine)
		about := fmt.Sprintf("%s says %q, and the loader %q", machine, stdout+stderr, output)
		require.Equal(t, starts, status == 0, about)
		fatal, _ := heard(output)
		for _, words := range fatal {
			require.Contains(t, stdout, words[strings.LastIndex(words, " ")+1:], about)
		}
	}
}

// said is what the verdict names where it says no, in the words of heard.
func said(t *testing.T, root fs.FS, program string, target *bundle.Target) []string {
	t.Helper()
	c, err := closure.Walk(root, []string{program}, closure.Options{})
	require.NoError(t, err)
	p, err := bundle.NewPlan(c, bundle.Options{Target: target, Interp: "system"})
	auto, autoErr := bundle.NewPlan(c, bundle.Options{Target: target})
	require.NoError(t, autoErr)
	if err == nil {
		require.Equal(t, bundle.StrategySystem, auto.Programs[0].Strategy)
		require.Equal(t, bundle.StrategySystem, p.Programs[0].Strategy)
		return nil
	}
	require.NotEqual(t, bundle.StrategySystem, auto.Programs[0].Strategy)
	var refused *bundle.TargetError
	require.ErrorAs(t, err, &refused)
	var words []string
	for _, d := range refused.Unmet {
		who := filepath.Base(d.Object.Path)
		if d.Version == "" { // the loader stops at a file that is not there
			return []string{d.Soname}
		}
		words = append(words, who+" "+d.Soname+" "+d.Version)
	}
	slices.Sort(words)
	return words
}

// heard is what the loader names: who wants which version of which file, or the one file that is
// missing. Where one is fatal, the loader does not come to say whether a weak one is.
func heard(output string) (fatal, all []string) {
	if m := regexp.MustCompile(`while loading shared libraries: (\S+): cannot open`).FindStringSubmatch(output); m != nil {
		return m[1:], m[1:]
	}
	for _, m := range regexp.MustCompile("(\\S+): (weak )?version `(\\S+)' not found \\(required by (\\S+)\\)").FindAllStringSubmatch(output, -1) {
		words := filepath.Base(m[4]) + " " + filepath.Base(m[1]) + " " + m[3]
		if all = append(all, words); m[2] == "" {
			fatal = append(fatal, words)
		}
	}
	for _, m := range regexp.MustCompile(`symbol lookup error: (\S+): undefined symbol: \S+, version (\S+)`).FindAllStringSubmatch(output, -1) {
		words := filepath.Base(m[1]) + " libc.so.6 " + m[2]
		fatal, all = append(fatal, words), append(all, words)
	}
	return fatal, all
}
