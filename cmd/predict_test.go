package cmd_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
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

// kit builds programs for one machine, in a store of its own.
type kit struct {
	gcc, interp, base, dir, glibc string
	lld                           string // a folder in which it is called ld
}

// newKit makes a store with a C library that has all versions, by name only: nothing of it runs.
func newKit(t *testing.T, arch string) *kit {
	t.Helper()
	k := &kit{gcc: "aarch64-linux-gnu-gcc", interp: "ld-linux-aarch64.so.1", base: "GLIBC_2.17", dir: t.TempDir()}
	if arch == "armhf" {
		k.gcc, k.interp, k.base = "arm-linux-gnueabihf-gcc", "ld-linux-armhf.so.3", "GLIBC_2.4"
	}
	if _, err := exec.LookPath(k.gcc); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs %s: make deps installs it", k.gcc)
	}
	lld, err := exec.LookPath("ld.lld")
	require.NoError(t, err)
	k.lld = t.TempDir()
	require.NoError(t, os.Symlink(lld, filepath.Join(k.lld, "ld")))
	k.glibc = elftest.StorePath("glibc-2.99") + "/lib"
	require.NoError(t, os.MkdirAll(filepath.Join(k.dir, k.glibc), 0o755))
	k.stub(t, k.interp, nil)
	for _, file := range []string{"libc.so.6", "libm.so.6", "libpthread.so.0", "libBrokenLocale.so.2"} {
		var own []ask
		for _, a := range append(asks, relr) {
			same := func(b ask) bool { return b.version == a.version }
			if a.file == file && a.version != "" && !slices.ContainsFunc(own, same) {
				own = append(own, a)
			}
		}
		k.stub(t, file, own)
	}
	return k
}

// stub links a library that defines symbols in their versions, and every family's base version.
func (k *kit) stub(t *testing.T, soname string, own []ask) {
	t.Helper()
	script, source := k.base+" { global: base_"+strings.Map(letters, soname)+"; local: *; };\n", "char base_"+strings.Map(letters, soname)+"[8];\n"
	for _, a := range own {
		script += fmt.Sprintf("%s { %s; } %s;\n", a.version, a.symbol, k.base)
		source += fmt.Sprintf("char %s[8];\n", a.symbol)
	}
	k.compile(t, filepath.Join(k.dir, k.glibc, soname), source, "-shared", "-Wl,-soname,"+soname, "-Wl,--version-script="+k.file(t, "map", script))
}

func letters(r rune) rune {
	if r == '.' || r == '-' {
		return '_'
	}
	return r
}

func (k *kit) file(t *testing.T, name, text string) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(at, []byte(text), 0o644))
	return at
}

func (k *kit) compile(t *testing.T, output, source string, args ...string) {
	t.Helper()
	args = append([]string{"-O1", "-fPIC", "-fno-builtin", "-w", "-nostdlib", "-o", output, k.file(t, "x.c", source)}, args...)
	out, err := exec.Command(k.gcc, args...).CombinedOutput()
	require.NoError(t, err, string(out))
}

// object links a program or a library that asks, and marks the versions that are to be weak.
func (k *kit) object(t *testing.T, output, source string, wants []ask, args ...string) {
	t.Helper()
	refs := ""
	for i, a := range wants {
		symbol := a.symbol
		if a.version == "" {
			symbol = "base_" + strings.Map(letters, a.file)
		}
		weak := ""
		if a.weak {
			weak = "__attribute__((weak))"
		}
		source += fmt.Sprintf("extern char %s[] %s;\n", symbol, weak)
		refs += symbol + ","
		if !slices.ContainsFunc(wants[:i], func(b ask) bool { return b.file == a.file }) {
			args = append(args, filepath.Join(k.dir, k.glibc, a.file))
		}
	}
	source += "char *refs[] = {" + refs + "0};\n"
	k.compile(t, output, source, append(args, "-Wl,-rpath,"+k.glibc, "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", filepath.Join(k.dir, k.glibc, "libc.so.6"))...)
	for _, a := range wants {
		if a.weakVersion {
			markWeak(t, output, a.version)
		}
	}
}

