package bundle_test

import (
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// glibc is a C library of the store, as small as it can be.
const glibcName = "glibc-2.40"

func libDir(name string) string { return elftest.StorePath(name) + "/lib" }

func ldso() string { return libDir(glibcName) + "/ld-linux-x86-64.so.2" }

// lib is a library of the store path name.
func lib(soname string, needed ...string) elftest.Image {
	return elftest.Image{Soname: soname, Needed: append(needed, "libc.so.6"), RunPath: libDir(glibcName),
		Symbols: []elftest.Symbol{{Name: strings.NewReplacer(".", "_", "-", "_").Replace(soname)}}}
}

// runPath is an image with a run path through those store paths, glibc last.
func runPath(im elftest.Image, names ...string) elftest.Image {
	var dirs []string
	for _, name := range append(names, glibcName) {
		dirs = append(dirs, libDir(name))
	}
	im.RunPath = strings.Join(dirs, ":")
	return im
}

func program(needed ...string) elftest.Image {
	return elftest.Image{Interp: ldso(), Needed: append(needed, "libc.so.6")}
}

// storeTree is a store with a C library and what else is given, by store path name and rest.
func storeTree(t *testing.T, files map[string]elftest.File) fs.FS {
	t.Helper()
	tree := elftest.Tree{
		ldso():                           elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		libDir(glibcName) + "/libc.so.6": elftest.Image{Soname: "libc.so.6", Needed: []string{"ld-linux-x86-64.so.2"}},
	}
	for at, f := range files {
		name, rest, _ := strings.Cut(at, "/")
		tree[elftest.StorePath(name)+"/"+rest] = f
	}
	root, err := closure.OpenRoot(elftest.WriteTree(t, tree))
	require.NoError(t, err)
	return root
}

// plan plans the bundle of programs, given as NAME/bin/PROGRAM, and proves it.
func plan(t *testing.T, root fs.FS, opts bundle.Options, programs ...string) (*bundle.Plan, error) {
	t.Helper()
	var paths []string
	for _, p := range programs {
		name, rest, _ := strings.Cut(p, "/")
		paths = append(paths, elftest.StorePath(name)+"/"+rest)
	}
	c, err := closure.Walk(root, paths, closure.Options{})
	require.NoError(t, err)
	p, err := bundle.NewPlan(c, opts)
	if err != nil {
		return nil, err
	}
	return p, p.Prove()
}

// own is the folder below lib/ that a store path's colliding libraries go to.
func own(name string) string {
	return filepath.Base(elftest.StorePath(name))[:8] + "-" + name
}

func mustPlan(t *testing.T, root fs.FS, opts bundle.Options, programs ...string) map[string]bundle.Entry {
	t.Helper()
	p, err := plan(t, root, opts, programs...)
	require.NoError(t, err)
	entries := map[string]bundle.Entry{}
	for _, e := range p.Entries {
		entries[e.Path] = e
	}
	return entries
}

func TestPlanPlaces(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{
		"foo-1.0/lib/libfoo.so.1.2": lib("libfoo.so.1"),
		"foo-1.0/lib/libfoo.so.1":   elftest.Link("libfoo.so.1.2"),
		"app-1.0/bin/linux/app":     runPath(program("libfoo.so.1"), "foo-1.0"),
	})
	got := mustPlan(t, root, bundle.Options{Interp: "system"}, "app-1.0/bin/linux/app")
	require.Equal(t, "/lib64/ld-linux-x86-64.so.2", got["app/bin/linux/app"].Edit.Interp)
	require.Equal(t, "$ORIGIN/../../lib", got["app/bin/linux/app"].Edit.RunPath)
	require.Equal(t, "$ORIGIN", got["app/lib/libfoo.so.1.2"].Edit.RunPath)
	require.Equal(t, "libfoo.so.1.2", got["app/lib/libfoo.so.1"].Link)
	require.NotContains(t, got, "app/lib/libc.so.6")
	require.True(t, got["app/lib"].Mode.IsDir())

	got = mustPlan(t, root, bundle.Options{Interp: "wrapper", Name: "x"}, "app-1.0/bin/linux/app")
	require.Contains(t, string(got["x/bin/linux/app"].Data), `exec "$nixbundle_root"'lib/ld-linux-x86-64.so.2'`)
	require.Contains(t, got, "x/lib/libc.so.6")
	require.Equal(t, "$ORIGIN/../../lib", got["x/libexec/linux/app"].Edit.RunPath)
	require.True(t, got["x/libexec/linux/app"].Edit.RPath, "a bundle with its own C library is found before LD_LIBRARY_PATH")

	got = mustPlan(t, root, bundle.Options{}, "app-1.0/bin/linux/app")
	require.Equal(t, "../../lib/ld-linux-x86-64.so.2", got["app/bin/linux/app"].Edit.Loader)
	require.True(t, got["app/bin/linux/app"].Edit.RPath)
	require.Contains(t, got, "app/lib/libc.so.6")

	got = mustPlan(t, root, bundle.Options{Interp: "/opt/app/lib/ld-linux-x86-64.so.2"}, "app-1.0/bin/linux/app")
	require.Equal(t, "/opt/app/lib/ld-linux-x86-64.so.2", got["app/bin/linux/app"].Edit.Interp)
	require.Contains(t, got, "app/lib/ld-linux-x86-64.so.2")
}

