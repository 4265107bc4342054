package cmd_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
)

// TestWrappersRun: what a wrapped program sees in its bundle is what it sees in the store, but for where things
// are: arguments, argv[0], variables that were set, unset or hold the same already, and a helper on PATH.
func TestWrappersRun(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	for _, name := range []string{"misc-wrapBash", "misc-wrapBinary"} {
		program := filepath.Join(dir, "results", name, "bin/greet")
		real, err := filepath.EvalSymlinks(program)
		require.NoError(t, err)
		for _, interp := range []string{"stub", "wrapper", "system"} {
			t.Run(name+"/"+interp, func(t *testing.T) {
				root := filepath.Join(dir, "root/bookworm-arm64")
				at := unpack(t, root, "--interp", interp, program)
				for _, env := range []string{"", "LD_LIBRARY_PATH=/a:/b GREETING_LANG=de PATH=/usr/bin:/bin", "GREETING_FILE=/x LD_LIBRARY_PATH="} {
					script := func(program string) []string {
						return []string{"-c", `env -u GREETING_LANG ` + env + ` "$0" 1 "2 3" ""`, program}
					}
					want, wantStatus := runIn(t, "/", "/bin/sh", script(real)...)
					got, status := runIn(t, root, "/bin/sh", script(filepath.Join(at, "greet/bin/greet"))...)
					require.Equal(t, wantStatus, status, got)
					require.Zero(t, status, got)
					require.Equal(t, placeless(want), placeless(got), env)
					require.Contains(t, got, "arg 2 3\n")
				}
				got, status := runIn(t, root, "/bin/sh", "-c", `exec "$0"/greet/store/*-helper-tools-*/bin/helper works`, at)
				require.Zero(t, status, got)
				require.Equal(t, "static: works\n", got)
			})
		}
	}
}

// places are what differs between the store and a bundle: the folder of a store path, or of its like.
var places = regexp.MustCompile(`/nix/store/[0-9a-z]{32}-[^/\s:]*|/opt/nixbundle-\d+/greet(/store/[0-9a-z]{8}-[^/\s:]*)?`)

// placeless is an output without the places in it. The program itself is called .greet-wrapped in the store.
func placeless(out string) string {
	out = places.ReplaceAllString(out, "ROOT")
	return strings.NewReplacer("ROOT/bin/.greet-wrapped", "ROOT/libexec/greet").Replace(out)
}

// TestModelComesAlong: the sensor's model, which its text names, is taken along, and the sensor imports it.
func TestModelComesAlong(t *testing.T) {
	dir := store(t)
	root := filepath.Join(dir, "root/bookworm-arm64")
	at := unpack(t, root, "--follow-data", filepath.Join(dir, "results/sensor-plain/bin/sensor"))
	out, status := runIn(t, root, at+"/sensor/bin/sensor", at+"/sensor/share/models/face.onnx")
	require.Zero(t, status, out)
	require.Contains(t, out, "sensor: OK")
	out, status = runIn(t, root, at+"/sensor/bin/sensor")
	require.Equal(t, 1, status, "its own path leads nowhere here: %s", out)
	var names []string
	for _, r := range manifestIn(t, filepath.Join(root, at, "sensor")).Residue {
		if r.Matters() {
			names = append(names, r.Entry+" "+string(r.Kind)+" "+filepath.Base(r.Path))
		}
	}
	require.Equal(t, []string{"sensor/bin/sensor data face.onnx"}, names)
}

// TestPrefix: at its place a bundle works as in the store, without an argument or a variable, and nothing in it
// names the store but what the manifest says.
func TestPrefix(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	root := filepath.Join(dir, "root/bookworm-arm64")
	for _, test := range []struct{ program, want string }{
		{"sensor-plain/bin/sensor", "sensor: OK"},
		{"misc-wrapBash/bin/greet", "hello from a data store path"},
		{"misc-wrapBinary/bin/greet", "hello from a data store path"},
		{"misc-muslHello/bin/musl-hello", "built against musl"},
		{"misc-static/bin/static-pie", ""},
	} {
		t.Run(test.program, func(t *testing.T) {
			const prefix = "/opt/nb-prefix"
			archive := filepath.Join(t.TempDir(), "x.tar")
			_, stderr, status := run(filepath.Join(dir, "results", test.program), "--prefix", prefix, "-o", archive)
			require.Zero(t, status, stderr)
			stdout, _, status := run("verify", archive)
			require.Zero(t, status, stdout)
			at := filepath.Join(root, prefix)
			require.NoError(t, os.RemoveAll(at))
			t.Cleanup(func() { os.RemoveAll(at) })
			out, err := exec.Command("tar", "-C", filepath.Dir(at), "-xf", archive).CombinedOutput()
			require.NoError(t, err, string(out))
			got, status := runIn(t, root, filepath.Join(prefix, "bin", filepath.Base(test.program)))
			require.Zero(t, status, got)
			require.Contains(t, got, test.want)
			grepped(t, at)
			t.Setenv("QEMU_STRACE", "1")
			trace, _ := runIn(t, root, filepath.Join(prefix, "bin", filepath.Base(test.program)))
			require.Contains(t, trace, "exit_group(", "it is not traced")
			require.Zero(t, recalled(t, trace, at), "it looks into the store")
		})
	}
}

