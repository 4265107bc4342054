package elfpatch_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// TestInstructionSets compiles for several processors and reads what for; the judge is readelf.
func TestInstructionSets(t *testing.T) {
	readelf := needTool(t, "readelf")
	dir := t.TempDir()
	source := filepath.Join(dir, "a.c")
	if err := os.WriteFile(source, []byte("float twice(float x) { return 2 * x; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	compile := func(cc string, flags ...string) *elfpatch.Info {
		t.Helper()
		out := filepath.Join(dir, "a.so")
		args := append([]string{"-shared", "-fPIC", "-nostdlib", "-O3", "-o", out, source}, flags...)
		if text, err := exec.Command(needTool(t, cc), args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		file, size := openFile(t, out)
		info, err := elfpatch.Read(file, size)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	said := func(option string) string {
		out, err := exec.Command(readelf, option, filepath.Join(dir, "a.so")).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	cpu := map[uint64]string{6: "v6", 7: "v6KZ", 10: "v7", 14: "v8"}
	fp := map[uint64]string{2: "VFPv2", 4: "VFPv3-D16", 5: "VFPv4", 7: "FP for ARMv8"}
	for _, march := range []string{"armv6+fp", "armv6kz+fp", "armv7-a+fp", "armv7-a+neon-vfpv4", "armv8-a+simd"} {
		a := compile("arm-linux-gnueabihf-gcc", "-march="+march, "-mfpu=auto", "-marm").Arm
		text := said("-A")
		want := fmt.Sprintf("Tag_CPU_arch: %s\n|Tag_FP_arch: %s\n|Tag_ABI_VFP_args: VFP registers", cpu[a.CPUArch], fp[a.FPArch])
		for _, line := range strings.Split(want, "|") {
			if !strings.Contains(text, line) {
				t.Errorf("%s: got %+v, readelf has no %q:\n%s", march, a, line, text)
			}
		}
		if (a.SIMDArch != 0) != strings.Contains(text, "Tag_Advanced_SIMD_arch") || a.VFPArgs != 1 {
			t.Errorf("%s: got %+v, readelf:\n%s", march, a, text)
		}
	}
	for level := 2; level <= 4; level++ {
		want := fmt.Sprintf("x86-64-v%d", level)
		got := compile("gcc", "-m64", "-Wl,-z,"+want).X86Level()
		if got != level || !strings.Contains(said("-n"), "x86 ISA needed: "+want) {
			t.Errorf("%s: got level %d, readelf:\n%s", want, got, said("-n"))
		}
	}
}

// TestInstructionSetsDamaged: every prefix and every flipped byte of the attributes is read without
// harm.
func TestInstructionSetsDamaged(t *testing.T) {
	name := "/usr/arm-linux-gnueabihf/lib/libc.so.6"
	whole, err := os.ReadFile(name)
	if os.IsNotExist(err) && os.Getenv("CI") == "" {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(whole), "aeabi") - 5
	for i := range 60 {
		old := whole[at+i]
		for _, b := range []byte{0, 1, 0x7f, 0xff, old ^ 0x80} {
			whole[at+i] = b
			read(t, whole)
		}
		whole[at+i] = old
	}
	if a := read(t, whole).Arm; a == nil || a.CPUArch != 10 {
		t.Errorf("got %+v", a)
	}
}
