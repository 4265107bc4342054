package closure_test

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// pageLinks are ways to link for aarch64.
var pageLinks = []struct {
	name  string
	flags []string
}{
	{"usual", nil},
	{"4k", []string{"-Wl,-z,max-page-size=4096"}},
	{"4k_code_together", []string{"-Wl,-z,max-page-size=4096,-z,noseparate-code"}},
	{"4k_code_apart", []string{"-Wl,-z,max-page-size=4096,-z,separate-code"}},
	{"16k", []string{"-Wl,-z,max-page-size=16384"}},
	{"16k_norelro", []string{"-Wl,-z,max-page-size=16384,-z,norelro"}},
	{"64k", []string{"-Wl,-z,max-page-size=65536,-z,separate-code"}},
	{"lld_4k", []string{"-Blld", "-Wl,-z,max-page-size=4096"}},
	{"lld_16k", []string{"-Blld", "-Wl,-z,max-page-size=16384"}},
	{"mold_16k", []string{"-Bmold", "-Wl,-z,max-page-size=16384"}},
	// Offsets that are addresses, which every page size divides, and segments 4 KiB apart.
	{"congruent_but_shared", []string{"-Blld", "-Wl,-z,max-page-size=4096,-z,separate-loadable-segments"}},
	{"congruent_and_apart", []string{"-Blld", "-Wl,-z,max-page-size=16384,-z,separate-loadable-segments"}},
}

// TestPageSizes links libraries and programs in many ways and runs them with pages of three sizes: the
// judge is the loader under qemu, which ends where it cannot map a library. Of a program qemu says
// that it does not fit by giving it pages of 4 KiB, where a kernel would not start it.
func TestPageSizes(t *testing.T) {
	needOracle(t, "qemu-aarch64-static", "aarch64-linux-gnu-gcc", "ld.lld", "mold")
	const libc = "/usr/aarch64-linux-gnu/lib"
	dir := elftest.WriteTree(t, elftest.Tree{
		"prog.c": elftest.Data("#include <stdio.h>\n#include <unistd.h>\nint count(void); int main(void) { printf(\"%d %ld\\n\", count(), sysconf(_SC_PAGESIZE)); return 0; }"),
		"lib.c":  elftest.Data("static int n = 6; static char space[9000]; int *where = &n; int count(void) { space[8999]++; return ++*where + space[0]; }"),
		"lld":    elftest.Dir{},
		"mold":   elftest.Dir{},
	})
	for folder, linker := range map[string]string{"lld": "ld.lld", "mold": "mold"} { // for gcc -B
		at, err := exec.LookPath(linker)
		if err == nil {
			err = os.Symlink(at, path.Join(dir, folder, "ld"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cc := func(args ...string) {
		t.Helper()
		cmd := exec.Command("aarch64-linux-gnu-gcc", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	check := func(program, what string, programToo bool) {
		for _, size := range []uint64{4096, 16384, 65536} {
			c, err := closure.Walk(os.DirFS("/"), []string{dir + "/" + program}, closure.Options{})
			if err != nil {
				t.Fatal(err)
			}
			misfits := pageMisfits(t, c, closure.Machine{PageSizes: []uint64{size}})
			cmd := exec.Command("qemu-aarch64-static", "-p", fmt.Sprint(size), dir+"/"+program)
			out, err := cmd.CombinedOutput()
			got := strings.TrimSpace(string(out))
			fits := err == nil && strings.HasPrefix(got, "7 ")
			if programToo {
				fits = got == fmt.Sprintf("7 %d", size)
			}
			if fits != (misfits == "") {
				t.Errorf("%s, pages of %d: the audit says %q, qemu %q (%v)", what, size, misfits, got, err)
			}
		}
	}
	loader := []string{"-Wl,--dynamic-linker=" + libc + "/ld-linux-aarch64.so.1,-rpath," + libc + ",-rpath," + dir}
	for _, link := range pageLinks {
		lib := "lib" + link.name + ".so"
		cc(append([]string{"-shared", "-fPIC", "-nostdlib", "-Wl,-soname," + lib, "-o", lib, "lib.c"}, link.flags...)...)
		cc(append(loader, "-o", "with-"+link.name, "prog.c", lib)...)
		check("with-"+link.name, "library "+link.name, false)
		cc(append(append(loader, "-o", "as-"+link.name, "prog.c", "libusual.so"), link.flags...)...)
		check("as-"+link.name, "program "+link.name, true)
	}
}

// pageMisfits are the file names in the findings on pages.
func pageMisfits(t *testing.T, c *closure.Closure, on closure.Machine) string {
	t.Helper()
	findings, err := closure.Audit(c, on)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range findings {
		if f.Kind == closure.KindPageSize {
			for _, o := range f.Copies {
				names = append(names, path.Base(o.Path))
			}
		}
	}
	return strings.Join(names, " ")
}
