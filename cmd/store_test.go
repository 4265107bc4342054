package cmd_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// store is the folder of real closures that make store builds. Tests that need it skip without it,
// and fail without it in CI.
func store(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("NIXBUNDLE_STORE")
	if dir == "" {
		dir = "../.store"
	}
	dir, err := filepath.Abs(dir)
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(dir, "results/sensor-plain")); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the store is missing: run make store: %v", err)
		}
		t.Skipf("needs the store of real closures: run make store (as root)")
	}
	return dir
}

// storeProgram is a program of the store that works there.
type storeProgram struct {
	result  string // in .store/results
	program string // in it
	root    string // the root without Nix that its bundle must work in
	interps []string
	args    []string
	want    string // something its output must hold
}

const model = "/tmp/nixbundle-face.onnx"

var storePrograms = []storeProgram{
	{"sensor-plain", "bin/sensor", "bookworm-arm64", []string{"system", "stub", "wrapper"}, []string{model}, "sensor: OK"},
	{"sensor-fixed", "bin/sensor", "bookworm-arm64", []string{"system", "stub", "wrapper"}, []string{model, "x"}, "profile round trip: 3"},
	{"sensor-twoprogs", "bin/sensor", "bookworm-arm64", []string{"system", "stub", "wrapper"}, []string{model}, "sensor: OK"},
	{"sensor-twoprogs", "bin/tfprof", "bookworm-arm64", []string{"system", "stub", "wrapper"}, nil, "profile round trip 3"},
	{"armhf-sqlite3", "bin/sqlite3", "bookworm-armhf", []string{"system", "stub", "wrapper"}, []string{":memory:", "select 6*7"}, "42"},
	{"misc-ioc", "bin/linux-aarch64/opcuaIoc", "bookworm-arm64", []string{"system", "stub", "wrapper"}, nil, "ioc: linux-aarch64"},
	{"misc-ioc", "bin/linux-x86_64/opcuaIoc", "bookworm-arm64", []string{"stub", "wrapper"}, nil, "ioc: linux-x86_64"},
	{"misc-wrongArchFirst", "bin/greet", "bookworm-arm64", []string{"system", "stub", "wrapper"}, []string{"x"}, "zlib=1.2.13"},
	{"misc-muslHello", "bin/musl-hello", "bookworm-arm64", []string{"stub", "wrapper"}, nil, "built against musl"},
	{"misc-static", "bin/static-glibc", "bookworm-arm64", []string{"auto"}, nil, "static: ok"},
	{"misc-static", "bin/static-pie", "bookworm-arm64", []string{"auto"}, nil, "static: ok"},
	{"misc-static", "bin/static-musl", "bookworm-arm64", []string{"auto"}, nil, "static: ok"},
	{"misc-static", "bin/busybox", "bookworm-arm64", []string{"auto"}, []string{"echo", "hello"}, "hello"},
	{"misc-static", "bin/ls", "bookworm-arm64", []string{"auto"}, []string{"-d", "/opt"}, "/opt"},
}

// TestBundlesWork is the product's promise: for every program of the store that works in the store,
// its bundle works in a root that has no /nix, with the same output.
func TestBundlesWork(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	putModel(t, dir)
	for _, p := range storePrograms {
		for _, interp := range p.interps {
			t.Run(p.result+"/"+filepath.Base(p.program)+"/"+interp, func(t *testing.T) {
				source := filepath.Join(dir, "results", p.result, p.program)
				want, status := runIn(t, "/", source, p.args...)
				require.Zero(t, status, want)
				require.Contains(t, want, p.want)
				at := unpack(t, filepath.Join(dir, "root", p.root), "--interp", interp, source)
				got, status := runIn(t, filepath.Join(dir, "root", p.root), filepath.Join(at, filepath.Base(p.program), p.program), p.args...)
				require.Zero(t, status, got)
				require.Equal(t, want, got)
			})
		}
	}
}

// TestBundlesStartAnywhere: the bundle that auto makes works where the C library is older than the
// program's, and where there is none but musl's, with the same output. No launcher is in it.
func TestBundlesStartAnywhere(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	putModel(t, dir)
	for _, p := range storePrograms {
		source := filepath.Join(dir, "results", p.result, p.program)
		want, status := runIn(t, "/", source, p.args...)
		require.Zero(t, status, want)
		for _, name := range []string{p.root, strings.Replace(p.root, "bookworm", "bullseye", 1), "musl-arm64"} {
			t.Run(p.result+"/"+filepath.Base(p.program)+"/"+name, func(t *testing.T) {
				root := filepath.Join(dir, "root", name)
				at := unpack(t, root, source)
				require.NoDirExists(t, filepath.Join(root, at, filepath.Base(p.program), "libexec"))
				got, status := runIn(t, root, filepath.Join(at, filepath.Base(p.program), p.program), p.args...)
				require.Zero(t, status, got)
				require.Equal(t, want, got)
			})
		}
	}
}

