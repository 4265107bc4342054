package bundle_test

import (
	"debug/elf"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// wants is a symbol of the C library that an image refers to.
func wants(name, version string) elftest.Symbol {
	return elftest.Symbol{Name: name, Undefined: true, Version: version, VersionFile: "libc.so.6",
		Relocs: []uint32{uint32(elf.R_X86_64_GLOB_DAT)}}
}

func weak(s elftest.Symbol) elftest.Symbol {
	s.Bind = elf.STB_WEAK
	return s
}

// versionTree is a store with a program app, a library of it with some needs of libc's versions, and a
// libc that has all of them.
func versionTree(t *testing.T, app, library elftest.Image, more map[string]elftest.File) fs.FS {
	t.Helper()
	c := elftest.Image{Soname: "libc.so.6", Needed: []string{"ld-linux-x86-64.so.2"}}
	for _, im := range []elftest.Image{app, library} {
		for _, s := range im.Symbols {
			if s.Undefined && s.VersionFile == "libc.so.6" {
				c.Symbols = append(c.Symbols, elftest.Symbol{Name: s.Name, Version: s.Version})
			}
		}
		for _, v := range im.VersionNeeds {
			c.Versions = append(c.Versions, v.Version)
		}
	}
	files := map[string]elftest.File{
		glibcName + "/lib/libc.so.6":    c,
		glibcName + "/lib/libmvec.so.1": elftest.Image{Soname: "libmvec.so.1", Versions: []string{"GLIBC_2.35"}},
		"foo-1.0/lib/libfoo.so.1":       library,
		"app-1.0/bin/app":               runPath(app, "foo-1.0"),
	}
	for at, f := range more {
		files[at] = f
	}
	return storeTree(t, files)
}

// verdict plans the program of a tree for a target and returns how it starts and why.
func verdict(t *testing.T, root fs.FS, target string, programs ...string) []bundle.Program {
	t.Helper()
	known, err := bundle.ParseTarget(target)
	require.NoError(t, err)
	p, err := plan(t, root, bundle.Options{Target: known}, programs...)
	require.NoError(t, err)
	require.Equal(t, target, p.Target.Name)
	return p.Programs
}

// TestVerdict: the target's own C library is used exactly where it has every version that its loader
// asks for, and what does not let it is named.
func TestVerdict(t *testing.T) {
	for _, row := range []struct {
		name    string
		symbols []elftest.Symbol      // of the library
		needs   []elftest.VersionNeed // of the library
		no, yes string                // targets
		why     string                // with the first
	}{
		{"symbol_of_library", []elftest.Symbol{wants("strtol", "GLIBC_2.38"), wants("qsort", "GLIBC_2.2.5")}, nil, "debian-12", "debian-13",
			"since libfoo.so.1 needs strtol@GLIBC_2.38, and debian-12 has glibc 2.36; ubuntu-24.04 (glibc 2.39) and debian-13 (glibc 2.41) would do"},
		{"newest_first", []elftest.Symbol{wants("a", "GLIBC_2.34"), wants("b", "GLIBC_2.4"), wants("c", "GLIBC_2.36")}, nil, "debian-11", "debian-12",
			"since libfoo.so.1 needs c@GLIBC_2.36 (and 1 more), and debian-11 has glibc 2.31; debian-12 (glibc 2.36) would do"},
		{"many_symbols", []elftest.Symbol{wants("d", "GLIBC_2.38"), wants("b", "GLIBC_2.38"), wants("c", "GLIBC_2.38"), wants("a", "GLIBC_2.38")}, nil, "debian-12", "ubuntu-24.04",
			"libfoo.so.1 needs a@GLIBC_2.38, b@GLIBC_2.38, c@GLIBC_2.38 and 1 more, and"},
		{"version_that_no_symbol_wants", nil, []elftest.VersionNeed{{File: "libc.so.6", Version: "GLIBC_2.38"}}, "debian-12", "ubuntu-24.04",
			"libfoo.so.1 needs GLIBC_2.38 of libc.so.6, and"},
		{"pseudo_version", nil, []elftest.VersionNeed{{File: "libc.so.6", Version: "GLIBC_ABI_DT_RELR"}}, "ubuntu-22.04", "debian-12",
			"libfoo.so.1 needs GLIBC_ABI_DT_RELR of libc.so.6, and ubuntu-22.04 has glibc 2.35; debian-12"},
		{"version_of_another_file", []elftest.Symbol{wants("pthread_clockjoin_np", "GLIBC_2.31")}, nil, "debian-11", "ubuntu-22.04",
			"libfoo.so.1 needs pthread_clockjoin_np@GLIBC_2.31, and debian-11 has glibc 2.31"},
		{"weak_version", nil, []elftest.VersionNeed{{File: "libc.so.6", Version: "GLIBC_2.99", Weak: true}}, "", "debian-11", ""},
		{"weak_version_weak_symbol", []elftest.Symbol{weak(wants("f", "GLIBC_2.38"))}, []elftest.VersionNeed{{File: "libc.so.6", Version: "GLIBC_2.38", Weak: true}},
			"", "debian-11", ""},
		{"weak_symbol", []elftest.Symbol{weak(wants("f", "GLIBC_2.38"))}, nil, "debian-12", "ubuntu-24.04", "libfoo.so.1 needs f@GLIBC_2.38"},
		{"weak_version_strong_symbol", []elftest.Symbol{wants("f", "GLIBC_2.38")}, []elftest.VersionNeed{{File: "libc.so.6", Version: "GLIBC_2.38", Weak: true}},
			"debian-12", "ubuntu-24.04", "libfoo.so.1 needs f@GLIBC_2.38"},
		{"private", []elftest.Symbol{wants("_dl_x", "GLIBC_PRIVATE")}, nil, "debian-13", "",
			"since libfoo.so.1 needs _dl_x@GLIBC_PRIVATE, and debian-13 has glibc 2.41"},
		{"unknown_version", []elftest.Symbol{wants("f", "GLIBC_2.99")}, nil, "debian-13", "", "since libfoo.so.1 needs f@GLIBC_2.99, and debian-13 has glibc 2.41"},
		{"another_libc", []elftest.Symbol{wants("f", "GLIBC_2.4")}, nil, "alpine", "debian-11",
			"since app needs ld-linux-x86-64.so.2, and alpine has musl 1.2.5; debian-11 (glibc 2.31) would do"},
	} {
		t.Run(row.name, func(t *testing.T) {
			library := lib("libfoo.so.1")
			library.Symbols, library.VersionNeeds = append(library.Symbols, row.symbols...), row.needs
			root := versionTree(t, program("libfoo.so.1"), library, nil)
			if row.yes != "" {
				p := verdict(t, root, row.yes, "app-1.0/bin/app")[0]
				require.Equal(t, bundle.StrategySystem, p.Strategy, p.Reason)
				require.Contains(t, p.Reason, row.yes+" has ")
			}
			if row.no == "" {
				return
			}
			p := verdict(t, root, row.no, "app-1.0/bin/app")[0]
			require.NotEqual(t, bundle.StrategySystem, p.Strategy)
			require.Contains(t, p.Reason, row.why)

			known, err := bundle.ParseTarget(row.no)
			require.NoError(t, err)
			_, err = plan(t, root, bundle.Options{Target: known, Interp: "system"}, "app-1.0/bin/app")
			var refused *bundle.TargetError
			require.ErrorAs(t, err, &refused)
			require.NotEmpty(t, refused.Unmet)
			require.Contains(t, err.Error(), refused.Unmet[0].String())
		})
	}
}

// TestVerdictRelr: a file with DT_RELR needs a C library that reads it, even where it does not say so.
func TestVerdictRelr(t *testing.T) {
	library := lib("libfoo.so.1")
	library.Dyn = []elftest.Dyn{{Tag: 35}, {Tag: 36}, {Tag: 37, Val: 8}} // DT_RELRSZ, DT_RELR, DT_RELRENT
	root := versionTree(t, program("libfoo.so.1"), library, nil)
	require.Equal(t, bundle.StrategySystem, verdict(t, root, "debian-12", "app-1.0/bin/app")[0].Strategy)
	require.Contains(t, verdict(t, root, "ubuntu-22.04", "app-1.0/bin/app")[0].Reason, "libfoo.so.1 needs GLIBC_ABI_DT_RELR of libc.so.6")
}

// TestPortMachine: an audit gets the version of the C library only where that is used.
func TestPortMachine(t *testing.T) {
	p := known(t, "raspios-bookworm", "arm64")
	want := closure.Machine{PageSizes: []uint64{4096, 16384}, ISA: "armv8-a"}
	require.Equal(t, want, p.Machine(false))
	want.Glibc = [2]int{2, 36}
	require.Equal(t, want, p.Machine(true))
	require.Zero(t, known(t, "alpine", "arm64").Machine(true).Glibc)
}

// TestVerdictOfMany: one program that needs its own C library takes that of all others away.
func TestVerdictOfMany(t *testing.T) {
	library := lib("libfoo.so.1")
	library.Symbols = append(library.Symbols, wants("f", "GLIBC_2.38"))
	root := versionTree(t, program("libfoo.so.1"), library, map[string]elftest.File{"old-1.0/bin/old": program()})
	require.Equal(t, bundle.StrategySystem, verdict(t, root, "debian-11", "old-1.0/bin/old")[0].Strategy)
	for _, p := range verdict(t, root, "debian-12", "old-1.0/bin/old", "app-1.0/bin/app") {
		require.NotEqual(t, bundle.StrategySystem, p.Strategy)
		require.Contains(t, p.Reason, "libfoo.so.1 needs f@GLIBC_2.38")
	}
}

// TestVerdictLibrary: a member of the C library that came late blocks too.
func TestVerdictLibrary(t *testing.T) {
	root := versionTree(t, program("libfoo.so.1"), lib("libfoo.so.1", "libmvec.so.1"), nil)
	require.Equal(t, bundle.StrategySystem, verdict(t, root, "debian-11", "app-1.0/bin/app")[0].Strategy, "on amd64")
	root = versionTree(t, program("libfoo.so.1"), lib("libfoo.so.1", "libanl.so.9"), map[string]elftest.File{
		glibcName + "/lib/libanl.so.9": elftest.Image{Soname: "libanl.so.9"},
	})
	require.Contains(t, verdict(t, root, "debian-13", "app-1.0/bin/app")[0].Reason, "since libfoo.so.1 needs libanl.so.9, and debian-13 has")
}

// TestUnnamedTarget: who takes the target's C library without naming the target is told where that works.
func TestUnnamedTarget(t *testing.T) {
	library := lib("libfoo.so.1")
	library.Symbols = append(library.Symbols, wants("f", "GLIBC_2.33"))
	root := versionTree(t, program("libfoo.so.1"), library, nil)
	p, err := plan(t, root, bundle.Options{Interp: "system"}, "app-1.0/bin/app")
	require.NoError(t, err)
	require.Nil(t, p.Target)
	require.Len(t, p.Warnings, 1)
	require.Contains(t, p.Warnings[0], "no target is named")
	require.Contains(t, p.Warnings[0], "from ubuntu-22.04 (glibc 2.35) on")
}

// TestOlderLibstdcxx: a bundle's libstdc++ that is older than the target's is told.
func TestOlderLibstdcxx(t *testing.T) {
	for version, warnings := range map[string]int{"GLIBCXX_3.4.28": 1, "GLIBCXX_3.4.30": 0, "GLIBCXX_3.4.33": 0} {
		library := lib("libstdc++.so.6")
		library.Versions = []string{"GLIBCXX_3.4.9", version}
		root := versionTree(t, program("libstdc++.so.6"), lib("libfoo.so.1"), map[string]elftest.File{"foo-1.0/lib/libstdc++.so.6": library})
		known, err := bundle.ParseTarget("debian-12")
		require.NoError(t, err)
		p, err := plan(t, root, bundle.Options{Target: known}, "app-1.0/bin/app")
		require.NoError(t, err)
		require.Len(t, p.Warnings, warnings, p.Warnings)
	}
}

// TestTargetRefuses: what the named target cannot run is refused; on another one it is not, and without
// one it is a warning.
func TestTargetRefuses(t *testing.T) {
	const interp = "/lib/ld-linux-aarch64.so.1"
	app := elftest.Image{Machine: elf.EM_AARCH64, Interp: interp, Needed: []string{"libc.so.6"}, PageAlign: 4096}
	root, err := closure.OpenRoot(elftest.WriteTree(t, elftest.Tree{
		"/app/bin/app":   app,
		interp:           elftest.Image{Machine: elf.EM_AARCH64, Soname: "ld-linux-aarch64.so.1"},
		"/lib/libc.so.6": elftest.Image{Machine: elf.EM_AARCH64, Soname: "libc.so.6"},
	}))
	require.NoError(t, err)
	c, err := closure.Walk(root, []string{"/app/bin/app"}, closure.Options{})
	require.NoError(t, err)
	for name, refused := range map[string]bool{"raspios-bookworm": true, "debian-12": false, "raspios-bullseye": false, "": false} {
		var target *bundle.Target
		if name != "" {
			target, err = bundle.ParseTarget(name)
			require.NoError(t, err)
		}
		p, err := bundle.NewPlan(c, bundle.Options{Target: target})
		var conflict *bundle.ConflictError
		if refused {
			require.ErrorAs(t, err, &conflict)
			require.Equal(t, closure.KindPageSize, conflict.Findings[0].Kind)
			p, err = bundle.NewPlan(c, bundle.Options{Target: target, AllowConflicts: true})
			require.NoError(t, err)
			require.Len(t, p.Accepted, 1)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, name == "", len(p.Warnings) > 0, "%s: %s", name, p.Warnings)
	}
}

// TestRootLacksSymbol: of a real root every symbol is known, so one that is missing in a version that is
// there is named, and one without a version; a known target's symbols are not.
func TestRootLacksSymbol(t *testing.T) {
	library := lib("libfoo.so.1")
	plain := wants("plain", "")
	plain.VersionFile = ""
	library.Symbols = append(library.Symbols, wants("f", "GLIBC_2.4"), wants("g", "GLIBC_2.4"), plain, weak(wants("h", "GLIBC_2.4")))
	store := versionTree(t, program("libfoo.so.1"), library, map[string]elftest.File{
		glibcName + "/lib/libc.so.6": elftest.Image{Soname: "libc.so.6", Symbols: []elftest.Symbol{
			{Name: "f", Version: "GLIBC_2.4"}, {Name: "g", Version: "GLIBC_2.4"}, {Name: "h", Version: "GLIBC_2.4"}, {Name: "plain", Version: "GLIBC_2.4"},
		}},
	})
	for _, row := range []struct {
		version string // of the root's C library
		symbols []string
		why     string
	}{
		{"GLIBC_2.4", []string{"f", "g", "plain"}, ""},
		{"GLIBC_2.5", []string{"f", "g", "plain"}, "since libfoo.so.1 needs f@GLIBC_2.4, g@GLIBC_2.4 and h@GLIBC_2.4, and /mnt/pi has glibc 2.36"},
		{"GLIBC_2.4", []string{"f", "plain"}, "libfoo.so.1 needs g@GLIBC_2.4, and /mnt/pi has glibc 2.36"},
		{"GLIBC_2.4", []string{"f", "g"}, "libfoo.so.1 needs plain, and /mnt/pi has glibc 2.36"},
	} {
		c := elftest.Image{Soname: "libc.so.6", Trailer: []byte("\x00GNU C Library (x) stable release version 2.36.\x00")}
		for _, name := range row.symbols {
			c.Symbols = append(c.Symbols, elftest.Symbol{Name: name, Version: row.version})
		}
		root, err := closure.OpenRoot(elftest.WriteTree(t, elftest.Tree{
			"/lib64/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"}, "/lib/libc.so.6": c,
		}))
		require.NoError(t, err)
		target, err := bundle.TargetFromRoot(root, "/mnt/pi")
		require.NoError(t, err)
		p, err := plan(t, store, bundle.Options{Target: target}, "app-1.0/bin/app")
		require.NoError(t, err)
		require.Equal(t, row.why == "", p.Programs[0].Strategy == bundle.StrategySystem, p.Programs[0].Reason)
		require.Contains(t, p.Programs[0].Reason, row.why)
		require.Empty(t, p.Target.Name, "the place of a root says nothing elsewhere")
		require.Equal(t, "glibc 2.36", p.Target.Libc)
	}
}

