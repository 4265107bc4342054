package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var systems = []string{"aarch64-darwin", "aarch64-linux", "armv7l-linux", "riscv64-linux", "x86_64-darwin", "x86_64-linux"}

// TestFlakeOutputs: every output is evaluated for every system, to the derivation that Nix would build.
func TestFlakeOutputs(t *testing.T) {
	n := newNix(t)
	n.ok(t, "flake", "check", n.at("nixbundle"), "--no-build")
	drv := regexp.MustCompile(`^/nix/store/[a-z0-9]{32}-.+\.drv$`)
	for output, names := range map[string][]string{"packages": {"default", "nixbundle"}, "devShells": {"default"}, "checks": {"bundle", "conflicts", "package"}} {
		var got map[string]map[string]string
		n.eval(t, output, `builtins.mapAttrs (_: builtins.mapAttrs (_: d: d.drvPath))`, &got)
		require.Len(t, got, len(systems))
		for _, system := range systems {
			for _, name := range names {
				if strings.HasSuffix(system, "-darwin") && (name == "bundle" || name == "conflicts") {
					require.NotContains(t, got[system], name)
					continue
				}
				require.Regexp(t, drv, got[system][name], system)
			}
		}
	}
	for output, function := range map[string]string{
		"formatter": `builtins.mapAttrs (_: d: d.drvPath)`,
		"apps":      `builtins.mapAttrs (_: a: if a.default.type == "app" then a.default.program + ".drv" else "")`,
		"bundlers":  `builtins.mapAttrs (system: b: (b.default { type = "app"; program = "/bin/true"; }).drvPath)`,
	} {
		var got map[string]string
		n.eval(t, output, function, &got)
		require.Len(t, got, len(systems))
		for _, system := range systems {
			require.Regexp(t, drv, got[system], output)
		}
	}
	var overlaid string
	n.eval(t, "overlays.default", `overlay: (overlay { callPackage = f: _: builtins.concatStringsSep " " (builtins.attrNames (builtins.functionArgs f)); } { }).nixbundle`, &overlaid)
	require.Equal(t, "buildGo126Module buildGoModule go installShellFiles lib", overlaid)
}