// Where no stub can be put in, auto takes a launcher and says why; asked for, it is an error.
func TestPlanNoStub(t *testing.T) {
	old := program()
	old.Machine = elf.EM_S390
	interp := elftest.Image{Soname: "ld-linux-x86-64.so.2", Machine: elf.EM_S390}
	libc := elftest.Image{Soname: "libc.so.6", Machine: elf.EM_S390, Needed: []string{"ld-linux-x86-64.so.2"}}
	root := storeTree(t, map[string]elftest.File{
		"one-1/bin/one": runPath(old), glibcName + "/lib/ld-linux-x86-64.so.2": interp, glibcName + "/lib/libc.so.6": libc,
	})
	p, err := plan(t, root, bundle.Options{}, "one-1/bin/one")
	require.NoError(t, err)
	require.Equal(t, bundle.StrategyWrapper, p.Programs[0].Strategy)
	require.Contains(t, p.Programs[0].Reason, "; no start stub: there is no start stub for EM_S390")
	_, err = plan(t, root, bundle.Options{Interp: "stub"}, "one-1/bin/one")
	require.ErrorIs(t, err, elfpatch.ErrUnsupported)
}

// Two programs that each need their own libx.so.1: both get it.
func TestPlanCollision(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{
		"x-1.0/lib/libx.so.1": lib("libx.so.1"),
		"x-2.0/lib/libx.so.1": runPath(elftest.Image{Soname: "libx.so.1", Needed: []string{"libc.so.6"}, Padding: 8}),
		"y-1.0/lib/liby.so.1": runPath(lib("liby.so.1", "libx.so.1"), "x-2.0"),
		"one-1/bin/one":       runPath(program("libx.so.1"), "x-1.0"),
		"two-1/bin/two":       runPath(program("liby.so.1"), "y-1.0"),
	})
	for _, interp := range []string{"system", "stub", "wrapper"} {
		got := mustPlan(t, root, bundle.Options{Interp: interp}, "one-1/bin/one", "two-1/bin/two")
		require.Contains(t, got, "one/lib/libx.so.1")
		require.Contains(t, got, "one/lib/"+own("x-2.0")+"/libx.so.1")
		require.Equal(t, "$ORIGIN/"+own("x-2.0")+":$ORIGIN", got["one/lib/liby.so.1"].Edit.RunPath)
		require.Equal(t, "$ORIGIN/..", got["one/lib/"+own("x-2.0")+"/libx.so.1"].Edit.RunPath)
	}
}

