package bundle_test

import (
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// machines are programs' facts by Debian's name of the machine.
var machines = map[string]*elfpatch.Info{
	"amd64":   {Machine: elf.EM_X86_64, Class: elf.ELFCLASS64, Data: elf.ELFDATA2LSB},
	"arm64":   {Machine: elf.EM_AARCH64, Class: elf.ELFCLASS64, Data: elf.ELFDATA2LSB},
	"armhf":   {Machine: elf.EM_ARM, Class: elf.ELFCLASS32, Data: elf.ELFDATA2LSB, Flags: 0x05000400},
	"riscv64": {Machine: elf.EM_RISCV, Class: elf.ELFCLASS64, Data: elf.ELFDATA2LSB, Flags: 5},
}

// root is a root of packages that make store builds; make test-full builds more of them.
func root(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("NIXBUNDLE_STORE")
	if dir == "" {
		dir = "../.store"
	}
	dir = filepath.Join(dir, "root", name)
	if _, err := os.Stat(filepath.Join(dir, "lib")); err == nil {
		return dir
	}
	usual := name == "bookworm-arm64" || name == "bookworm-armhf"
	if os.Getenv("CI") != "" && usual || os.Getenv("NIXBUNDLE_FULL") != "" {
		t.Fatalf("%s is missing: run testdata/store/make.sh full", dir)
	}
	t.Skipf("needs the root %s: run make store (as root), or make test-full", name)
	return ""
}

// port is what a target of bundle provides on a machine.
func port(t *testing.T, target *bundle.Target, arch string) *bundle.Port {
	t.Helper()
	p, err := target.On(machines[arch], closure.LoaderGlibc)
	require.NoError(t, err)
	return p
}

func known(t *testing.T, name, arch string) *bundle.Port {
	t.Helper()
	target, err := bundle.ParseTarget(name)
	require.NoError(t, err)
	return port(t, target, arch)
}

// TestTargetsAreTrue holds the table of versions against the packages of each distribution, file by file
// and both ways.
func TestTargetsAreTrue(t *testing.T) {
	for suite, names := range map[string][]string{
		"bullseye": {"debian-11", "raspios-bullseye"},
		"bookworm": {"debian-12", "raspios-bookworm"},
		"trixie":   {"debian-13", "raspios-trixie"},
	} {
		for _, arch := range []string{"amd64", "arm64", "armhf"} {
			t.Run(suite+"-"+arch, func(t *testing.T) {
				dir := root(t, suite+"-"+arch)
				fsys, err := closure.OpenRoot(dir)
				require.NoError(t, err)
				target, err := bundle.TargetFromRoot(fsys, dir)
				require.NoError(t, err)
				real := port(t, target, arch)
				for _, name := range names {
					if arch == "amd64" && strings.HasPrefix(name, "raspios") {
						continue
					}
					compareTargets(t, dir, known(t, name, arch), real)
				}
			})
		}
	}
}

// updates are versions that a release of Debian got with an update, which a target does not rely on.
var updates = []string{"GLIBC_ABI_GNU2_TLS", "GLIBC_ABI_DT_X86_64_PLT"}

func compareTargets(t *testing.T, dir string, known, real *bundle.Port) {
	t.Helper()
	require.Equal(t, real.Libc, known.Libc)
	require.Equal(t, real.Version, known.Version)
	require.Equal(t, real.Interp, known.Interp)
	for _, family := range []string{"GLIBC_", "GLIBCXX_", "CXXABI_", "GCC_"} {
		for _, soname := range []string{"libc.so.6", "libstdc++.so.6", "libgcc_s.so.1"} {
			require.Equal(t, real.Newest(soname, family), known.Newest(soname, family), "%s %s", soname, family)
		}
	}
	members := 0
	there := libraries(t, dir)
	var all []string
	for _, defined := range there {
		all = append(all, defined...)
	}
	for soname, defined := range there {
		if !closure.InLibc(&elfpatch.Info{Soname: soname}) && soname != "libgcc_s.so.1" && soname != "libstdc++.so.6" {
			continue
		}
		members++
		require.True(t, known.Has(soname), soname)
		require.True(t, real.Has(soname), soname)
		for _, version := range all {
			want := slices.Contains(defined, version) || len(defined) == 0
			require.Equal(t, want, real.Defines(soname, version), "%s %s", soname, version)
			private := version == "GLIBC_PRIVATE" && (soname == "libdl.so.2" || soname == "libpthread.so.0")
			if !private && !slices.Contains(updates, version) {
				require.Equal(t, want, known.Defines(soname, version), "%s: %s %s", known.Target, soname, version)
			}
		}
	}
	require.Greater(t, members, 15)
	for _, p := range []*bundle.Port{known, real} {
		require.False(t, p.Has("libnothing.so.1"))
		require.False(t, p.Defines("libnothing.so.1", "GLIBC_2.17"))
		require.False(t, p.Defines("libc.so.6", "GLIBC_2.99"))
	}
}

// libraries are the versions that the libraries of a root define, by soname.
func libraries(t *testing.T, dir string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	files, err := filepath.Glob(filepath.Join(dir, "usr/lib/*/*.so*"))
	require.NoError(t, err)
	more, err := filepath.Glob(filepath.Join(dir, "lib/*/*.so*")) // of releases that keep /lib apart
	require.NoError(t, err)
	for _, file := range append(files, more...) {
		info := read(t, file)
		if info == nil || info.Soname == "" {
			continue
		}
		names := []string{}
		for _, d := range info.VerDefs {
			if !d.Base {
				names = append(names, d.Name)
			}
		}
		found[info.Soname] = names
	}
	return found
}

// read reads a regular ELF file; nil where it is none.
func read(t *testing.T, name string) *elfpatch.Info {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		return nil // a link that leads out of the root
	}
	defer f.Close()
	st, err := f.Stat()
	require.NoError(t, err)
	info, err := elfpatch.Read(f, st.Size())
	if err != nil {
		return nil
	}
	return info
}