// TestFlakeFlags: mkBundle has an argument for every flag of the verb bundle, under the flag's name.
func TestFlakeFlags(t *testing.T) {
	n := newNix(t)
	for verb, function := range map[string]string{"bundle": "mkBundle", "conflicts": "checkConflicts"} {
		var optional map[string]bool
		n.eval(t, "lib."+function, "builtins.functionArgs", &optional)
		for _, name := range []string{"nixbundle", "format", "extraArgs", "name", "pkgs", "program"} {
			delete(optional, name)
		}
		help, _, _ := run(verb, "--help")
		help, _, _ = strings.Cut(help, "Flags of every verb:")
		flags := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+) `).FindAllStringSubmatch(help, -1) {
			flags[camel(m[1])] = true
		}
		for name := range optional {
			require.True(t, flags[name], "%s has an argument %s, and no verb has such a flag", function, name)
		}
		if verb != "bundle" {
			continue // it has those that a bundle has too
		}
		for name := range flags {
			switch name {
			case "output", "dryRun", "json", "quiet", "help", "name":
			default:
				require.Contains(t, optional, name, "mkBundle lacks a flag of the verb bundle")
			}
		}
	}
}

// camel is a flag's name as the flake has it.
func camel(flag string) string {
	words := strings.Split(flag, "-")
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
	}
	return strings.Join(words, "")
}

// TestFlakeBundle: a bundle that Nix builds, of a program for another machine, in the flake that the
// topic nix shows, is the command line's byte for byte, in a sandbox too, and refers to nothing.
func TestFlakeBundle(t *testing.T) {
	n := newNix(t)
	program := n.program(t, "sensor-fixed")
	_, all, ok := n.run(n.fleet("build", "bundle", "--out-link", "result", "--print-build-logs")...)
	require.True(t, ok, all)
	path, err := os.Readlink(n.dir + "/result")
	require.NoError(t, err)
	require.Regexp(t, `-sensor\.tar\.zst$`, path)

	want := n.dir + "/want.tar.zst"
	_, stderr, status := run(program+"/bin/sensor", "--target", "raspios-bookworm", "-o", want)
	require.Zero(t, status, stderr)
	sameFile(t, want, path)

	// --rebuild compares with what is there. The sandbox has the closure of the inputs, and the host's bash.
	_, all, ok = n.run(n.fleet("build", "bundle", "--rebuild", "--no-link", "--print-build-logs",
		"--option", "sandbox", "true", "--option", "sandbox-paths", "/bin /usr /lib /lib64")...)
	require.True(t, ok, all)
	// It says there what it says elsewhere, and no word of a home or a database that is missing.
	var said []string
	for _, line := range strings.Split(all, "\n") {
		if _, text, ok := strings.Cut(line, "sensor.tar.zst> "); ok {
			said = append(said, strings.Replace(text, "bundle.tar.zst", want, 1))
		}
	}
	require.Equal(t, strings.Split(strings.TrimSpace(stderr), "\n"), said)
	c := exec.Command("nix-store", "--query", "--references", path)
	c.Env = n.env
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Empty(t, string(out))
}

// TestDerivation: nixbundle can be a derivation's builder itself, without a shell, and makes the same bytes.
func TestDerivation(t *testing.T) {
	n := newNix(t)
	for _, result := range []string{"sensor-fixed/bin/sensor", "armhf-sqlite3/bin/sqlite3", "misc-wrapBash/bin/greet", "misc-muslHello/bin/musl-hello"} {
		path, name, _ := strings.Cut(result, "/")
		path = n.program(t, path)
		n.write(t, "fleet/flake.nix", fmt.Sprintf(`{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  inputs.nixbundle.url = "github:nixbundle/nixbundle";
  outputs = { nixpkgs, nixbundle, ... }: {
    packages.x86_64-linux.bundle = derivation {
      name = "bundle.tar.zst";
      system = "x86_64-linux";
      builder = "${nixbundle.packages.x86_64-linux.default}/bin/nixbundle";
      args = [ "bundle" "${(import ./sensor.nix { }).outPath}/%s" "-o" (placeholder "out") ];
    };
  };
}`, name))
		n.ok(t, n.fleet("build", "bundle", "--out-link", "result", "--option", "sandbox", "true")...)
		want := n.dir + "/want.tar.zst"
		_, stderr, status := run(path+"/"+name, "-o", want)
		require.Zero(t, status, stderr)
		sameFile(t, want, n.dir+"/result")
	}
}

// TestFlakeArguments: what a flake says reaches the command line as it is.
func TestFlakeArguments(t *testing.T) {
	n := newNix(t)
	program := n.program(t, "sensor-plain")
	n.write(t, "fleet/data/a b.txt", "data")
	n.write(t, "fleet/flake.nix", `{
  outputs = { nixpkgs, nixbundle, ... }:
    let
      pkgs = nixpkgs.legacyPackages.x86_64-linux;
      sensor = pkgs.callPackage ./sensor.nix { };
    in {
      packages.x86_64-linux.bundle = nixbundle.lib.mkBundle {
        pkgs = pkgs.pkgsCross.aarch64-multiplatform;
        program = [ "${sensor}" ];
        name = "it's $(id) a";
        format = "tar";
        interp = "wrapper";
        level = "fastest";
        strict = false;
        allowConflicts = true;
        plugins = [ "-gconv" ];
        include = [ "${./data}/a b.txt:share/x" ];
        env.A = "it's \"$(id)\" %ROOT%";
        env.B = "--strict";
        extraArgs = [ "--suggested" ];
      };
    };
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  inputs.nixbundle.url = "github:nixbundle/nixbundle";
}`)
	_, all, ok := n.run(n.fleet("build", "bundle", "--out-link", "result", "--print-build-logs")...)
	require.True(t, ok, all)
	path, err := os.Readlink(n.dir + "/result")
	require.NoError(t, err)
	require.Regexp(t, `-it-s-id-a\.tar$`, path)
	data, err := filepath.Glob("/nix/store/*-data/a b.txt")
	require.NoError(t, err)
	require.NotEmpty(t, data)
	want := n.dir + "/want.tar"
	_, stderr, status := run(program, "--name", "it's $(id) a", "--interp", "wrapper", "--level", "fastest", "--allow-conflicts", "--plugins=-gconv",
		"--include", data[0]+":share/x", "--env", `A=it's "$(id)" %ROOT%`, "--env", "B=--strict", "--suggested", "-o", want)
	require.Zero(t, status, stderr)
	sameFile(t, want, path)
}