// Two libraries of one store path collide: they share a folder where nobody would find the wrong
// one there, and else each has its own.
func TestPlanCollisionFolders(t *testing.T) {
	two := func(soname string) elftest.Image {
		return runPath(elftest.Image{Soname: soname, Needed: []string{"libc.so.6"}, Padding: 8})
	}
	files := map[string]elftest.File{
		"a-1/lib/liba.so.1": lib("liba.so.1"),
		"a-1/lib/libb.so.1": lib("libb.so.1"),
		"a-2/lib/liba.so.1": two("liba.so.1"),
		"a-2/lib/libb.so.1": two("libb.so.1"),
		"one-1/bin/one":     runPath(program("liba.so.1", "libb.so.1"), "a-1"),
		"two-1/bin/two":     runPath(program("liba.so.1", "libb.so.1"), "a-2"),
	}
	got := mustPlan(t, storeTree(t, files), bundle.Options{Interp: "system"}, "one-1/bin/one", "two-1/bin/two")
	require.Contains(t, got, "one/lib/"+own("a-2")+"/liba.so.1")
	require.Contains(t, got, "one/lib/"+own("a-2")+"/libb.so.1")

	// mix takes liba of a-2 and libb of a-1, by a folder of its own in the store.
	files["mix-1/lib/liba.so.1"] = elftest.Link("../../" + filepath.Base(elftest.StorePath("a-2")) + "/lib/liba.so.1")
	files["mix-1/lib/libb.so.1"] = elftest.Link("../../" + filepath.Base(elftest.StorePath("a-1")) + "/lib/libb.so.1")
	files["mix-1/bin/mix"] = runPath(program("liba.so.1", "libb.so.1"), "mix-1")
	got = mustPlan(t, storeTree(t, files), bundle.Options{Interp: "system"}, "one-1/bin/one", "two-1/bin/two", "mix-1/bin/mix")
	require.Equal(t, "$ORIGIN/../lib/"+own("a-2")+":$ORIGIN/../lib", got["one/bin/mix"].Edit.RunPath)

	// The same with the other library of a-2 placed first.
	files["two-1/bin/two"] = runPath(program("libb.so.1", "liba.so.1"), "a-2")
	got = mustPlan(t, storeTree(t, files), bundle.Options{Interp: "system"}, "one-1/bin/one", "two-1/bin/two", "mix-1/bin/mix")
	require.Contains(t, got, "one/lib/"+own("a-2")+"/libb.so.1")
	require.NotContains(t, got, "one/lib/"+own("a-2")+"/liba.so.1")
}

// A DT_NEEDED that is a path becomes the bare name, with its version need.
func TestPlanAbsoluteNeed(t *testing.T) {
	foo := lib("libfoo.so.1")
	foo.Symbols = []elftest.Symbol{{Name: "foo", Version: "FOO_1"}}
	abs := libDir("foo-1.0") + "/libfoo.so.1"
	app := runPath(program(abs), "foo-1.0")
	app.Symbols = []elftest.Symbol{{Name: "foo", Undefined: true, Version: "FOO_1", VersionFile: abs}}
	root := storeTree(t, map[string]elftest.File{"foo-1.0/lib/libfoo.so.1": foo, "app-1.0/bin/app": app})
	got := mustPlan(t, root, bundle.Options{Interp: "system"}, "app-1.0/bin/app")
	require.Equal(t, map[string]string{abs: "libfoo.so.1"}, got["app/bin/app"].Edit.ReplaceNeeded)
}

// Programs that are names of one file, as busybox has, stay names of one file.
func TestPlanProgramNames(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{
		"box-1/bin/box": program(),
		"box-1/bin/ls":  elftest.Link("box"),
	})
	got := mustPlan(t, root, bundle.Options{Interp: "system"}, "box-1/bin/box", "box-1/bin/ls")
	require.Equal(t, "box", got["box/bin/ls"].Link)
	got = mustPlan(t, root, bundle.Options{Interp: "wrapper"}, "box-1/bin/box", "box-1/bin/ls")
	require.Equal(t, "box", got["box/libexec/ls"].Link)
	require.Contains(t, string(got["box/bin/ls"].Data), `"$nixbundle_root"'libexec/ls'`)
}