// TestTwoProgramsOneBundle: two programs with two libraries of one soname share a bundle, and both
// find their own.
func TestTwoProgramsOneBundle(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	putModel(t, dir)
	root := filepath.Join(dir, "root/bookworm-arm64")
	bin := filepath.Join(dir, "results/sensor-twoprogs/bin")
	stdout, stderr, status := run("conflicts", bin+"/sensor", bin+"/tfprof")
	require.Zero(t, status, stderr)
	require.Empty(t, stdout)
	for _, interp := range []string{"system", "stub", "wrapper"} {
		at := unpack(t, root, "--interp", interp, bin+"/sensor", bin+"/tfprof")
		got, status := runIn(t, root, at+"/sensor/bin/sensor", model)
		require.Zero(t, status, got)
		require.Contains(t, got, "sensor: OK")
		got, status = runIn(t, root, at+"/sensor/bin/tfprof")
		require.Zero(t, status, got)
		require.Contains(t, got, "profile round trip 3")
	}
}

// TestTargetProcessors: 32-bit Raspberry Pi OS runs on the first Pi too, and Debian's armhf does not.
func TestTargetProcessors(t *testing.T) {
	program := filepath.Join(store(t), "results/armhf-sqlite3/bin/sqlite3")
	stdout, stderr, status := run(program, "--target", "raspios-bookworm", "--dry-run")
	require.Zero(t, status, stderr)
	require.Regexp(t, "warning: .*compiled for armv7", stdout)
	stdout, stderr, status = run(program, "--target", "debian-12", "--dry-run")
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, "interpreter system: debian-12 has glibc 2.36")
	require.NotContains(t, stdout, "compiled for")
	stdout, _, status = run("conflicts", program, "--target", "raspios-bookworm")
	require.Zero(t, status)
	require.Regexp(t, "warning: .*compiled for armv7", stdout)
	stdout, _, status = run("conflicts", program, "--target", "debian-12")
	require.Zero(t, status)
	require.NotContains(t, stdout, "compiled for")
}

// TestTargetMusl: a root with musl alone runs a program for musl with its own, and not one for glibc.
func TestTargetMusl(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	root := t.TempDir()
	out, err := exec.Command("dpkg-deb", "-x", filepath.Join(dir, "debs/musl/musl.deb"), root).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, os.Mkdir(filepath.Join(root, "opt"), 0o755))
	stdout, _, status := run("targets", "--target-root", root)
	require.Zero(t, status)
	require.Regexp(t, `arm64 +musl 1\.2\.3\n$`, stdout)

	hello := filepath.Join(dir, "results/misc-muslHello/bin/musl-hello")
	at := unpack(t, root, "--target-root", root, hello)
	for _, name := range []string{"libc.so", "ld-musl-aarch64.so.1"} {
		require.NoFileExists(t, filepath.Join(root, at, "musl-hello/lib", name), "it uses the root's C library")
	}
	got, status := runIn(t, root, at+"/musl-hello/bin/musl-hello")
	require.Zero(t, status, got)
	require.Contains(t, got, "built against musl")

	_, stderr, status := run(filepath.Join(dir, "results/misc-wrongArchFirst/bin/greet"), "--target-root", root, "--interp", "system", "--dry-run")
	require.Equal(t, 3, status)
	require.Contains(t, stderr, "greet needs ld-linux-aarch64.so.1")
}

// TestSensorStory: the clash that took months is named, with both copies, who brought each, and
// which one the loader keeps.
func TestSensorStory(t *testing.T) {
	dir := store(t)
	program := func(v string) string { return filepath.Join(dir, "results/sensor-"+v, "bin/sensor") }

	stdout, _, status := run("conflicts", program("samesoname"))
	require.Equal(t, 3, status)
	require.Regexp(t, `kept +/nix/store/[a-z0-9]{32}-protobuf-aarch64-unknown-linux-gnu-3\.21\.9/lib/libprotobuf\.so\.32`, stdout)
	require.Regexp(t, `wanted +/nix/store/[a-z0-9]{32}-libprotobuf32-[^/]*/lib/libprotobuf\.so\.32`, stdout)
	require.Contains(t, stdout, "sensor -> libtensorflowlite.so.2 -> libprotobuf.so.32")
	require.Contains(t, stdout, "sensor -> libopencv_dnn.so.406 -> libprotobuf.so.32")

	stdout, _, status = run("conflicts", program("diffsoname"))
	require.Equal(t, 3, status)
	require.Contains(t, stdout, "libprotobuf.so.23")
	require.Contains(t, stdout, "libprotobuf.so.32")

	for _, v := range []string{"plain", "fixed"} {
		stdout, stderr, status := run("conflicts", program(v))
		require.Zero(t, status)
		require.Empty(t, stdout+stderr)
	}
}

