package bundle

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// release is one release of a distribution as its default installation has it.
type release struct {
	name    string
	libc    closure.LoaderKind
	version string // of the C library
	gcc     string // whose libgcc_s and libstdc++ it has; "" where the default installation has none
	isa     map[string]string
	pages   map[string][]uint64 // where a kernel has other pages than of 4 KiB
}

// The least processors. Debian: "arm64" and "armhf" of its ports pages (armhf: VFPv3-D16); Raspberry Pi
// OS builds its 32-bit archive for the first Pi, an ARM1176; Alpine's armhf is for the same.
var (
	debianISA  = map[string]string{"amd64": "x86-64-v1", "arm64": "armv8-a", "armhf": "armv7-a+vfpv3-d16"}
	raspiosISA = map[string]string{"arm64": "armv8-a", "armhf": "armv6+vfp2"}
	alpineISA  = map[string]string{"amd64": "x86-64-v1", "arm64": "armv8-a", "armhf": "armv6+vfp2"}
)

// pi5Pages: the Pi 5 came with bookworm. Its default kernel, kernel_2712.img, has pages of 16 KiB,
// kernel8.img of 4 KiB (Raspberry Pi documentation, config.txt: kernel). The 32-bit system's own libraries
// are aligned to 4 KiB, so it comes with kernels of 4 KiB alone.
var pi5Pages = map[string][]uint64{"arm64": {4 << 10, 16 << 10}}

// releases are the known targets, the oldest C library first. Their packages: Debian libc6 and libstdc++6
// of bullseye (2.31-13, GCC 10.2), bookworm (2.36-9, GCC 12.2), trixie (2.41-12, GCC 14.2), of which Raspberry
// Pi OS has the same releases; Ubuntu jammy (2.35-0ubuntu3, GCC 12), noble (2.39-0ubuntu8, GCC 14); Alpine 3.20 and
// later (musl 1.2.5).
var releases = []release{
	{"raspios-bullseye", closure.LoaderGlibc, "2.31", "10", raspiosISA, nil},
	{"debian-11", closure.LoaderGlibc, "2.31", "10", debianISA, nil},
	{"ubuntu-22.04", closure.LoaderGlibc, "2.35", "12", debianISA, nil},
	{"raspios-bookworm", closure.LoaderGlibc, "2.36", "12", raspiosISA, pi5Pages},
	{"debian-12", closure.LoaderGlibc, "2.36", "12", debianISA, nil},
	{"ubuntu-24.04", closure.LoaderGlibc, "2.39", "14", debianISA, nil},
	{"raspios-trixie", closure.LoaderGlibc, "2.41", "14", raspiosISA, pi5Pages},
	{"debian-13", closure.LoaderGlibc, "2.41", "14", debianISA, nil},
	{"alpine", closure.LoaderMusl, "1.2.5", "", alpineISA, nil},
}

// Targets are the known targets, the oldest C library first.
func Targets() []*Target {
	tables := parseVersions()
	var targets []*Target
	for i := range releases {
		r := &releases[i]
		t := &Target{Name: r.name}
		for _, a := range arches {
			if r.isa[a.name] != "" {
				t.Ports = append(t.Ports, r.port(a, tables))
			}
		}
		targets = append(targets, t)
	}
	return targets
}

// port is a release on one machine.
func (r *release) port(a arch, tables []versionTable) *Port {
	p := &Port{
		Target: r.name, Arch: a.name, Libc: r.libc, Version: r.version, Interp: a.glibc, ISA: r.isa[a.name],
		PageSizes: []uint64{4 << 10}, libraries: map[string][]string{},
	}
	if pages := r.pages[a.name]; pages != nil {
		p.PageSizes = pages
	}
	if r.libc == closure.LoaderMusl {
		p.Interp = a.musl
		return p
	}
	for _, t := range tables {
		of := r.version
		if slices.Contains(gccLibraries, t.soname) {
			of = r.gcc
		}
		if t.arch == a.name && !olderRelease(of, t.first()) {
			p.libraries[t.soname] = t.at(of)
		}
	}
	return p
}

// gccLibraries are those that come with GCC: libgcc_s with glibc's package, libstdc++ with apt.
var gccLibraries = []string{"libgcc_s.so.1", "libstdc++.so.6"}

//go:embed versions.txt
var versionsText string

// versionTable is what one library defines on one machine, through all releases.
type versionTable struct {
	arch, soname string
	since        string // the release that has the library first; "" where its versions tell
	versions     []versionSince
}

type versionSince struct{ name, since string }

// first is the release that has the library first.
func (t *versionTable) first() string {
	first := t.since
	for _, v := range t.versions {
		if t.since == "" && (first == "" || olderRelease(v.since, first)) {
			first = v.since
		}
	}
	return first
}

// at is what a release defines.
func (t *versionTable) at(release string) []string {
	names := []string{}
	for _, v := range t.versions {
		if !olderRelease(release, v.since) {
			names = append(names, v.name)
		}
	}
	return names
}

// parseVersions reads versions.txt, which says its format.
func parseVersions() []versionTable {
	var tables []versionTable
	for line := range strings.Lines(versionsText) {
		if line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		if line[0] != ' ' {
			soname, since, _ := strings.Cut(words[1], "@")
			tables = append(tables, versionTable{arch: words[0], soname: soname, since: since})
			words = words[2:]
		}
		tables[len(tables)-1].add(words)
	}
	return tables
}

// add adds the versions of one line. A line goes on with the last name's beginning.
func (t *versionTable) add(words []string) {
	family := ""
	if n := len(t.versions); n > 0 {
		family, _, _ = strings.Cut(t.versions[n-1].name, "_")
		family += "_"
	}
	for _, w := range words {
		if strings.HasSuffix(w, "_") {
			family = w
			continue
		}
		name, since, ok := strings.Cut(w, "@")
		if !ok {
			since = w[strings.LastIndexByte(w, '_')+1:]
		}
		t.versions = append(t.versions, versionSince{family + name, since})
	}
}
