package closure_test

import (
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// walk walks one program of a tree in memory.
func walk(t testing.TB, files elftest.Tree, program string) *closure.Closure {
	t.Helper()
	c, err := closure.Walk(files.FS(), []string{program}, closure.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// paths are the paths of a link map.
func paths(m *closure.LinkMap) []string {
	files, _ := order(m)
	return files
}

func TestProgramErrors(t *testing.T) {
	files := elftest.Tree{
		"/dir/file":     elftest.Data("text, and enough of it to be longer than any ELF header would be......"),
		"/empty":        elftest.Data(""),
		"/dangling":     elftest.Link("nowhere/at/all"),
		"/dir/dangling": elftest.Link("/nowhere"),
		"/loop":         elftest.Link("loop"),
		"/object.o":     elftest.Image{Type: elf.ET_REL},
		"/core":         elftest.Image{Type: elf.ET_CORE},
		"/cut":          elftest.Data(elftest.Image{}.Bytes()[:60]),
		"/short":        elftest.Data("\x7fEL"),
		"/bad\nname":    elftest.Data("x"),
		"/up/to/file":   elftest.Link("../../../../dir"),
	}
	for _, test := range []struct {
		path, want string
		is         error
	}{
		{"/nothing", "no such file", fs.ErrNotExist},
		{"/dir", "is a folder", nil},
		{"/dir/file", "not an ELF file", elfpatch.ErrNotELF},
		{"/dir/file/x", "a part of the path is not a folder", nil},
		{"/empty", "is empty", nil},
		{"/dangling", "dangling link: it points to nowhere/at/all", fs.ErrNotExist},
		{"/dir/dangling", "dangling link: it points to /nowhere", fs.ErrNotExist},
		{"/loop", "too many levels of symbolic links", nil},
		{"/object.o", "is an object file", nil},
		{"/core", "is a core dump", nil},
		{"/cut", "damaged ELF file", nil},
		{"/short", "not an ELF file", elfpatch.ErrNotELF},
		{"/bad\nname", "not an ELF file", nil},
		{"/up/to/file", "is a folder", nil},
		{"relative", "not an absolute path", nil},
		{"", "not an absolute path", nil},
		{"/" + strings.Repeat("x", 300), "name too long", nil},
		{"/" + strings.Repeat("x/", 5000), "name too long", nil},
	} {
		_, err := closure.Walk(files.FS(), []string{test.path}, closure.Options{})
		var e *closure.ProgramError
		if !errors.As(err, &e) || !strings.HasPrefix(e.Why, test.want) {
			t.Errorf("%q: got %v, want %q", test.path, err, test.want)
			continue
		}
		if test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%q: got %v, want it to be %v", test.path, err, test.is)
		}
	}
}

func TestStaticProgram(t *testing.T) {
	for name, im := range map[string]elftest.Image{
		"static":     {Type: elf.ET_EXEC, Static: true},
		"static-pie": flags1(elftest.Image{}, elf.DF_1_PIE),
	} {
		c := walk(t, elftest.Tree{"/bin/prog": im}, "/bin/prog")
		m := c.LinkMaps[0]
		if m.Loader.Kind != closure.LoaderNone || len(m.Loaded) != 1 || m.Interp != nil || len(m.Needs) != 0 {
			t.Errorf("%s: got %+v", name, m)
		}
		if findings, err := closure.Judge(c); err != nil || len(findings) != 0 {
			t.Errorf("%s: got %v, %v", name, findings, err)
		}
	}
}

// TestLibrary: a library is walked as ldd does, with the loader of its ABI.
func TestLibrary(t *testing.T) {
	c := walk(t, elftest.Tree{
		"/lib/liba.so":                    runPath(lib("liba.so", "libb.so"), "/lib/sub"),
		"/lib/sub/libb.so":                lib("libb.so", "libc.so.6"),
		"/lib/x86_64-linux-gnu/libc.so.6": lib("libc.so.6", "ld-linux-x86-64.so.2"),
		x86Interp:                         lib("ld-linux-x86-64.so.2"),
	}, "/lib/liba.so")
	want := []string{"/lib/liba.so", "/lib/sub/libb.so", "/lib/x86_64-linux-gnu/libc.so.6", x86Interp}
	if got := paths(c.LinkMaps[0]); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestLdSoIsListedLast: from glibc 2.41 on, ld.so is in the list even where nobody needs it.
func TestLdSoIsListedLast(t *testing.T) {
	loader := debian
	for _, test := range []struct {
		minor int
		want  int
	}{{40, 2}, {41, 3}} {
		loader.Version = [2]int{2, test.minor}
		files := elftest.Tree{
			"/bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "/lib"),
			"/lib/liba.so": lib(""),
			x86Interp:      lib("ld-linux-x86-64.so.2"),
		}
		c, err := closure.Walk(files.FS(), []string{"/bin/prog"}, closure.Options{Loader: &loader})
		if err != nil {
			t.Fatal(err)
		}
		if got := paths(c.LinkMaps[0]); len(got) != test.want {
			t.Errorf("2.%d: got %q", test.minor, got)
		}
		if len(c.Objects) != 3 {
			t.Errorf("2.%d: %d objects", test.minor, len(c.Objects))
		}
	}
}

// TestHardLinks: two names of one inode are one object.
func TestHardLinks(t *testing.T) {
	dir := elftest.WriteTree(t, elftest.Tree{
		"bin/prog":    runPath(program(elftest.Image{}, "liba.so", "libb.so"), "$ORIGIN/../lib"),
		"lib/liba.so": lib(""),
	})
	if err := os.Link(filepath.Join(dir, "lib/liba.so"), filepath.Join(dir, "lib/libb.so")); err != nil {
		t.Skip(err)
	}
	c, err := closure.Walk(os.DirFS("/"), []string{dir + "/bin/prog"}, closure.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := c.LinkMaps[0]
	if len(m.Loaded) != 2 || !slices.Equal(m.Loaded[1].Names, []string{"liba.so", "libb.so"}) {
		t.Errorf("got %q, names %q", paths(m), m.Loaded[1].Names)
	}
}

// TestRootDoesNotLeak: absolute links and ".." stay inside the root.
func TestRootDoesNotLeak(t *testing.T) {
	outside := elftest.WriteTree(t, elftest.Tree{"lib/liba.so": lib("")})
	dir := elftest.WriteTree(t, elftest.Tree{
		"bin/prog":     elftest.Link("/pkg/bin/prog"),
		"pkg/bin/prog": runPath(program(elftest.Image{}, "liba.so", "libb.so"), "/esc:/up:$ORIGIN/../../../../../real:"+outside+"/lib"),
		"esc":          elftest.Link(outside + "/lib"),
		"up":           elftest.Link("../../../../../../.." + outside + "/lib"),
		"real/libb.so": lib(""),
	})
	root, err := closure.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := closure.Walk(root, []string{"/bin/prog"}, closure.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, missing := order(c.LinkMaps[0])
	want := []string{"/pkg/bin/prog", "/pkg/bin/../../../../../real/libb.so"}
	if !slices.Equal(files, want) || !slices.Equal(missing, []string{"liba.so"}) {
		t.Errorf("got %q, missing %q", files, missing)
	}
	if got := c.LinkMaps[0].Loaded[1].Object.Path; got != "/real/libb.so" {
		t.Errorf("got %q", got)
	}
}

// TestUnlistable: a directory that may be entered but not listed is probed.
func TestUnlistable(t *testing.T) {
	files := elftest.Tree{
		"/bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "/lib"),
		"/lib/liba.so": lib(""),
	}
	c, err := closure.Walk(unlistable{files.FS()}, []string{"/bin/prog"}, closure.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.LinkMaps[0].Needs[0].To == nil {
		t.Error("liba.so was not found")
	}
}

type unlistable struct{ fs.ReadLinkFS }

func (unlistable) ReadDir(string) ([]fs.DirEntry, error) { return nil, fs.ErrPermission }

// TestTried: a missing library comes with every place that was looked at, for all who ask.
func TestTried(t *testing.T) {
	files := elftest.Tree{
		"/bin/prog":    runPath(program(elftest.Image{}, "liba.so", "libnone.so"), "lib:/lib:/not/there:"),
		"/lib/liba.so": runPath(lib("", "libnone.so"), "$ORIGIN/a"),
		"/lib/a/other": elftest.Data(""),
	}
	c, err := closure.Walk(files.FS(), []string{"/bin/prog"}, closure.Options{Loader: &debian})
	if err != nil {
		t.Fatal(err)
	}
	var missing *closure.NotFoundError
	if !errors.As(c.Missing(), &missing) || len(missing.Missing) != 2 {
		t.Fatalf("got %v", c.Missing())
	}
	want := `/lib64/ld-linux-x86-64.so.2: not found: the loader of /bin/prog
  tried /lib64/ld-linux-x86-64.so.2 [loader]: no such file
libnone.so: not found: needed by prog and liba.so
  tried lib [run path]: relative to the current directory
  tried /lib/libnone.so [run path]: no such file
  tried /not/there/libnone.so [run path]: no such directory
  tried . [run path]: the current directory
  tried /etc/ld.so.cache [ld.so.cache]: no such file
  tried /lib/x86_64-linux-gnu/libnone.so [default]: no such directory
  tried /usr/lib/x86_64-linux-gnu/libnone.so [default]: no such directory
  tried /lib/libnone.so [default]: no such file
  tried /usr/lib/libnone.so [default]: no such directory
  tried /lib/a/libnone.so [run path]: no such file`
	if got := missing.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestOwn: a need knows which file its own search leads to.
func TestOwn(t *testing.T) {
	c := walk(t, elftest.Tree{
		"/bin/prog":    runPath(program(elftest.Image{}, "liba.so", "libb.so"), "/lib"),
		"/lib/liba.so": runPath(lib("", "libx.so"), "/one"),
		"/lib/libb.so": runPath(lib("", "libx.so"), "/two"),
		"/one/libx.so": lib(""),
		"/two/libx.so": lib("", ""),
	}, "/bin/prog")
	n := c.LinkMaps[0].NeedsOf(c.LinkMaps[0].Loaded[2])[0]
	if own, ownPath, ownRule := n.Own(); n.To.Path != "/one/libx.so" || own == nil || ownPath != "/two/libx.so" || ownRule != closure.RuleRunPath {
		t.Errorf("got %+v", n)
	}
	if got := n.Why(); got != "already loaded, by name" {
		t.Errorf("got %q", got)
	}
	by := n.To.By
	if own, _, _ := by.Own(); own != n.To.Object || by.Why() != "DT_RUNPATH of /lib/liba.so" {
		t.Errorf("got %+v, %s", by, by.Why())
	}
	if got := closure.Chain(n); len(got) != 2 || got[0].Name != "libb.so" || got[1] != n {
		t.Errorf("got %v", got)
	}
}

// TestRISCVFloatABI: a library for another floating-point ABI is passed over.
func TestRISCVFloatABI(t *testing.T) {
	const double, single = 0x4, 0x2
	im := func(flags uint32, needed ...string) elftest.Image {
		return elftest.Image{Machine: elf.EM_RISCV, Flags: flags, Needed: needed}
	}
	prog := runPath(im(double, "liba.so"), "/one:/two")
	prog.Interp = "/lib/ld-linux-riscv64-lp64d.so.1"
	c := walk(t, elftest.Tree{
		"/bin/prog": prog, "/one/liba.so": im(single), "/two/liba.so": im(double),
	}, "/bin/prog")
	n := c.LinkMaps[0].Needs[0]
	if n.Path != "/two/liba.so" || len(n.Tried) != 1 || n.Tried[0].Why != "other floating-point ABI" {
		t.Errorf("got %+v", n)
	}
}

// TestArmFloatABI: on Arm it stops the loader.
func TestArmFloatABI(t *testing.T) {
	const hard, soft = 0x5000400, 0x5000200
	prog := elftest.Image{Machine: elf.EM_ARM, Flags: hard, Interp: "/lib/ld-linux-armhf.so.3", Needed: []string{"liba.so"}, RunPath: "/lib"}
	files := elftest.Tree{"/bin/prog": prog, "/lib/liba.so": elftest.Image{Machine: elf.EM_ARM, Flags: soft}}
	_, err := closure.Walk(files.FS(), []string{"/bin/prog"}, closure.Options{})
	var stop *closure.LoadError
	if !errors.As(err, &stop) {
		t.Errorf("got %v", err)
	}
}

// TestForeignAndDamaged: a file of another class is passed over even where it cannot be read.
func TestForeignAndDamaged(t *testing.T) {
	other := elftest.Image{Machine: elf.EM_386}.Bytes()
	c := walk(t, elftest.Tree{
		"/bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "/one:/two"),
		"/one/liba.so": elftest.Data(other[:100]),
		"/two/liba.so": lib(""),
	}, "/bin/prog")
	if n := c.LinkMaps[0].Needs[0]; n.Path != "/two/liba.so" || n.Tried[0].Why != "wrong ELF class: ELFCLASS32" {
		t.Errorf("got %+v", n)
	}
}

// TestTwoProgramsShareObjects: one file is one object in all link maps, though each resolves its
// own way.
func TestTwoProgramsShareObjects(t *testing.T) {
	files := elftest.Tree{
		"/bin/a":       runPath(program(elftest.Image{}, "liba.so", "libx.so"), "/lib:/one"),
		"/bin/b":       runPath(program(elftest.Image{}, "libx.so", "liba.so"), "/two:/lib"),
		"/lib/liba.so": runPath(lib("", "libx.so"), "/one"),
		"/one/libx.so": lib(""),
		"/two/libx.so": lib("", ""),
	}
	c, err := closure.Walk(files.FS(), []string{"/bin/a", "/bin/b"}, closure.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Objects) != 5 {
		t.Errorf("%d objects", len(c.Objects))
	}
	if got := paths(c.LinkMaps[1]); !slices.Equal(got, []string{"/bin/b", "/two/libx.so", "/lib/liba.so"}) {
		t.Errorf("got %q", got)
	}
}

// TestSpeech: an error is one line of what is wrong, and a hint what to do.
func TestSpeech(t *testing.T) {
	files := elftest.Tree{
		"/bin/wrapper": elftest.Script("#! /bin/bash -e\nexec -a \"$0\" \"/bin/.inner\"  \"$@\" \n"),
		"/bin/.inner":  elftest.Script("#!/bin/sh\nexec /bin/prog\n"),
		"/bin/script":  elftest.Script("#!/usr/bin/perl\nprint 1;\n"),
		"/bin/prog":    runPath(program(elftest.Image{}, "liba.so"), "/lib"),
		"/lib/liba.so": elftest.Data("GROUP ( /lib/libc.so.6 )"),
		"/core":        elftest.Image{Type: elf.ET_CORE},
	}
	for _, test := range []struct{ path, want, hint string }{
		{"/bin/wrapper", "/lib/liba.so: file too short: the loader of /bin/prog stops at it when it looks for liba.so, which /bin/prog needs",
			"remove or replace the file, or take its directory out of the run path that leads there"},
		{"/bin/script", "/usr/bin/perl: no such file (/bin/script -> /usr/bin/perl)", ""},
		{"/bin/prog", "/lib/liba.so: file too short: the loader of /bin/prog stops at it when it looks for liba.so, which /bin/prog needs",
			"remove or replace the file, or take its directory out of the run path that leads there"},
		{"/core", "/core: is a core dump", "name the program that dumped it"},
	} {
		_, err := closure.Walk(files.FS(), []string{test.path}, closure.Options{})
		var hint interface{ Hint() string }
		if err == nil || err.Error() != test.want || !errors.As(err, &hint) || hint.Hint() != test.hint {
			t.Errorf("%s: got %v, hint %v", test.path, err, hint)
		}
	}
}

// TestWrappersAreFollowed: a wrapper stands for what it starts, in the environment that it makes.
func TestWrappersAreFollowed(t *testing.T) {
	for _, name := range []string{"misc-wrapBash", "misc-wrapBinary"} {
		program := filepath.Join(storeDir(t, "results"), name, "bin/greet")
		c, err := closure.Walk(os.DirFS("/"), []string{program}, closure.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := c.LinkMaps[0]
		if _, rest, _ := closure.ParseStorePath(c.StoreDir, m.Program().Path); rest != "/bin/.greet-wrapped" || len(m.Launch.Steps) != 1 {
			t.Errorf("%s: got %s, %d steps", name, m.Program().Path, len(m.Launch.Steps))
		}
		if value, _ := wrapper.Variable(m.Setup.Env, "LD_LIBRARY_PATH", "", false); !strings.Contains(value, "-libtbb12-") {
			t.Errorf("%s: LD_LIBRARY_PATH is %q", name, value)
		}
	}
}

// TestLibraryPathOfWrapper: what a wrapper puts into LD_LIBRARY_PATH comes before a run path, and what it
// preloads first of all.
func TestLibraryPathOfWrapper(t *testing.T) {
	files := elftest.Tree{
		"/bin/wrapper":     elftest.Script("#!/bin/sh\nexport LD_LIBRARY_PATH=/two${LD_LIBRARY_PATH:+:}$LD_LIBRARY_PATH\nexport LD_PRELOAD=libpre.so\nexec /bin/prog \"$@\"\n"),
		"/bin/prog":        runPath(program(elftest.Image{}, "liba.so"), "/one"),
		"/one/liba.so":     lib("liba.so"),
		"/two/liba.so":     lib("liba.so", ""),
		"/two/libpre.so":   lib("libpre.so"),
		"/given/libpre.so": lib("libpre.so"),
	}
	c, err := closure.Walk(files.FS(), []string{"/bin/wrapper", "/bin/prog"}, closure.Options{LibraryPath: "/given"})
	if err != nil {
		t.Fatal(err)
	}
	if got := paths(c.LinkMaps[0]); !slices.Equal(got, []string{"/bin/prog", "/two/libpre.so", "/two/liba.so"}) {
		t.Errorf("wrapped: %q", got)
	}
	if got := paths(c.LinkMaps[1]); !slices.Equal(got, []string{"/bin/prog", "/one/liba.so"}) {
		t.Errorf("bare: %q", got)
	}
}

// TestForeignShell: a wrapper with the shell of another machine is told of, and followed all the same.
func TestForeignShell(t *testing.T) {
	files := elftest.Tree{
		"/build/sh":    elftest.Image{Machine: elf.EM_AARCH64, Interp: "/lib/ld-linux-aarch64.so.1"},
		"/bin/sh":      program(elftest.Image{}),
		"/bin/foreign": elftest.Script("#!/build/sh\nexport A=1\nexec /bin/prog \"$@\"\n"),
		"/bin/own":     elftest.Script("#!/bin/sh\nexport A=1\nexec /bin/prog \"$@\"\n"),
		"/bin/prog":    program(elftest.Image{}),
	}
	c, err := closure.Walk(files.FS(), []string{"/bin/foreign", "/bin/own"}, closure.Options{})
	if err != nil {
		t.Fatal(err)
	}
	findings, err := closure.Judge(c)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, f := range findings {
		if f.Kind == closure.KindWrongMachine {
			told = append(told, f.Name+" "+f.Severity.String())
		}
	}
	if !slices.Equal(told, []string{"/bin/foreign warning"}) {
		t.Errorf("got %q", told)
	}
}