func TestPlanRefuses(t *testing.T) {
	other := program()
	other.Padding = 64
	arm := elftest.Image{Machine: elf.EM_AARCH64, Type: elf.ET_EXEC, Static: true}
	root := storeTree(t, map[string]elftest.File{
		"one-1/bin/tool": program(),
		"two-1/bin/tool": other,
		"arm-1/bin/arm":  arm,
		"foo-1/bin/foo":  program("libgone.so.1"),
	})
	_, err := plan(t, root, bundle.Options{}, "one-1/bin/tool", "two-1/bin/tool")
	var collision *bundle.CollisionError
	require.ErrorAs(t, err, &collision)
	require.Len(t, collision.Sources, 2)

	_, err = plan(t, root, bundle.Options{Interp: "/lib/x"}, "one-1/bin/tool", "arm-1/bin/arm")
	var machine *bundle.MachineError
	require.ErrorAs(t, err, &machine)

	_, err = plan(t, root, bundle.Options{}, "foo-1/bin/foo")
	var missing *closure.NotFoundError
	require.ErrorAs(t, err, &missing)

	var option *bundle.OptionError
	for _, opts := range []bundle.Options{
		{Name: "a/b"}, {Name: ".."}, {Interp: "else"}, {Interp: "/opt/x/loader"}, {Interp: "/opt//x/lib/ld-linux-x86-64.so.2"}, {Interp: "/"},
	} {
		_, err = plan(t, root, opts, "one-1/bin/tool")
		require.ErrorAs(t, err, &option, "%+v", opts)
	}
}

// One path is one loader: programs of two C libraries cannot share it.
func TestPlanInterpPath(t *testing.T) {
	other := libDir("glibc-2.41") + "/ld-linux-x86-64.so.2"
	two := elftest.Image{Interp: other, Needed: []string{"libc.so.6"}, RunPath: libDir("glibc-2.41")}
	root := storeTree(t, map[string]elftest.File{
		"glibc-2.41/lib/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2", Padding: 8},
		"glibc-2.41/lib/libc.so.6":            elftest.Image{Soname: "libc.so.6", Needed: []string{"ld-linux-x86-64.so.2"}, Padding: 8},
		"one-1/bin/one":                       runPath(program()),
		"two-1/bin/two":                       two,
	})
	opts := bundle.Options{Interp: "/opt/x/lib/ld-linux-x86-64.so.2"}
	mustPlan(t, root, opts, "one-1/bin/one")
	var option *bundle.OptionError
	_, err := plan(t, root, opts, "one-1/bin/one", "two-1/bin/two")
	require.ErrorAs(t, err, &option)

	// With its own loader behind a launcher or a stub, each works.
	got := mustPlan(t, root, bundle.Options{Interp: "wrapper"}, "one-1/bin/one", "two-1/bin/two")
	require.Contains(t, string(got["one/bin/two"].Data), "'lib/"+own("glibc-2.41")+"/ld-linux-x86-64.so.2'")
	got = mustPlan(t, root, bundle.Options{}, "one-1/bin/one", "two-1/bin/two")
	require.Equal(t, "../lib/ld-linux-x86-64.so.2", got["one/bin/one"].Edit.Loader)
	require.Equal(t, "../lib/"+own("glibc-2.41")+"/ld-linux-x86-64.so.2", got["one/bin/two"].Edit.Loader)
}

// A library is no program, though no interpreter stands in it either.
func TestPlanLibrary(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{"x-1/lib/libx.so.1": lib("libx.so.1")})
	_, err := plan(t, root, bundle.Options{}, "x-1/lib/libx.so.1")
	var program *closure.ProgramError
	require.ErrorAs(t, err, &program)
}

// A program that is named twice is one; what a wrapper hides has its own name again.
func TestPlanNames(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{"one-1/bin/.one-wrapped_": program()})
	got := mustPlan(t, root, bundle.Options{Interp: "wrapper"}, "one-1/bin/.one-wrapped_", "one-1/bin/.one-wrapped_")
	require.Contains(t, got, "one/bin/one")
	require.Contains(t, got, "one/libexec/one")
}

// No folder of a bundle's own has a name that glibc looks for below every search directory.
func TestPlanLegacyNames(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{
		"x-1/lib/libx.so.1": lib("libx.so.1"),
		"tls/lib/libx.so.1": runPath(elftest.Image{Soname: "libx.so.1", Needed: []string{"libc.so.6"}, Padding: 8}),
		"one-1/bin/one":     runPath(program("libx.so.1"), "x-1"),
		"two-1/bin/two":     runPath(program("libx.so.1"), "tls"),
	})
	got := mustPlan(t, root, bundle.Options{}, "one-1/bin/one", "two-1/bin/two")
	require.NotContains(t, got, "one/lib/tls")
	require.Contains(t, got, "one/lib/"+own("tls")+"/libx.so.1")
}