// markWeak sets VER_FLG_WEAK of a version that a file needs.
func markWeak(t *testing.T, name, version string) {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	f, err := elf.NewFile(bytes.NewReader(data))
	require.NoError(t, err)
	strtab, err := f.Section(".dynstr").Data()
	require.NoError(t, err)
	marked := false
	section := f.Section(".gnu.version_r")
	for at := uint64(0); ; {
		need := data[section.Offset+at:]
		for aux := at + uint64(f.ByteOrder.Uint32(need[8:])); ; {
			a := data[section.Offset+aux:]
			text, _, _ := bytes.Cut(strtab[f.ByteOrder.Uint32(a[8:]):], []byte{0})
			if string(text) == version {
				f.ByteOrder.PutUint16(a[4:], 2)
				marked = true
			}
			if f.ByteOrder.Uint32(a[12:]) == 0 {
				break
			}
			aux += uint64(f.ByteOrder.Uint32(a[12:]))
		}
		if f.ByteOrder.Uint32(need[12:]) == 0 {
			break
		}
		at += uint64(f.ByteOrder.Uint32(need[12:]))
	}
	require.True(t, marked, "%s has no %s", name, version)
	require.NoError(t, os.WriteFile(name, data, 0o755))
}

const startAndExit = `
static long call(long n, long a, const void *b, long c) {
#ifdef __aarch64__
	register long x8 asm("x8") = n; register long x0 asm("x0") = a;
	register const void *x1 asm("x1") = b; register long x2 asm("x2") = c;
	asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
#else
	register long r7 asm("r7") = n; register long r0 asm("r0") = a;
	register const void *r1 asm("r1") = b; register long r2 asm("r2") = c;
	asm volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2) : "memory");
	return r0;
#endif
}
#ifdef __aarch64__
enum { WRITE = 64, EXIT = 93 };
#else
enum { WRITE = 4, EXIT = 1 };
#endif
static const char *volatile text = "it runs\n"; // a relative relocation
void _start(void) { call(WRITE, 1, text, 8); call(EXIT, 0, 0, 0); }
`

// build links one program and its library; it returns the program as the store has it.
func (k *kit) build(t *testing.T, name string, w wish) string {
	t.Helper()
	home := elftest.StorePath(name)
	for _, sub := range []string{"bin", "lib"} {
		require.NoError(t, os.MkdirAll(filepath.Join(k.dir, home, sub), 0o755))
	}
	library := filepath.Join(k.dir, home, "lib/libwish.so")
	var link []string
	if w.relr {
		link = []string{"-B" + k.lld, "-Wl,--pack-dyn-relocs=relr"}
	}
	k.object(t, library, "char wish[8]; static char own[8]; char *relative[] = {own, own + 1};\n", w.library, append(link, "-shared", "-Wl,-soname,libwish.so")...)
	program := home + "/bin/wisher"
	k.object(t, filepath.Join(k.dir, program), startAndExit+"extern char wish[]; char *own = wish;\n", w.program,
		append(link, "-pie", "-Wl,--dynamic-linker="+k.glibc+"/"+k.interp, "-Wl,-rpath,"+home+"/lib", library)...)
	return program
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
			require.Equal(t, heard(output), said, about)
		}
	}
	return starts
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

// heard is what the loader names: who wants which version of which file; or the one file that is
// missing.
func heard(output string) []string {
	if m := regexp.MustCompile(`while loading shared libraries: (\S+): cannot open`).FindStringSubmatch(output); m != nil {
		return m[1:]
	}
	var words []string
	for _, m := range regexp.MustCompile("(\\S+): version `(\\S+)' not found \\(required by (\\S+)\\)").FindAllStringSubmatch(output, -1) {
		words = append(words, filepath.Base(m[3])+" "+filepath.Base(m[1])+" "+m[2])
	}
	for _, m := range regexp.MustCompile(`symbol lookup error: (\S+): undefined symbol: \S+, version (\S+)`).FindAllStringSubmatch(output, -1) {
		words = append(words, filepath.Base(m[1])+" libc.so.6 "+m[2])
	}
	slices.Sort(words)
	return slices.Compact(words)
}
