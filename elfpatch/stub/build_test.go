package stub_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// machine is one that stubs are made for, with Debian's compiler, and qemu where it is not this one.
type machine struct {
	name, triplet string
	loader        string // glibc's
	musl, packed  string // musl's name for it, and the folder of Debian's packages in .store/debs
	pages         []string
}

var machines = []machine{
	{"x86_64", "x86_64-linux-gnu", "ld-linux-x86-64.so.2", "x86_64-linux-musl", "musl-amd64", []string{"4096"}},
	{"aarch64", "aarch64-linux-gnu", "ld-linux-aarch64.so.1", "aarch64-linux-musl", "musl-arm64", []string{"4096", "16384", "65536"}},
	{"arm", "arm-linux-gnueabihf", "ld-linux-armhf.so.3", "arm-linux-musleabihf", "musl-armhf", []string{"4096"}}, // qemu-arm has no other
	{"riscv64", "riscv64-linux-gnu", "ld-linux-riscv64-lp64d.so.1", "riscv64-linux-musl", "musl-riscv64", []string{"4096", "16384", "65536"}},
}

func (m *machine) native() bool { return m.name == "x86_64" && runtime.GOARCH == "amd64" }

// kind is how a program is linked.
type kind struct{ libc, link string }

func kinds() []kind {
	return []kind{{"glibc", "-pie"}, {"glibc", "-no-pie"}, {"musl", "-pie"}, {"musl", "-no-pie"}}
}

// probe is a program as it was linked, its stubbed form, and the folder that both run in.
type probe struct {
	machine
	kind
	dir               string // bin/probe and lib
	original, stubbed []byte
}

// buildProbe compiles testdata/probe.c and its libraries, and puts them beside the C library.
func buildProbe(t *testing.T, m machine, k kind) *probe {
	t.Helper()
	p := &probe{machine: m, kind: k, dir: t.TempDir()}
	require.NoError(t, os.MkdirAll(p.dir+"/bin", 0o755))
	require.NoError(t, os.MkdirAll(p.dir+"/lib", 0o755))
	if k.libc == "musl" {
		p.linkMusl(t)
	} else {
		p.linkGlibc(t)
	}
	var err error
	p.original, err = os.ReadFile(p.dir + "/bin/probe")
	require.NoError(t, err)
	p.stubbed = stubbed(t, p.original, "../lib/"+p.loaderName())
	return p
}

// stubbed gives a program a stub, and keeps its run path.
func stubbed(t *testing.T, b []byte, loader string) []byte {
	t.Helper()
	img, err := elfpatch.Apply(bytes.NewReader(b), int64(len(b)), elfpatch.Edit{Loader: loader})
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = img.WriteTo(&out)
	require.NoError(t, err)
	return out.Bytes()
}

// loaderName is the loader's name in lib.
func (p *probe) loaderName() string {
	if p.libc == "glibc" {
		return p.loader
	}
	return "ld-musl-" + strings.TrimSuffix(strings.Replace(p.musl, "-linux-musleabi", "", 1), "-linux-musl") + ".so.1"
}

// interp makes the original find its loader by a path of this machine.
func interp(path string) string { return "-Wl,--dynamic-linker," + path }

const ownLibs = "-Wl,-rpath,$ORIGIN/../lib,--disable-new-dtags"

// linkGlibc links the probe with C++, and copies what it loads from the compiler's own libraries.
func (p *probe) linkGlibc(t *testing.T) {
	t.Helper()
	cc, cxx := p.triplet+"-gcc", p.triplet+"-g++"
	dir, err := filepath.Abs("testdata")
	require.NoError(t, err)
	lib := p.dir + "/lib"
	tool(t, cc, "-O1", "-shared", "-fPIC", "-Wl,-soname,libdep.so", "-o", lib+"/libdep.so", dir+"/dep.c")
	tool(t, cc, "-O1", "-shared", "-fPIC", "-o", lib+"/libplugin.so", dir+"/plugin.c", lib+"/libdep.so")
	tool(t, cxx, "-O1", "-shared", "-fPIC", "-Wl,-soname,libthrow.so", "-o", lib+"/libthrow.so", dir+"/dep.cc")
	pic := map[string]string{"-pie": "-fPIE", "-no-pie": "-fno-pie"}[p.link]
	tool(t, cc, "-O1", "-g", pic, "-c", "-o", p.dir+"/probe.o", dir+"/probe.c")
	tool(t, cxx, "-O1", "-g", p.link, pic, "-pthread", ownLibs, interp(lib+"/"+p.loaderName()), "-o", p.dir+"/bin/probe", p.dir+"/probe.o", dir+"/probe.cc",
		lib+"/libdep.so", lib+"/libthrow.so", "-ldl")
	for _, name := range []string{p.loader, "libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"} {
		file := strings.TrimSpace(tool(t, cc, "-print-file-name="+name))
		tool(t, "cp", "-L", file, lib+"/"+name)
	}
}