// One file that finds one name in two places, through the DT_RPATH of two programs, has no place
// in one tree that suits both.
func TestPlanInheritedRPath(t *testing.T) {
	inherit := func(from string) elftest.Image {
		im := program("libuser.so.1")
		im.RPath = libDir("user-1") + ":" + libDir(from) + ":" + libDir(glibcName)
		return im
	}
	x2 := lib("libx.so.1")
	x2.Padding = 8
	root := storeTree(t, map[string]elftest.File{
		"x-1/lib/libx.so.1":       lib("libx.so.1"),
		"x-2/lib/libx.so.1":       x2,
		"user-1/lib/libuser.so.1": elftest.Image{Soname: "libuser.so.1", Needed: []string{"libx.so.1"}},
		"one-1/bin/one":           inherit("x-1"),
		"two-1/bin/two":           inherit("x-2"),
	})
	mustPlan(t, root, bundle.Options{}, "one-1/bin/one")
	_, err := plan(t, root, bundle.Options{}, "one-1/bin/one", "two-1/bin/two")
	var collision *bundle.CollisionError
	require.ErrorAs(t, err, &collision)
	require.Contains(t, err.Error(), "libuser.so.1")
}

func TestPlanDropsSetID(t *testing.T) {
	dir := elftest.WriteTree(t, elftest.Tree{"nix/store/x/bin/app": elftest.Image{Static: true, Type: 2}})
	require.NoError(t, os.Chmod(dir+"/nix/store/x/bin/app", 0o755|fs.ModeSetuid))
	root, err := closure.OpenRoot(dir)
	require.NoError(t, err)
	c, err := closure.Walk(root, []string{"/nix/store/x/bin/app"}, closure.Options{})
	require.NoError(t, err)
	p, err := bundle.NewPlan(c, bundle.Options{})
	require.NoError(t, err)
	require.Len(t, p.Warnings, 1)
	require.Contains(t, p.Warnings[0], "set-id")
	require.Equal(t, bundle.StrategyNone, p.Programs[0].Strategy)
	for _, e := range p.Entries {
		require.Zero(t, e.Mode&(fs.ModeSetuid|fs.ModeSetgid))
	}
}

// The proof is worth something: a plan by which a program gets the other copy is refused, though
// all it needs is there.
func TestProveRefusesOtherCopy(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{
		"x-1.0/lib/libx.so.1": lib("libx.so.1"),
		"x-2.0/lib/libx.so.1": runPath(elftest.Image{Soname: "libx.so.1", Needed: []string{"libc.so.6"}, Padding: 8}),
		"one-1/bin/one":       runPath(program("libx.so.1"), "x-1.0"),
		"two-1/bin/two":       runPath(program("libx.so.1"), "x-2.0"),
	})
	p, err := plan(t, root, bundle.Options{Interp: "system"}, "one-1/bin/one", "two-1/bin/two")
	require.NoError(t, err)
	for i := range p.Entries {
		if p.Entries[i].Path == "one/bin/two" {
			p.Entries[i].Edit.RunPath = "$ORIGIN/../lib"
		}
	}
	var proof *bundle.ProofError
	require.ErrorAs(t, p.Prove(), &proof)
	require.Equal(t, "one/lib/"+own("x-2.0")+"/libx.so.1", proof.Want)
	require.Equal(t, "one/lib/libx.so.1", proof.Got)
}

// The link maps may be the same and a reference still reach nothing: that is refused as well.
func TestProveRefusesOtherBinding(t *testing.T) {
	const globDat = 6 // R_X86_64_GLOB_DAT
	app := program("libx.so.1")
	app.Symbols = []elftest.Symbol{{Name: "foo", Undefined: true, Relocs: []uint32{globDat}}}
	with, without := lib("libx.so.1"), lib("libx.so.1")
	with.Symbols = []elftest.Symbol{{Name: "foo"}}
	root := storeTree(t, map[string]elftest.File{
		"x-1/lib/libx.so.1": with, "y-1/lib/libx.so.1": without, "one-1/bin/one": runPath(app, "x-1"),
	})
	p, err := plan(t, root, bundle.Options{Interp: "system"}, "one-1/bin/one")
	require.NoError(t, err)
	other, err := closure.ReadObject(root, libDir("y-1")+"/libx.so.1")
	require.NoError(t, err)
	for i := range p.Entries {
		if p.Entries[i].Path == "one/lib/libx.so.1" {
			p.Entries[i].Object = other
		}
	}
	var proof *bundle.ProofError
	require.ErrorAs(t, p.Prove(), &proof)
	require.Contains(t, proof.For, "foo of ")
	require.Equal(t, "nothing", proof.Got)
}