// TestTargets: every name is known and has its machines, and one that is not is told all of them.
func TestTargets(t *testing.T) {
	var names []string
	for _, target := range bundle.Targets() {
		names = append(names, target.Name)
		again, err := bundle.ParseTarget(target.Name)
		require.NoError(t, err)
		require.Equal(t, target, again)
		for _, p := range target.Ports {
			require.NotEmpty(t, p.ISA)
			require.Contains(t, p.PageSizes, uint64(4096))
			got, err := target.On(machines[p.Arch], p.Libc)
			require.NoError(t, err)
			require.Equal(t, p, got)
			other := closure.LoaderGlibc + closure.LoaderMusl - p.Libc
			got, err = target.On(machines[p.Arch], other)
			require.NoError(t, err)
			require.Equal(t, p, got)
		}
	}
	require.Equal(t, []string{
		"raspios-bullseye", "debian-11", "ubuntu-22.04", "raspios-bookworm", "debian-12", "ubuntu-24.04",
		"raspios-trixie", "debian-13", "alpine",
	}, names)
	_, err := bundle.ParseTarget("debian-2")
	require.ErrorContains(t, err, `target "debian-2"`)
	require.ErrorContains(t, err, strings.Join(names, ", "))

	pi, err := bundle.ParseTarget("raspios-bookworm")
	require.NoError(t, err)
	_, err = pi.On(machines["amd64"], closure.LoaderGlibc)
	require.ErrorContains(t, err, "it is for arm64, armhf, and not for amd64")
	require.Equal(t, []uint64{4096, 16384}, port(t, pi, "arm64").PageSizes)
}

// TestTargetVersions: what each release has, by its own documentation.
func TestTargetVersions(t *testing.T) {
	for _, row := range []struct{ target, arch, libc, glibcxx, cxxabi, gcc string }{
		{"debian-11", "arm64", "glibc 2.31", "3.4.28", "1.3.12", "7.0.0"},
		{"raspios-bullseye", "armhf", "glibc 2.31", "3.4.28", "1.3.12", "7.0.0"},
		{"ubuntu-22.04", "arm64", "glibc 2.35", "3.4.30", "1.3.13", "11.0"},
		{"raspios-bookworm", "arm64", "glibc 2.36", "3.4.30", "1.3.13", "11.0"},
		{"debian-12", "amd64", "glibc 2.36", "3.4.30", "1.3.13", "12.0.0"},
		{"ubuntu-24.04", "arm64", "glibc 2.39", "3.4.33", "1.3.15", "14.0.0"},
		{"debian-13", "armhf", "glibc 2.41", "3.4.33", "1.3.15", "14.0.0"},
	} {
		p := known(t, row.target, row.arch)
		require.Equal(t, row.libc, p.LibcText(), row)
		require.Equal(t, "GLIBCXX_"+row.glibcxx, p.Newest("libstdc++.so.6", "GLIBCXX_"), row)
		require.Equal(t, "CXXABI_"+row.cxxabi, p.Newest("libstdc++.so.6", "CXXABI_"), row)
		require.Equal(t, "GCC_"+row.gcc, p.Newest("libgcc_s.so.1", "GCC_"), row)
	}
	require.False(t, known(t, "raspios-bullseye", "arm64").Defines("libc.so.6", "GLIBC_2.31"), "it is in libpthread there")
	require.True(t, known(t, "raspios-bullseye", "arm64").Defines("libpthread.so.0", "GLIBC_2.31"))
	require.True(t, known(t, "raspios-bookworm", "arm64").Defines("libc.so.6", "GLIBC_ABI_DT_RELR"))
	require.False(t, known(t, "ubuntu-22.04", "arm64").Defines("libc.so.6", "GLIBC_ABI_DT_RELR"))
	require.False(t, known(t, "debian-12", "arm64").Has("libmvec.so.1"), "on Arm it came with 2.38")
	require.True(t, known(t, "debian-12", "amd64").Has("libmvec.so.1"))
	alpine := known(t, "alpine", "arm64")
	require.Equal(t, "musl 1.2.5", alpine.LibcText())
	require.False(t, alpine.Has("libc.so.6"))
	for _, name := range []string{"libc.so", "libc.musl-aarch64.so.1", "ld-musl-aarch64.so.1"} {
		require.True(t, alpine.Has(name))
	}
}