// grepped holds what grep finds of the store in a bundle against its manifest.
func grepped(t *testing.T, at string) {
	m := manifestIn(t, at)
	out, _ := exec.Command("grep", "-rlaF", "/nix/store/", at).Output() // status 1 where nothing is found
	for _, file := range strings.Fields(string(out)) {
		rel := filepath.Join(m.Name, strings.TrimPrefix(file, at))
		if strings.HasSuffix(rel, "share/nixbundle/manifest.json") {
			continue
		}
		require.True(t, slices.ContainsFunc(m.Residue, func(r bundle.Residue) bool { return r.Entry == rel }), "%s names the store, and the manifest does not say so", rel)
	}
}

// manifestIn is the manifest of an unpacked bundle.
func manifestIn(t *testing.T, at string) *bundle.Manifest {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(at, "share/nixbundle/manifest.json"))
	require.NoError(t, err)
	var m bundle.Manifest
	require.NoError(t, json.Unmarshal(data, &m))
	return &m
}

// missed are calls of qemu's -strace and of strace for a path of the store that is not there.
var missed = regexp.MustCompile(`"(/nix/store/[^"]*)".* = -1 (errno=2|ENOENT)`)

// TestRecall: of what bundled programs, and the launchers and helpers around them, look for below the store in a
// root without Nix, the manifest names all. They are run as they are, so that each uses the paths that it has.
func TestRecall(t *testing.T) {
	dir := store(t)
	needForeign(t, dir)
	t.Setenv("QEMU_STRACE", "1") // of every program of another machine, on standard error
	wrapped := []storeProgram{
		{result: "misc-wrapBash", program: "bin/greet", root: "bookworm-arm64", interps: []string{"stub", "wrapper", "system"}},
		{result: "misc-wrapBinary", program: "bin/greet", root: "bookworm-arm64", interps: []string{"stub"}},
	}
	traced, looked := 0, 0
	for _, p := range slices.Concat(storePrograms, wrapped) {
		if strings.Contains(p.program, "x86_64") {
			continue // qemu has no part in it
		}
		root := filepath.Join(dir, "root", p.root)
		for _, interp := range p.interps {
			t.Run(p.result+"/"+filepath.Base(p.program)+"/"+interp, func(t *testing.T) {
				at := unpack(t, root, "--interp", interp, filepath.Join(dir, "results", p.result, p.program))
				name := filepath.Base(p.program)
				out, _ := runIn(t, root, filepath.Join(at, name, p.program))
				require.Contains(t, out, "exit_group(", "it is not traced")
				looked += recalled(t, out, filepath.Join(root, at, name))
				traced++
			})
		}
	}
	require.NotZero(t, looked, "of %d programs the sensors look for what is not there", traced)
}

// recalled holds what a trace has of the store against the manifest of the bundle at a folder, and counts it.
func recalled(t *testing.T, trace, at string) int {
	t.Helper()
	residue := manifestIn(t, at).Residue
	looked := missed.FindAllStringSubmatch(trace, -1)
	for _, m := range looked {
		require.True(t, slices.ContainsFunc(residue, func(r bundle.Residue) bool { return leadsTo(m[1], r.Path) }), "%s is not in the manifest", m[1])
	}
	return len(looked)
}

// leadsTo reports whether a path is another, or lies below it.
func leadsTo(at, residue string) bool {
	return at == residue || strings.HasPrefix(at, strings.TrimSuffix(residue, "/")+"/")
}