// A plan with a run path that leads nowhere is refused.
func TestProveRefuses(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{
		"x-1/lib/libx.so.1": lib("libx.so.1"),
		"one-1/bin/one":     runPath(program("libx.so.1"), "x-1"),
	})
	for _, interp := range []string{"system", "stub", "wrapper"} {
		p, err := plan(t, root, bundle.Options{Interp: interp}, "one-1/bin/one")
		require.NoError(t, err)
		for i := range p.Entries {
			if p.Entries[i].Edit.Interp+p.Entries[i].Edit.Loader != "" {
				p.Entries[i].Edit.RunPath = "$ORIGIN/../elsewhere"
			}
		}
		var proof *bundle.ProofError
		require.True(t, errors.As(p.Prove(), &proof), interp)
	}
}

// One library inside another is refused; a name that two libraries share by accident is told.
func TestPlanInterposition(t *testing.T) {
	const jumpSlot = 7 // R_X86_64_JUMP_SLOT
	names := func(n int) (defined, wanted []elftest.Symbol) {
		for i := range n {
			name := "shared_" + string(rune('a'+i))
			defined = append(defined, elftest.Symbol{Name: name})
			wanted = append(wanted, elftest.Symbol{Name: name, Undefined: true, Relocs: []uint32{jumpSlot}})
		}
		return defined, wanted
	}
	for n, refused := range map[int]bool{9: false, 10: true} {
		defined, wanted := names(n)
		inner, outer, user := lib("libinner.so.1"), lib("libouter.so.1"), lib("libuser.so.1", "libinner.so.1")
		inner.Symbols, outer.Symbols, user.Symbols = defined, append([]elftest.Symbol{{Name: "first"}}, defined...), wanted
		root := storeTree(t, map[string]elftest.File{
			"inner-1/lib/libinner.so.1": inner,
			"outer-1/lib/libouter.so.1": outer,
			"user-1/lib/libuser.so.1":   runPath(user, "inner-1"),
			"one-1/bin/one":             runPath(program("libouter.so.1", "libuser.so.1"), "outer-1", "user-1"),
		})
		p, err := plan(t, root, bundle.Options{Interp: "wrapper"}, "one-1/bin/one")
		var conflict *bundle.ConflictError
		if refused {
			require.ErrorAs(t, err, &conflict)
			continue
		}
		require.NoError(t, err)
		require.Len(t, p.Warnings, 1)
		require.Contains(t, p.Warnings[0], "9 references of libuser.so.1 to shared_")
		require.Contains(t, p.Warnings[0], "; it is kept, since fewer than 10 references may go astray by accident")

		v := verify(t, written(t, "x.tar", pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})))
		require.Empty(t, v.Findings)
		require.Len(t, v.Accepted, 1)
		require.True(t, v.Kept(&v.Accepted[0]), "nobody allowed it")

		c, err := closure.Walk(root, []string{elftest.StorePath("one-1") + "/bin/one"}, closure.Options{})
		require.NoError(t, err)
		findings, err := closure.Judge(c)
		require.NoError(t, err)
		p, err = bundle.NewPlan(c, bundle.Options{Interp: "wrapper", Accept: []closure.Acceptance{c.Accept(&findings[0], "a test")}})
		require.NoError(t, err)
		require.Empty(t, p.Warnings, "somebody has looked at it")
		require.Len(t, p.Accepted, 1)
	}
	help, err := os.ReadFile("../cmd/topics/findings.md")
	require.NoError(t, err)
	require.Contains(t, string(help), "Of fewer than 10 references it refuses no bundle")
}