// TestLauncher: a wrapper's program starts however it is called: through links, by PATH, from a
// folder with a space, by the shell, and with another LD_LIBRARY_PATH about; arguments, the status
// and argv[0] are its own.
func TestLauncher(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	root := filepath.Join(dir, "root/bookworm-arm64")
	at := unpack(t, root, "--interp", "wrapper", filepath.Join(dir, "results/misc-wrongArchFirst/bin/greet"))
	script := `set -e; cd "` + at + `"; mkdir "a b" links; mv greet "a b/greet"
"a b/greet/bin/greet" 1 "2 3" ""
cd "a b"; ./greet/bin/greet; cd greet/bin; ./greet; sh greet; cd ../../..
ln -s "../a b/greet/bin/greet" links/one; ln -s one links/two; ln -s "$PWD/links/two" links/three
links/one; cd links; ./two; ./three; cd ..
PATH="$PWD/links:$PATH"; three; cd /; one
mkdir -p /tmp/empty; echo junk >"` + at + `/links/libz.so.1"; LD_LIBRARY_PATH="` + at + `/links" one`
	out, status := runIn(t, root, "/bin/sh", "-c", script)
	require.Zero(t, status, out)
	require.Equal(t, 10, strings.Count(out, "zlib=1.2.13"), out)
	require.Contains(t, out, "greet: arg 2 3\ngreet: arg \n")
	require.Contains(t, out, "argv0=three")

	// Through links to folders, where "..", taken by the text of the path, leads elsewhere.
	script = `set -e; cd "` + at + `"; mkdir -p evil/lib other/sub; ln -s "$PWD/a b/greet/bin" evil/bin; evil/bin/greet
ln -s other/sub dl; ln -s "../../a b/greet/bin/greet" other/sub/lnk; dl/lnk
PATH=; /bin/sh -c "evil/bin/greet"`
	out, status = runIn(t, root, "/bin/sh", "-c", script)
	require.Zero(t, status, out)
	require.Equal(t, 3, strings.Count(out, "zlib=1.2.13"), out)

	at = unpack(t, root, "--interp", "wrapper", filepath.Join(dir, "results/sensor-twoprogs/bin/sensor"))
	out, status = runIn(t, root, at+"/sensor/bin/sensor", "/nowhere")
	require.Equal(t, 1, status, out)
	require.Contains(t, out, "import failed")
}

// TestLauncherQuotes: a program's name is text to the launcher, whatever is in it.
func TestLauncherQuotes(t *testing.T) {
	dir := t.TempDir()
	name := "a$(echo PWNED)`echo PWNED`'\"$HOME é b"
	source, err := os.ReadFile("/bin/true")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), source, 0o755))
	_, stderr, status := run(filepath.Join(dir, name), "--name", "x", "-o", dir+"/")
	require.Zero(t, status, stderr)
	out, err := exec.Command(filepath.Join(dir, "x/bin", name), "--version").CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "PWNED\n")
}

// putModel gives programs of the store and of bundles one path to the sensor's model.
func putModel(t *testing.T, dir string) {
	t.Helper()
	found, err := filepath.Glob("/nix/store/*-face-model-1.0/share/models/face.onnx")
	require.NoError(t, err)
	require.NotEmpty(t, found)
	data, err := os.ReadFile(found[0])
	require.NoError(t, err)
	for _, root := range []string{"/", dir + "/root/bookworm-arm64", dir + "/root/bullseye-arm64", dir + "/root/musl-arm64"} {
		require.NoError(t, os.WriteFile(filepath.Join(root, model), data, 0o644))
	}
}

// unpack bundles programs and unpacks the archive in a new folder of a root; it returns the folder
// as seen from inside.
func unpack(t *testing.T, root string, args ...string) string {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "bundle.tar.zst")
	_, stderr, status := run(append(args, "-o", archive)...)
	require.Zero(t, status, stderr)
	at, err := os.MkdirTemp(filepath.Join(root, "opt"), "nixbundle-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(at) })
	require.NoError(t, os.Chmod(at, 0o755))
	out, err := exec.Command("tar", "--zstd", "-C", at, "-xf", archive).CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.TrimPrefix(at, root)
}

// needForeign: programs of another machine can start others here, as a launcher does, which takes
// Linux 6.7 or newer, root, and the right to make user namespaces.
func needForeign(t *testing.T, dir string) {
	t.Helper()
	out, status := runIn(t, filepath.Join(dir, "root/bookworm-arm64"), "/bin/sh", "-c", "/bin/true; echo $?")
	switch {
	case status == 0 && out == "0\n":
	case os.Getenv("CI") != "":
		t.Fatalf("this machine cannot run launchers of another machine: %s", out)
	default:
		t.Skip("needs root, Linux 6.7 and user namespaces, to run launchers of another machine")
	}
}

// runIn runs a program in a root, through qemu for another machine; / is this machine, where the
// store is.
func runIn(t *testing.T, root, program string, args ...string) (output string, status int) {
	t.Helper()
	c := exec.Command("../testdata/store/run-in-root.sh", append([]string{root, program}, args...)...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return out.String(), c.ProcessState.ExitCode()
}