// TestTargetFromRoot reads made-up roots: a loader alone is none, one for musl tells its release, and
// what a root says it is tells what a root does not hold.
func TestTargetFromRoot(t *testing.T) {
	read := func(tree elftest.Tree) (*bundle.Target, error) {
		root, err := closure.OpenRoot(elftest.WriteTree(t, tree))
		require.NoError(t, err)
		return bundle.TargetFromRoot(root, "/mnt/pi")
	}
	_, err := read(elftest.Tree{"/lib": elftest.Dir{}})
	require.ErrorContains(t, err, `target-root "/mnt/pi": no C library is in it: neither /lib64/ld-linux-x86-64.so.2 nor`)
	_, err = read(elftest.Tree{"/lib64/ld-linux-x86-64.so.2": elftest.Data("no ELF file")})
	require.ErrorContains(t, err, "/mnt/pi: /lib64/ld-linux-x86-64.so.2: not an ELF file")

	musl := elftest.Image{Soname: "libc.so", Machine: elf.EM_AARCH64, Trailer: []byte("x\x001.2.4\x00"), Symbols: []elftest.Symbol{{Name: "malloc"}}}
	target, err := read(elftest.Tree{
		"/lib/ld-musl-aarch64.so.1": musl,
		"/usr/lib/libz.so.1":        elftest.Image{Soname: "libz.so.1", Machine: elf.EM_AARCH64},
		"/usr/lib/os-release":       elftest.Data("NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.20.1\n"),
	})
	require.NoError(t, err)
	require.Len(t, target.Ports, 1)
	p := target.Ports[0]
	require.Equal(t, "musl 1.2.4", p.LibcText())
	require.Equal(t, "armv8-a", p.ISA)
	require.True(t, p.Has("libz.so.1"))
	require.False(t, p.Has("libc.so.6"))

	glibc := elftest.Tree{
		"/lib/ld-linux-aarch64.so.1": elftest.Image{Soname: "ld-linux-aarch64.so.1", Machine: elf.EM_AARCH64},
		"/lib/libc.so.6": elftest.Image{Soname: "libc.so.6", Machine: elf.EM_AARCH64, Versions: []string{"GLIBC_2.17", "GLIBC_2.36"},
			Trailer: []byte("\x00GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n\x00")},
		"/usr/lib/os-release": elftest.Data("ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n"),
		"/etc/rpi-issue":      elftest.Data("Raspberry Pi reference\n"),
	}
	target, err = read(glibc)
	require.NoError(t, err)
	p = target.Ports[0]
	require.Equal(t, "glibc 2.36", p.LibcText())
	require.Equal(t, []uint64{4096, 16384}, p.PageSizes, "it is a Raspberry Pi OS")
	require.True(t, p.Defines("libc.so.6", "GLIBC_2.36"))
	require.False(t, p.Defines("libc.so.6", "GLIBC_2.34"), "the root decides, and not the table")
	delete(glibc, "/etc/rpi-issue")
	target, err = read(glibc)
	require.NoError(t, err)
	require.Equal(t, []uint64{4096}, target.Ports[0].PageSizes)
}
