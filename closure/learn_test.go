package closure

import (
	"debug/elf"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
)

func silent() [2]int { return [2]int{} }

var amd64 = &elfpatch.Info{Machine: elf.EM_X86_64, Class: elf.ELFCLASS64, Data: elf.ELFDATA2LSB}

// TestLearn reads loaders' texts as different distributions compile them.
func TestLearn(t *testing.T) {
	const nixos = "/nix/store/wn7v2vhyyyi6clcyn0s9ixvl7d4d87ic-glibc-2.40-36"
	const libgcc = "/nix/store/2d5spnl8j5r4n1s4bj1zmra7mwx0f1n8-xgcc-13.3.0-libgcc"
	for _, test := range []struct {
		name, text string
		want       Loader
	}{
		{
			"debian",
			"x\x00/proc/self/fd/\x00y\x00/lib/x86_64-linux-gnu/\x00/usr/lib/x86_64-linux-gnu/\x00/lib/\x00/usr/lib/\x00\x00" +
				"z\x00/etc/ld.so.cache\x00ld.so (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\n",
			Loader{LoaderGlibc, [2]int{2, 36}, 0, []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"},
				"/etc/ld.so.cache", "", "lib/x86_64-linux-gnu", ""},
		}, {
			"fedora",
			"\x00/lib64/\x00/usr/lib64/\x00\x00/etc/ld.so.cache\x00ld.so (GNU libc) stable release version 2.41.\n",
			Loader{LoaderGlibc, [2]int{2, 41}, 0, []string{"/lib64", "/usr/lib64"}, "/etc/ld.so.cache", "", "lib64", "x86_64"},
		}, {
			"nixpkgs",
			"\x00/etc/ld-nix.so.preload\x00" + nixos + "/etc/ld.so.cache\x00\x00" + nixos + "/lib/\x00" + libgcc + "/lib/\x00x\x00" +
				"ld.so (GNU libc) stable release version 2.40.\n",
			Loader{LoaderGlibc, [2]int{2, 40}, 0, []string{nixos + "/lib", libgcc + "/lib"}, nixos + "/etc/ld.so.cache", "/etc/ld-nix.so.preload", "lib", "x86_64"},
		}, {
			"master",
			"\x00/lib64/\x00ld.so (GNU libc) development release version 2.42.9000.\n",
			Loader{LoaderGlibc, [2]int{2, 42}, 0, []string{"/lib64"}, "", "", "lib64", "x86_64"},
		},
		{
			"first of the constants, as Debian 12's for armhf",
			"a/lib/wrong/\x00\xff\xff/lib/x86_64-linux-gnu/\x00/lib/\x00\x19/usr/lib/",
			Loader{Kind: LoaderGlibc, DefaultDirs: []string{"/lib/x86_64-linux-gnu", "/lib"}, Lib: "lib/x86_64-linux-gnu", Platform: "x86_64"},
		},
	} {
		got := learn([]byte(test.text), "/lib64/ld-linux-x86-64.so.2", amd64, silent)
		if got.Kind != test.want.Kind || got.Version != test.want.Version || got.CachePath != test.want.CachePath ||
			got.Lib != test.want.Lib || got.PreloadPath != test.want.PreloadPath || got.Platform != test.want.Platform || !slices.Equal(got.DefaultDirs, test.want.DefaultDirs) {
			t.Errorf("%s: got\n%+v, want\n%+v", test.name, got, test.want)
		}
	}
}

// TestUsual: where the loader is not there, its place says what it would be.
func TestUsual(t *testing.T) {
	for _, test := range []struct{ interp, first, lib string }{
		{"/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"},
		{"/nix/store/wn7v2vhyyyi6clcyn0s9ixvl7d4d87ic-glibc-2.40/lib/ld-linux-x86-64.so.2",
			"/nix/store/wn7v2vhyyyi6clcyn0s9ixvl7d4d87ic-glibc-2.40/lib", "lib"},
		{"/lib/ld-musl-x86_64.so.1", "/lib", ""},
	} {
		if l := usual(test.interp, amd64); l.DefaultDirs[0] != test.first || l.Lib != test.lib {
			t.Errorf("%s: got %+v", test.interp, l)
		}
	}
}

// TestLearnReal compares what is read out of this machine's loader with what it says itself.
func TestLearnReal(t *testing.T) {
	const interp = "/lib64/ld-linux-x86-64.so.2"
	text, err := os.ReadFile(interp)
	if err != nil {
		t.Skip("no glibc for x86-64 here")
	}
	out, err := exec.Command(interp, "--list-diagnostics").Output()
	if err != nil {
		t.Skip("the loader has no --list-diagnostics")
	}
	var dirs []string
	for _, m := range regexp.MustCompile(`(?m)^path\.system_dirs\[0x[0-9a-f]+\]="(.*)/"$`).FindAllStringSubmatch(string(out), -1) {
		dirs = append(dirs, m[1])
	}
	l := learn(text, interp, amd64, silent)
	if !slices.Equal(l.DefaultDirs, dirs) || !strings.Contains(string(out), `dl_dst_lib="`+l.Lib+`"`) ||
		!strings.Contains(string(out), `path.sysconfdir="`+strings.TrimSuffix(l.CachePath, "/ld.so.cache")+`"`) {
		t.Errorf("got %+v, the loader says %s", l, out)
	}
}

// TestPatches: which commits of a release branch a glibc has.
func TestPatches(t *testing.T) {
	for _, test := range []struct {
		minor  int
		banner string
		dir    string
		exact  bool
	}{
		{36, "Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.", "/lib/x86_64-linux-gnu", false},
		{41, "Debian GLIBC 2.41-12) stable release version 2.41.", "/lib/x86_64-linux-gnu", false},
		{41, "Debian GLIBC 2.41-12+deb13u1) stable release version 2.41.", "/lib/x86_64-linux-gnu", false},
		{41, "Debian GLIBC 2.41-12+deb13u2) stable release version 2.41.", "/lib/x86_64-linux-gnu", true},
		{41, "Debian GLIBC 2.41-12+deb13u10) stable release version 2.41.", "/lib/x86_64-linux-gnu", true},
		{40, "GNU libc) stable release version 2.40.", "/nix/store/wn7v2vhyyyi6clcyn0s9ixvl7d4d87ic-glibc-2.40-66/lib", false},
		{40, "GNU libc) stable release version 2.40.", "/nix/store/wn7v2vhyyyi6clcyn0s9ixvl7d4d87ic-glibc-aarch64-unknown-linux-gnu-2.40-218/lib", true},
		{42, "GNU libc) stable release version 2.42.", "/nix/store/wn7v2vhyyyi6clcyn0s9ixvl7d4d87ic-glibc-2.42-67/lib", true},
	} {
		l := Loader{Kind: LoaderGlibc, Version: [2]int{2, test.minor}}
		l.Patches = patches(l.Version, test.banner, []string{test.dir})
		if l.does(exactFirst) != test.exact {
			t.Errorf("%s in %s, %d patches: exactFirst is not %v", test.banner, test.dir, l.Patches, test.exact)
		}
	}
}
