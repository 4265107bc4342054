package elfpatch_test

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/stretchr/testify/require"
)

// matrixEdits are all edits there are, one by one and together. The library is found without a run
// path too, since the tests run in its folder with LD_LIBRARY_PATH.
func matrixEdits(loader string) map[string]elfpatch.Edit {
	gnu, yes, no := elf.ELFOSABI_LINUX, true, false
	far := "$ORIGIN/" + strings.Repeat("far/", 200)
	edits := map[string]elfpatch.Edit{
		"os-abi":          {OSABI: &gnu},
		"interp":          {Interp: loader},
		"soname":          {Soname: "lib-of-quite-another-name.so.1.2.3"},
		"run path":        {RunPath: far},
		"rpath":           {RunPath: far, RPath: true},
		"add run path":    {AddRunPath: far},
		"empty run path":  {EmptyRunPath: true},
		"remove run path": {RemoveRunPath: true},
		"add needed":      {AddNeeded: []string{"libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"}},
		"no default lib":  {NoDefaultLib: true, RunPath: "/lib/x86_64-linux-gnu"},
		"debug tag":       {DebugTag: true},
		"exec stack":      {ExecStack: &yes},
		"no exec stack":   {ExecStack: &no},
		"clear version":   {ClearVersions: []string{"printf", "__cxa_end_catch"}},
	}
	edits["all"] = elfpatch.Edit{
		OSABI: &gnu, Interp: loader, RunPath: far, AddNeeded: edits["add needed"].AddNeeded, DebugTag: true, ExecStack: &no,
		ClearVersions: []string{"printf"}, ReplaceNeeded: map[string]string{"libhalf.so": "./././libhalf.so"},
	}
	return edits
}

// matrixCase is one file of one linker under edit: in is it, and program what is run, which is
// the file itself or a program that needs it.
type matrixCase struct {
	toolchain
	kind, file, program string
	in                  []byte
	thorough            bool // with gdb
}

// TestApplyMatrix makes every edit of every kind of file that every linker makes. NIXBUNDLE_FULL=1
// takes all; else two of the linkers are tried with all edits together only.
func TestApplyMatrix(t *testing.T) {
	needTool(t, "gdb")
	needTool(t, "eu-unstrip")
	for _, c := range toolchains(t) {
		if c.run != nil {
			continue // where neither libc.a nor gdb is at hand
		}
		t.Run(c.name, func(t *testing.T) {
			c.need(t)
			c.dir = t.TempDir()
			for _, k := range matrixCases(t, c) {
				t.Run(k.kind, func(t *testing.T) {
					for what, e := range matrixEdits(c.loader) {
						k.thorough = what == "all" || os.Getenv("NIXBUNDLE_FULL") != ""
						if k.thorough || c.name == "bfd" || c.name == "lld" {
							t.Run(what, func(t *testing.T) { k.judge(t, k.fitting(e)) })
						}
					}
				})
			}
		})
	}
}

func matrixCases(t *testing.T, c toolchain) []matrixCase {
	plain := []string{"-g", "-Wl,--build-id"}
	lib := c.build(t, "libhalf.so", libSource, append(plain, "-shared", "-fPIC", "-Wl,-soname,libhalf.so")...)
	cases := []matrixCase{{kind: "library", file: "libhalf.so", program: "./pie"}}
	for _, kind := range []string{"pie", "no-pie"} {
		c.build(t, kind, mainSource, append(plain, "-"+kind, "-Wl,-rpath,$ORIGIN", lib)...)
		cases = append(cases, matrixCase{kind: kind, file: kind, program: "./" + kind})
	}
	if c.name != "gold" { // which knows no --no-dynamic-linker
		c.build(t, "static-pie", libSource+mainSource, append(plain, "-static-pie")...)
		cases = append(cases, matrixCase{kind: "static-pie", file: "static-pie", program: "./static-pie"})
	}
	for i := range cases {
		cases[i].toolchain, cases[i].in = c, readFile(t, filepath.Join(c.dir, cases[i].file))
	}
	return cases
}

// fitting is e without what a file of this kind cannot be asked.
func (k matrixCase) fitting(e elfpatch.Edit) elfpatch.Edit {
	switch k.kind {
	case "library":
		e.Interp, e.ReplaceNeeded = "", nil
	case "static-pie":
		e.Interp, e.RunPath, e.AddRunPath, e.AddNeeded, e.ReplaceNeeded = "", "", "", nil, nil
	}
	return e
}

