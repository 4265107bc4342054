package closure_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// cacheRules are about ld.so.cache; the directory /opt/lib is in it and no default one.
var cacheRules = []rule{
	{name: "cache_entry_by_soname", tree: tree{
		"bin/prog": program(elftest.Image{}, "liba.so.1"), "opt/lib/libfile.so": lib("liba.so.1"),
	}},
	{name: "cache_entry_of_glibc_hwcaps", tree: tree{
		"bin/prog":          program(elftest.Image{}, "liba.so.1", "libb.so.1", "libd.so.1"),
		"opt/lib/liba.so.1": lib("liba.so.1"), "opt/lib/glibc-hwcaps/x86-64-v2/liba.so.1": lib("liba.so.1"),
		"opt/lib/glibc-hwcaps/x86-64-v3/liba.so.1": lib("liba.so.1"), "opt/lib/libb.so.1": lib("libb.so.1"),
		"opt/lib/glibc-hwcaps/x86-64-v4/libb.so.1": lib("libb.so.1"),
		"opt/lib/glibc-hwcaps/x86-64-v2/libd.so.1": lib("libd.so.1"),
	}},
	{name: "cache_entry_of_legacy_directories", tree: tree{
		"bin/prog":          program(elftest.Image{}, "liba.so.1", "libb.so.1"),
		"opt/lib/liba.so.1": lib("liba.so.1"), "opt/lib/tls/liba.so.1": lib("liba.so.1"),
		"opt/lib/libb.so.1": lib("libb.so.1"), "opt/lib/haswell/libb.so.1": lib("libb.so.1"), "opt/lib/x86_64/libb.so.1": lib("libb.so.1"),
	}},
	{name: "nodeflib_drops_what_is_below_a_default_directory", tree: tree{
		"bin/prog":          flags1(program(elftest.Image{}, "liba.so.1", "libb.so.1"), elf.DF_1_NODEFLIB),
		"opt/lib/liba.so.1": lib("liba.so.1"), "usr/lib/deep/libb.so.1": lib("libb.so.1"),
	}},
}

// TestCacheReal has the real ldconfig make a cache in a root, and the real loader read it there.
func TestCacheReal(t *testing.T) {
	needOracle(t)
	if os.Getuid() != 0 || runtime.GOARCH != "amd64" {
		t.Skip("only root on x86-64 can start a program in another root")
	}
	loader, err := os.ReadFile(x86Interp)
	if err != nil {
		t.Skip("no glibc for x86-64 here")
	}
	caps := processorCaps(t)
	for _, r := range cacheRules {
		t.Run(r.name, func(t *testing.T) {
			all := r.tree.at("")
			all["etc/ld.so.conf"] = elftest.Data("/opt/lib\n/usr/lib/deep\n")
			all[x86Interp] = elftest.Script(loader)
			all["usr/lib/deep"], all["lib/x86_64-linux-gnu"] = elftest.Dir{}, elftest.Dir{}
			root := elftest.WriteTree(t, all)
			if out, err := exec.Command("ldconfig", "-X", "-r", root).CombinedOutput(); err != nil {
				t.Skipf("ldconfig: %v %s", err, out)
			}
			cmd := exec.Command("/bin/prog")
			cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", []string{"LD_TRACE_LOADED_OBJECTS=1"}, &syscall.SysProcAttr{Chroot: root}
			out, _ := cmd.CombinedOutput()
			var want []string
			for line := range strings.Lines(string(out)) {
				if name, file, ok := strings.Cut(strings.TrimSpace(line), " => "); ok {
					file, _, _ = strings.Cut(file, " (0x")
					want = append(want, name+" "+file)
				}
			}
			files, err := closure.OpenRoot(root)
			if err != nil {
				t.Fatal(err)
			}
			c, err := closure.Walk(files, []string{"/bin/prog"}, closure.Options{HWCaps: caps})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range c.LinkMaps[0].Needs {
				file := "not found"
				if n.To != nil {
					file = n.To.Path
				}
				got = append(got, n.Name+" "+file)
			}
			if !slices.Equal(got, want) || len(got) == 0 {
				t.Errorf("got  %q\nwant %q\n%s", got, want, filepath.Base(root))
			}
		})
	}
}
