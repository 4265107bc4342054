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
		for _, interp := range []string{"stub", "wrapper"} {
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

var missed = regexp.MustCompile(`"(/nix/store/[^"]*)".* = -1 errno=2`)

// TestRecall: of what bundled programs look for below the store in a root without Nix, the manifest names all.
func TestRecall(t *testing.T) {
	dir := store(t)
	root := filepath.Join(dir, "root/bookworm-arm64")
	for _, p := range []string{"sensor-plain/bin/sensor", "sensor-fixed/bin/sensor", "misc-wrongArchFirst/bin/greet", "misc-muslHello/bin/musl-hello"} {
		t.Run(p, func(t *testing.T) {
			at := unpack(t, root, filepath.Join(dir, "results", p))
			name := filepath.Base(p)
			residue := manifestIn(t, filepath.Join(root, at, name)).Residue
			qemu, err := os.ReadFile("/usr/bin/qemu-aarch64-static")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(root, at, "qemu"), qemu, 0o755))
			out, _ := exec.Command("chroot", root, at+"/qemu", "-strace", filepath.Join(at, name, "bin", name)).CombinedOutput()
			found := missed.FindAllStringSubmatch(string(out), -1)
			for _, m := range found {
				require.True(t, slices.ContainsFunc(residue, func(r bundle.Residue) bool { return strings.HasPrefix(m[1], r.Path) }), "%s is not in the manifest", m[1])
			}
			if strings.HasPrefix(p, "sensor") {
				require.NotEmpty(t, found, "it looks for its model: %s", out)
			}
		})
	}
}
