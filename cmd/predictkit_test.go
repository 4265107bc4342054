package cmd_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// kit builds programs for one machine, in a store of its own.
type kit struct {
	gcc, interp, base, dir, glibc string
	arch                          []string // flags of the compiler
	lld                           string   // a folder in which it is called ld
}

// newKit makes a store with a C library that has all versions, by name only: nothing of it runs.
func newKit(t *testing.T, arch string) *kit {
	t.Helper()
	k := &kit{gcc: "aarch64-linux-gnu-gcc", interp: "ld-linux-aarch64.so.1", base: "GLIBC_2.17", dir: t.TempDir()}
	if arch == "armhf" {
		k.gcc, k.interp, k.base = "arm-linux-gnueabihf-gcc", "ld-linux-armhf.so.3", "GLIBC_2.4"
		k.arch = []string{"-march=armv6+fp", "-marm"} // for the first Pi
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
	args = append([]string{"-O1", "-fPIC", "-fno-builtin", "-w", "-nostdlib", "-o", output, k.file(t, "x.c", source)}, append(k.arch, args...)...)
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