// linkMusl links the probe with Debian's musl, without C++.
func (p *probe) linkMusl(t *testing.T) {
	t.Helper()
	root := muslRoot(t, p.packed)
	inc, libs := root+"/usr/include/"+p.musl, root+"/usr/lib/"+p.musl
	gcc := strings.TrimSpace(tool(t, p.triplet+"-gcc", "-print-file-name=include"))
	flags := []string{"-O1", "-g", "-nostdinc", "-isystem", inc, "-isystem", gcc, "-nostdlib", "-L" + root + "/lib/" + p.musl, "-L" + libs, "-Wl,--hash-style=both"}
	crt, err := filepath.Glob(libs + "/*crt*.o")
	require.NoError(t, err)
	for _, o := range crt { // Debian 12's ld crashes over debug information of Debian 13
		tool(t, p.triplet+"-strip", "-g", o)
	}
	dir, err := filepath.Abs("testdata")
	require.NoError(t, err)
	link := func(args ...string) { tool(t, p.triplet+"-gcc", append(flags, args...)...) }
	lib := p.dir + "/lib"
	link("-shared", "-fPIC", "-Wl,-soname,libdep.so", "-o", lib+"/libdep.so", dir+"/dep.c", "-lc")
	link("-shared", "-fPIC", "-o", lib+"/libplugin.so", dir+"/plugin.c", lib+"/libdep.so", "-lc")
	start := map[string][]string{"-pie": {"-pie", "-fPIE", libs + "/Scrt1.o"}, "-no-pie": {"-no-pie", "-fno-pie", libs + "/crt1.o"}}[p.link]
	link(append(start, ownLibs, interp(lib+"/"+p.loaderName()), "-o", p.dir+"/bin/probe", libs+"/crti.o",
		dir+"/probe.c", dir+"/plain.c", lib+"/libdep.so", "-lc", "-lgcc", libs+"/crtn.o")...)
	libc, err := filepath.Glob(root + "/*/" + p.musl + "/libc.so") // /lib or, from Debian 13 on, /usr/lib
	require.NoError(t, err)
	usr, err := filepath.Glob(libs + "/libc.so")
	require.NoError(t, err)
	tool(t, "cp", append(append(libc, usr...), lib+"/"+p.loaderName())...)
}

// muslRoot unpacks Debian's musl for a machine, which make store has downloaded.
func muslRoot(t *testing.T, name string) string {
	t.Helper()
	store := os.Getenv("NIXBUNDLE_STORE")
	if store == "" {
		store = "../../.store"
	}
	debs, err := filepath.Glob(filepath.Join(store, "debs", name, "*.deb"))
	require.NoError(t, err)
	if len(debs) != 2 {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing in %s/debs: run make store", name, store)
		}
		t.Skipf("needs Debian's %s: run make store (as root)", name)
	}
	dir := t.TempDir()
	for _, deb := range debs {
		tool(t, "dpkg-deb", "-x", deb, dir)
	}
	return dir
}

// needTools skips without the compilers and emulators, which CI has.
func needTools(t *testing.T, m machine) {
	t.Helper()
	want := []string{m.triplet + "-gcc", m.triplet + "-g++"}
	if !m.native() {
		want = append(want, "qemu-"+m.name+"-static")
	}
	for _, name := range want {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing: run make deps", name)
			}
			t.Skipf("needs %s: run make deps (as root)", name)
		}
	}
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	c := exec.Command(name, args...)
	c.Stderr = &stderr
	out, err := c.Output()
	require.NoError(t, err, "%s %v: %s", name, args, stderr.String())
	return string(out)
}