// judge edits the file and judges what became of it.
func (k matrixCase) judge(t *testing.T, e elfpatch.Edit) {
	if _, err := applyBytes(k.in, e); k.kind == "static-pie" && err != nil {
		require.ErrorIs(t, err, elfpatch.ErrUnsupported)
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"libhalf.so", "pie", "no-pie"} {
		require.NoError(t, os.Link(filepath.Join(k.dir, name), filepath.Join(dir, name)))
	}
	k.dir = dir
	t.Setenv("LD_LIBRARY_PATH", dir)
	out := apply(t, k.in, e)
	k.write(t, "before", k.in)
	k.put(t, out)
	k.check(t, k.program)
	k.write(t, "after", out)
	lint(t, filepath.Join(dir, "before"), filepath.Join(dir, "after"))
	buildID(t, k.in, out)
	for _, args := range [][]string{{"strip", "-o", "made", "after"}, {"objcopy", "after", "made"}} {
		k.tool(t, args...)
		k.put(t, readFile(t, filepath.Join(dir, "made")))
		k.check(t, k.program)
	}
	k.separate(t, e)
}

// put replaces the file; another may have it mapped.
func (k *matrixCase) put(t *testing.T, b []byte) {
	t.Helper()
	os.Remove(filepath.Join(k.dir, k.file))
	k.write(t, k.file, b)
}

// tool runs a tool that has nothing to say.
func (k *matrixCase) tool(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = k.dir
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%v: %s", args, text)
	require.Empty(t, string(text), "%v", args)
}

// separate takes the debug information away before the edit. gdb must find it again, and eu-unstrip
// join both wherever it can join any file of this size: it wants each allocated section of the debug file at
// the same address, in the same size and of the same name in the edited one (elfutils src/unstrip.c:
// find_alloc_section; only prelink is excused), and e_ident as it was. Strings that need more bytes than the
// sections have, of which each byte must be in a section or strip drops it, cannot keep that: some section
// is longer or elsewhere. A static PIE it cannot join at all.
func (k *matrixCase) separate(t *testing.T, e elfpatch.Edit) {
	k.tool(t, "eu-strip", "-o", "separate", "-f", "separate.debug", "before")
	in := readFile(t, filepath.Join(k.dir, "separate"))
	out := apply(t, in, e)
	k.write(t, "edited", out)
	if k.thorough {
		gdb(t, filepath.Join(k.dir, "before"), filepath.Join(k.dir, "after"))
		gdb(t, filepath.Join(k.dir, "before"), filepath.Join(k.dir, "edited"))
	}
	joinable := exec.Command("eu-unstrip", "-o", "joined", "separate", "separate.debug")
	joinable.Dir = k.dir
	if !slices.Equal(allocated(t, in), allocated(t, out)) || e.OSABI != nil || joinable.Run() != nil {
		return
	}
	k.tool(t, "eu-unstrip", "-o", "joined", "edited", "separate.debug")
	k.put(t, readFile(t, filepath.Join(k.dir, "joined")))
	k.check(t, k.program)
}

// allocated lists name, address and size of the sections in memory.
func allocated(t *testing.T, b []byte) (list [][3]any) {
	f, err := elf.NewFile(bytes.NewReader(b))
	require.NoError(t, err)
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 {
			list = append(list, [3]any{s.Name, s.Addr, s.Size})
		}
	}
	return list
}

// buildID checks that the build id is the same, in the first page, where old loaders and core files have
// it, and where it was, unless the program headers reach there now, with PT_INTERP between them or not.
func buildID(t *testing.T, in, out []byte) {
	t.Helper()
	old, now := read(t, in), read(t, out)
	require.NotEmpty(t, now.BuildID)
	require.Equal(t, old.BuildID, now.BuildID)
	was, is := buildIDAt(t, in), buildIDAt(t, out)
	require.Less(t, is, uint64(4096))
	if is != was {
		require.Greater(t, tableEnd(t, out), tableEnd(t, in))
		require.Less(t, was, tableEnd(t, out)+64, "the build id moved though there was room")
		require.LessOrEqual(t, is-was, tableEnd(t, out)-tableEnd(t, in))
	}
}

// gdb reads the debug information of both files and says the same of them.
func gdb(t *testing.T, before, after string) {
	t.Helper()
	says := func(name string) string {
		cmd := exec.Command("gdb", "-nx", "-batch", "-ex", "info line half", "-ex", "info line main", name)
		cmd.Env = append(os.Environ(), "DEBUGINFOD_URLS=", "LC_ALL=C")
		out, _ := cmd.CombinedOutput() // it fails where one of the two is not in the file
		return string(out)
	}
	got := says(after)
	require.Equal(t, says(before), got)
	require.Contains(t, got, "Line ")
	require.NotContains(t, strings.ToLower(got), "warning")
}
