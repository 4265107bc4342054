package bundle

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// Target is what a machine that a bundle runs on provides (Nix calls it the host platform): a
// distribution's release, or what a real root has.
type Target struct {
	Name  string // "raspios-bookworm", or the root's directory
	Ports []*Port
}

// Port is a target on one kind of machine; the word is Debian's.
type Port struct {
	Target string             // the target's name
	Arch   string             // "arm64", as Debian names it
	Interp string             // where the loader is
	Libc   closure.LoaderKind // whose C library it has
	// Version is the release of the C library: "2.36" of glibc, "1.2.5" of musl; "" where a root does
	// not tell.
	Version string
	// ISA is the least processor: "armv6+vfp2", "armv7-a+vfpv3-d16", "armv8-a", "x86-64-v1"; "" when
	// unknown.
	ISA string
	// PageSizes are those of the kernels that come with it, bytes; none when unknown.
	PageSizes []uint64

	libraries map[string][]string // the versions that each library defines, by soname
	find      func(soname string) *closure.Object
	symbols   func() (map[string]bool, error) // what the C library of a root exports, by symbolKey
}

// arch is a kind of machine by Debian's name, with the loaders of its ABI.
type arch struct{ name, glibc, musl string }

// arches are the machines that targets are known for, or read from roots.
var arches = []arch{
	{"amd64", "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"},
	{"arm64", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"},
	{"armhf", "/lib/ld-linux-armhf.so.3", "/lib/ld-musl-armhf.so.1"},
	{"riscv64", "/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"},
}

// ParseTarget is the known target of that name. An unknown one is an [*OptionError], which lists those that there are.
func ParseTarget(name string) (*Target, error) {
	var names []string
	for _, t := range Targets() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return nil, &OptionError{"target", name, "it is one of " + strings.Join(names, ", ")}
}

// On is the target's port for the machine of a file and a C library; where the target has another one
// alone, the port with that.
func (t *Target) On(info *elfpatch.Info, libc closure.LoaderKind) (*Port, error) {
	var found *Port
	var names []string
	for _, p := range t.Ports {
		if p.arch().glibc == closure.ABIInterp(info) && (found == nil || p.Libc == libc) {
			found = p
		}
		names = append(names, p.Arch)
	}
	if found != nil {
		return found, nil
	}
	return nil, &OptionError{"target", t.Name, fmt.Sprintf("it is for %s, and not for %s", strings.Join(names, ", "), machineText(info))}
}

// machineText names the machine of a file.
func machineText(info *elfpatch.Info) string {
	if i := slices.IndexFunc(arches, func(a arch) bool { return a.glibc == closure.ABIInterp(info) }); i >= 0 {
		return arches[i].name
	}
	return fmt.Sprintf("%s, %s", info.Machine, info.Class)
}

func (p *Port) arch() arch {
	return arches[slices.IndexFunc(arches, func(a arch) bool { return a.name == p.Arch })]
}

// String is "raspios-bookworm".
func (p *Port) String() string { return p.Target }

// LibcText is the C library for a reader: "glibc 2.36".
func (p *Port) LibcText() string { return strings.TrimSpace(p.Libc.String() + " " + p.Version) }

// Machine is what an audit wants to know of the target, for programs that use its C library (system) or
// bring their own.
func (p *Port) Machine(system bool) closure.Machine {
	m := closure.Machine{PageSizes: p.PageSizes, ISA: p.ISA}
	if system && p.Libc == closure.LoaderGlibc {
		m.Glibc = releaseNumbers(p.Version)
	}
	return m
}

// releaseNumbers are the first two parts of a release, 2 and 36 of "2.36"; zero where it has none.
func releaseNumbers(release string) (v [2]int) {
	for i, part := range strings.SplitN(release, ".", 3)[:min(2, strings.Count(release, ".")+1)] {
		v[i], _ = strconv.Atoi(part)
	}
	return v
}

// Has reports whether the target has a library of that soname where its loader finds it: for a known
// target, in every installation; for a root, now.
func (p *Port) Has(soname string) bool {
	_, known := p.versions(soname)
	return known
}

// Defines reports whether the target's library of that soname defines a version, as the loader asks at
// start (glibc elf/dl-version.c: match_symbol). A library without any versions defines all: the loader
// only warns.
func (p *Port) Defines(soname, version string) bool {
	defined, known := p.versions(soname)
	return known && (len(defined) == 0 || slices.Contains(defined, version))
}

// Newest is the newest version of a family that the target's library of that soname defines: of
// "GLIBCXX_" in libstdc++.so.6, "GLIBCXX_3.4.30". It is "" where there is none.
func (p *Port) Newest(soname, family string) string {
	defined, _ := p.versions(soname)
	newest := ""
	for _, v := range defined {
		number, ok := strings.CutPrefix(v, family)
		if !ok || !isNumber(number) {
			continue
		}
		if have := strings.TrimPrefix(newest, family); olderRelease(have, number) ||
			!olderRelease(number, have) && len(have) < len(number) { // GCC_14.0 and GCC_14.0.0
			newest = v
		}
	}
	return newest
}

func (p *Port) versions(soname string) (defined []string, known bool) {
	if p.Libc == closure.LoaderMusl && isMuslLibc(p, soname) {
		return nil, true
	}
	if defined, known = p.libraries[soname]; known || p.find == nil {
		return defined, known
	}
	o := p.find(soname)
	if o == nil {
		return nil, false
	}
	return definedVersions(o.Info), true
}

// definedVersions are the versions that a file defines, without the base version, which names
// nothing.
func definedVersions(info *elfpatch.Info) []string {
	var names []string
	for _, d := range info.VerDefs {
		if !d.Base {
			names = append(names, d.Name)
		}
	}
	return names
}

// isMuslLibc reports whether musl takes a name for itself (musl ldso/dynlink.c: load_library).
func isMuslLibc(p *Port, soname string) bool {
	return soname == "libc.so" || soname == path.Base(p.Interp) || strings.HasPrefix(soname, "libc.musl-")
}

// olderRelease compares two releases or version numbers part by part: 2.4 is older than 2.36.
func olderRelease(a, b string) bool {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0"); x != y {
			return len(x) < len(y) || len(x) == len(y) && x < y
		}
	}
	return false
}

// isNumber reports whether s is a dotted number.
func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == "" && s[0] != '.'
}
