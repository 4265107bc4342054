package closure_test

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

var recordings = []struct {
	name, log      string
	opens          []string // BY NAME
	files, folders []string
}{
	{name: "debug_files", log: `
      7:	file=libc.so.6 [0];  needed by ./prog [0]
      7:	file=libc.so.6 [0];  generating link map
      7:	calling init: /nix/store/c/lib/libc.so.6
      7:	initialize program: ./prog
      7:	file=p.so [0];  dynamically loaded by ./prog [0]
      7:	file=p.so [0];  generating link map
      7:	  dynamic: 0x00007ff62ea27dd0  base: 0x00007ff62ea0a000   size: 0x000000000001e190
      7:	file=libdep.so [0];  needed by /nix/store/p/lib/p.so [0]
      7:	file=libdep.so [0];  generating link map
      7:	calling init: /nix/store/d/lib/libdep.so
      7:	calling init: /nix/store/p/lib/p.so
      7:	file=libnone.so [0];  dynamically loaded by ./prog [0]
      7:	file=q r.so [0];  dynamically loaded by /nix/store/p/lib/p.so [0]
      7:	file=q r.so [0];  generating link map
      7:	file=p.so [0];  dynamically loaded by ./prog [0]
`, opens: []string{" p.so", "/nix/store/p/lib/p.so q r.so"},
		files: []string{"/nix/store/c/lib/libc.so.6", "/nix/store/d/lib/libdep.so", "/nix/store/p/lib/p.so"}},
	{name: "debug_two_processes", log: `
    1:	file=a.so [0];  dynamically loaded by <main program> [0]
    2:	file=b.so [0];  dynamically loaded by /x/lib.so [0]
    2:	file=a.so [0];  generating link map
    1:	file=a.so [0];  generating link map
`, opens: []string{" a.so"}},
	{name: "strace", log: `
execve("/nix/store/p/bin/p", ["p", "a) = -1"], 0x7ffe /* 20 vars */) = 0
openat(AT_FDCWD, "/nix/store/a", O_RDONLY|O_CLOEXEC) = 3
openat(AT_FDCWD, "/nix/store/none", O_RDONLY) = -1 ENOENT (No such file or directory)
open("/nix/store/b", O_RDONLY) = 3</nix/store/b>
openat(AT_FDCWD, "relative", O_RDONLY) = 3
openat(5</nix/store/dir>, "f", O_RDONLY)    = 6
openat(AT_FDCWD</nix/store>, "../g", O_RDONLY) = 6
openat(AT_FDCWD, "/nix/store/cut"..., O_RDONLY) = 3
openat(AT_FDCWD, "/nix/store/q\"\303\244\x41\7", O_RDONLY) = 3
openat(AT_FDCWD, "/nix/store/q\"\303\244\x41", O_RDONLY) = 3
openat2(AT_FDCWD, "/nix/store/h", {flags=O_RDONLY, resolve=0}, 24) = 3
openat(AT_FDCWD, "/nix/store/folder", O_RDONLY|O_NONBLOCK|O_CLOEXEC|O_DIRECTORY) = 4
stat("/nix/store/stat", {st_mode=S_IFREG|0644, st_size=1, ...}) = 0
execve("/nix/store/no", ["no"], 0x7ffe /* 20 vars */) = -1 ENOENT (No such file or directory)
`, files: []string{"/nix/store/p/bin/p", "/nix/store/a", "/nix/store/b", "/nix/store/dir/f", "/nix/g", "/nix/store/q\"\u00e4A", "/nix/store/h"},
		folders: []string{"/nix/store/folder"}},
	{name: "strace_of_threads", log: `
[pid    12] 10:11:12.345678 openat(AT_FDCWD, "/a", O_RDONLY|O_CLOEXEC <unfinished ...>
13 openat(AT_FDCWD, "/b", O_RDONLY <unfinished ...>
[pid    12] <... openat resumed>)       = 3
13    <... openat resumed>)   = -1 ENOENT (No such file or directory)
14    <... openat resumed>)   = 4
15 1700000000.123456 open("/c", O_RDONLY) = 3
16      0.000012 (+     0.000012) open("/d", O_RDONLY) = 3
17 10:11:12 open("/e" <unfinished ...>
17 10:11:12 <... open resumed>, O_RDONLY) = 3 <0.000012>
`, files: []string{"/a", "/c", "/d", "/e"}},
	{name: "qemu", log: `
123 openat(AT_FDCWD,"/nix/store/a",O_RDONLY|O_CLOEXEC) = 3
123 openat(AT_FDCWD,"/nix/store/b",O_RDONLY|O_CLOEXEC) = -1 errno=2 (No such file or directory)
123 openat(AT_FDCWD,"/nix/store/c",O_RDONLY|O_DIRECTORY) = 3
123 exit_group(0)
`, files: []string{"/nix/store/a"}, folders: []string{"/nix/store/c"}},
}

func TestReadRecording(t *testing.T) {
	for _, c := range recordings {
		t.Run(c.name, func(t *testing.T) {
			r, err := closure.ReadRecording(strings.NewReader("what the program says\n" + strings.TrimPrefix(c.log, "\n") + "\x1b\xff and no end"))
			require.NoError(t, err)
			var opens []string
			for _, o := range r.Opens {
				opens = append(opens, o.By+" "+o.Name)
			}
			assert.Equal(t, c.opens, opens)
			assert.Equal(t, c.files, r.Files)
			assert.Equal(t, c.folders, r.Folders)
		})
	}
}