// TestFlakeConflicts: the check of a flake fails for a clash, not for an accepted one, and again for another.
func TestFlakeConflicts(t *testing.T) {
	n := newNix(t)
	check := n.fleet("build", "checks.x86_64-linux.conflicts", "--no-link", "--print-build-logs")
	fails := func(result, name string) {
		n.program(t, result)
		_, all, ok := n.run(check...)
		require.False(t, ok, all)
		require.Contains(t, all, "> error: "+name)
		require.Contains(t, all, "failed with exit code 3")
	}
	passes := func(result string) {
		n.program(t, result)
		n.ok(t, check...)
	}
	passes("sensor-fixed")
	fails("sensor-samesoname", "libprotobuf.so.32")
	_, stderr, status := run("conflicts", n.program(t, "sensor-samesoname"), "--target", "raspios-bookworm", "--accept", n.dir+"/fleet/clashes.json", "--reason", "known")
	require.Zero(t, status, stderr)
	passes("sensor-samesoname")
	fails("sensor-diffsoname", "libprotobuf: ")
	passes("sensor-fixed")

	// A bundle is refused for the same reason, and the build makes nothing.
	n.program(t, "sensor-diffsoname")
	_, all, ok := n.run(n.fleet("build", "bundle", "--no-link", "--print-build-logs")...)
	require.False(t, ok)
	require.Contains(t, all, "failed with exit code 3")
}

// TestFlakeBundler: nix bundle makes the command line's archive, of a package and of an app.
func TestFlakeBundler(t *testing.T) {
	n := newNix(t)
	program := n.program(t, "sensor-fixed")
	want := n.dir + "/want.tar.zst"
	_, stderr, status := run(program+"/bin/sensor", "-o", want)
	require.Zero(t, status, stderr)
	n.ok(t, n.fleet("bundle", "sensor", "--bundler", n.at("nixbundle"))...)
	sameFile(t, want, n.dir+"/sensor.tar.zst")
	n.write(t, "fleet/flake.nix", `{ outputs = _: { apps.x86_64-linux.default = {
  type = "app";
  program = "${(import ./sensor.nix { }).outPath}/bin/sensor";
}; }; }`)
	n.ok(t, "bundle", n.at("fleet"), "--no-write-lock-file", "--bundler", n.at("nixbundle"), "--out-link", "app")
	sameFile(t, want, n.dir+"/app")
}

// TestFlakeReport: a bundle's report is there also where the bundle is refused.
func TestFlakeReport(t *testing.T) {
	n := newNix(t)
	n.program(t, "sensor-samesoname")
	n.ok(t, n.fleet("build", "bundle.report", "--out-link", "report", "--print-build-logs")...)
	page, err := os.ReadFile(n.dir + "/report")
	require.NoError(t, err)
	require.Contains(t, string(page), "libprotobuf.so.32")
}

// TestVendorHash: the hash in flake.nix is that of the folder that go mod vendor makes, which is what
// nixpkgs' buildGoModule compares (pkgs/build-support/go/module.nix).
func TestVendorHash(t *testing.T) {
	needNix(t)
	dir := filepath.Join(t.TempDir(), "vendor")
	vendor := exec.Command("go", "mod", "vendor", "-o", dir)
	vendor.Dir = ".."
	out, err := vendor.CombinedOutput()
	require.NoError(t, err, string(out))
	hash, err := exec.Command("nix", "--extra-experimental-features", "nix-command", "hash", "path", dir).Output()
	require.NoError(t, err)
	flake, err := os.ReadFile("../flake.nix")
	require.NoError(t, err)
	m := regexp.MustCompile(`vendorHash = "([^"]*)"`).FindSubmatch(flake)
	require.NotNil(t, m)
	require.Equal(t, strings.TrimSpace(string(hash)), string(m[1]), "the modules changed: run make vendor-hash")
}

// TestFlakeInstalls runs what the package does after its build, where another machine is built for:
// it installs man pages and completions, and runs nothing of the other machine.
func TestFlakeInstalls(t *testing.T) {
	n := newNix(t)
	var script string
	n.eval(t, "packages.x86_64-linux.default", "package: package.given.postInstall", &script)
	c := exec.Command("bash", "-eu", "-o", "pipefail", "-c", `
installManPage() { test -s "$1"; printf 'man %s\n' "${@##*/}"; }
installShellCompletion() { shift 2; for f; do test -s "$f"; echo "completion ${f##*/}"; done; }
`+script)
	c.Dir = ".."
	c.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "TMPDIR="+t.TempDir())
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, want := range []string{"man nixbundle.1\n", "completion nixbundle.bash\n", "completion nixbundle.fish\n", "completion nixbundle.zsh\n"} {
		require.Contains(t, string(out), want)
	}
}