// TestReadRecordingOfSomethingElse: a log that tells nothing is refused, and one that tells too much; a
// line without an end is passed over.
func TestReadRecordingOfSomethingElse(t *testing.T) {
	_, err := closure.ReadRecording(strings.NewReader("hello\nworld: 1\n"))
	require.ErrorContains(t, err, "no log of")
	long := `open("/` + strings.Repeat("x", 1<<18) + "\", O_RDONLY) = 3\nopen(\"/a\", O_RDONLY) = 3\n"
	r, err := closure.ReadRecording(strings.NewReader(long))
	require.NoError(t, err)
	assert.Equal(t, []string{"/a"}, r.Files)
	var many bytes.Buffer
	name := "/" + strings.Repeat("x", 4000)
	for i := range 20000 {
		many.WriteString("open(\"" + name + strings.Repeat("y", i%90) + string(rune('a'+i/90%26)) + string(rune('a'+i/2340)) + "\", O_RDONLY) = 3\n")
	}
	_, err = closure.ReadRecording(&many)
	require.ErrorContains(t, err, "names more than")
}

func FuzzReadRecording(f *testing.F) {
	for _, c := range recordings {
		f.Add(c.log)
	}
	f.Fuzz(func(t *testing.T, log string) {
		r, err := closure.ReadRecording(strings.NewReader(log))
		if err != nil {
			return
		}
		for _, at := range slices.Concat(r.Files, r.Folders) {
			if !strings.HasPrefix(at, "/") || strings.ContainsAny(at, "\x00\n") {
				t.Errorf("a file %q", at)
			}
		}
	})
}

var (
	hostStore = elftest.StorePath("host-1.0")
	plugStore = elftest.StorePath("plugins-1.0")
	dataStore = elftest.StorePath("data-1.0")
)

const learnC = `#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
static void data(const char *name) { char at[4096]; snprintf(at, sizeof at, "%s/%s", DATA, name); if (open(at, O_RDONLY) < 0) puts(name); }
int main(int argc, char **argv) {
	char name[] = { 'p','l','a','i','n', 0 }, so[64];
	snprintf(so, sizeof so, "%s.%s", name, "so");
	if (!dlopen(so, RTLD_NOW)) puts(dlerror());
	snprintf(so, sizeof so, "%s.%s", "none", "so");
	dlopen(so, RTLD_NOW);
	if (!opendir(DATA "/share/all/sub") || !opendir(DATA "/share/all") || !opendir(DATA)) puts("all");
	data("share/all/one"); data("share/model"); data("share/link"); data("share/none");
	return 0;
}
`

// TestLearnFromARun runs a program whose plugins and data no string names, records that in three ways, and
// learns what a bundle lacks.
func TestLearnFromARun(t *testing.T) {
	needOracle(t, "gcc")
	if _, err := os.Stat(x86Interp); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no glibc for x86-64 here")
	}
	dir := elftest.WriteTree(t, elftest.Tree{
		"learn.c": elftest.Data(learnC), "plugin.c": elftest.Data("int dep(void); int plugin(void) { return dep(); }\n"), "dep.c": elftest.Data("int dep(void) { return 1; }\n"),
		hostStore + "/bin": elftest.Dir{}, plugStore + "/lib": elftest.Dir{},
		dataStore + "/share/all/one": elftest.Data("1"), dataStore + "/share/all/two": elftest.Data("2"), dataStore + "/share/all/sub": elftest.Dir{},
		dataStore + "/share/model": elftest.Data("m"),
		dataStore + "/share/link":  elftest.Link("model"),
	})
	cc := func(args ...string) {
		t.Helper()
		cmd := exec.Command("gcc", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	program := dir + hostStore + "/bin/host"
	cc("-shared", "-fPIC", "-Wl,-soname,libdep.so", "-o", dir+plugStore+"/lib/libdep.so", "dep.c")
	cc("-shared", "-fPIC", "-o", dir+plugStore+"/lib/plain.so", "plugin.c", dir+plugStore+"/lib/libdep.so", "-Wl,-rpath,$ORIGIN")
	cc(`-DDATA="`+dir+dataStore+`"`, "-o", program, "learn.c", "-Wl,-rpath,"+dir+plugStore+"/lib")

	data := []string{dataStore + "/share/all", dataStore + "/share/link", dataStore + "/share/model"}
	for name, c := range map[string]struct {
		run  []string
		want []string
	}{
		"LD_DEBUG": {[]string{"env", "LD_DEBUG=files", program}, []string{"open plain.so"}},
		"strace":   {[]string{"strace", "-f", program}, append([]string{"open " + plugStore + "/lib/plain.so"}, data...)},
		"qemu":     {[]string{"qemu-x86_64-static", "-strace", program}, append([]string{"open " + plugStore + "/lib/plain.so"}, data...)},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(c.run[0]); err != nil {
				t.Skip(err)
			}
			var log bytes.Buffer
			cmd := exec.Command(c.run[0], c.run[1:]...)
			cmd.Stderr = &log
			out, err := cmd.Output()
			if err != nil && name == "strace" {
				t.Skip("no ptrace here")
			}
			require.NoError(t, err)
			require.Equal(t, "share/none\n", string(out))
			r, err := closure.ReadRecording(&log)
			require.NoError(t, err)
			lacks, err := closure.Learn(os.DirFS("/"), []string{program}, closure.Options{StoreDir: dir + "/nix/store"}, closure.Follow{}, r)
			require.NoError(t, err)
			var got []string
			for _, k := range lacks {
				text := k.Path
				if k.Name != "" {
					text = "open " + k.By + k.Name
				}
				got = append(got, strings.ReplaceAll(text, dir, ""))
			}
			assert.Equal(t, c.want, got)
		})
	}
}
