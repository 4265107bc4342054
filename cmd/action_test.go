package cmd_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestActionSafe: what a user of the action gives reaches scripts through their environment only, and
// everything that the action names is there.
func TestActionSafe(t *testing.T) {
	a := readAction(t)
	require.Equal(t, "composite", a.Runs.Using)
	known := map[string]bool{"github.action_path": true, "steps.conflicts.outputs.conflicts": true, "steps.conflicts.outputs.sarif": true}
	for name, input := range a.Inputs {
		known["inputs."+name] = true
		require.NotEmpty(t, input.Description, name)
	}
	check := func(text string) {
		for _, m := range expression.FindAllStringSubmatch(text, -1) {
			require.True(t, known[m[1]], text)
		}
		require.Equal(t, strings.Count(text, "${{"), len(expression.FindAllString(text, -1)), text)
	}
	for _, s := range a.Runs.Steps {
		require.NotContains(t, s.Run, "${{", s.Name)
		require.NotEqual(t, s.Run == "", s.Uses == "", s.Name)
		require.Equal(t, s.Run != "", s.Shell == "bash", "a script of a composite action names its shell")
		if s.Uses != "" {
			require.Regexp(t, `^[a-z-]+/[a-z/-]+@v\d+$`, s.Uses, "pinned by its major version")
		}
		for _, text := range s.Env {
			check(text)
		}
		for _, text := range s.With {
			check(text)
		}
		for _, name := range regexp.MustCompile(`[a-z]+(\.[a-z-]+)+`).FindAllString(s.If, -1) {
			require.True(t, known[name], s.If)
		}
	}
	for _, o := range a.Outputs {
		check(o.Value)
	}
}

// TestActionDocumented: the workflow in the topic ci gives the action inputs that it has.
func TestActionDocumented(t *testing.T) {
	a := readAction(t)
	uses := 0
	for _, block := range blocksOf(t, "topics/ci.md", "yaml") {
		var workflow map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(block), &workflow))
		jobs, ok := workflow["jobs"].(map[string]any)
		if !ok {
			continue // GitLab's
		}
		for _, s := range jobs["bundle"].(map[string]any)["steps"].([]any) {
			step := s.(map[string]any)
			action, _ := step["uses"].(string)
			if path, _, _ := strings.Cut(action, "@"); path != "nixbundle/nixbundle/.github/actions/conflicts" {
				continue
			}
			uses++
			for name := range step["with"].(map[string]any) {
				require.Contains(t, a.Inputs, name)
			}
			// What upload-sarif asks for in a private repository (its own example workflows).
			require.Equal(t, map[string]any{"actions": "read", "contents": "read", "security-events": "write"}, workflow["permissions"])
		}
	}
	require.Equal(t, 1, uses)
}

// TestAction runs the action's scripts: what a program is that loads what it was linked with, one that
// does not, and one whose name is a trap.
func TestAction(t *testing.T) {
	demo, err := filepath.Abs("../testdata/demo")
	require.NoError(t, err)
	given := map[string]string{"root": demo, "program": "/sensor-fixed/bin/sensor", "report": "report.html", "bundle": "my sensor.tar.zst", "sarif": "found.sarif"}
	with := func(more map[string]string) map[string]string {
		all := maps.Clone(given)
		maps.Copy(all, more)
		return all
	}

	t.Run("clean", func(t *testing.T) {
		r := newActionRun(t, with(map[string]string{"bundle-options": "--name\nmy sensor\n"}))
		require.Empty(t, r.run(t), r.output)
		require.Equal(t, "false", r.outputOf("conflicts"))
		require.FileExists(t, r.outputOf("sarif"))
		require.FileExists(t, filepath.Join(r.dir, "report.html"))
		stdout, stderr, status := run("verify", filepath.Join(r.dir, "my sensor.tar.zst"))
		require.Zero(t, status, stdout+stderr)
		stdout, _, _ = run("inspect", filepath.Join(r.dir, "my sensor.tar.zst"))
		require.Contains(t, stdout, "my sensor/bin/sensor")
	})
	t.Run("conflict", func(t *testing.T) {
		r := newActionRun(t, with(map[string]string{"program": "/sensor-fixed/bin/sensor\n\n/sensor-conflict/bin/sensor\n"}))
		require.Equal(t, "Fail for conflicts", r.run(t), r.output)
		require.Contains(t, r.output, "error: libprotobuf-c.so.1")
		require.Equal(t, "true", r.outputOf("conflicts"))
		require.NoFileExists(t, filepath.Join(r.dir, "my sensor.tar.zst"))
		require.FileExists(t, filepath.Join(r.dir, "report.html"))
		sarif, err := os.ReadFile(filepath.Join(r.dir, "found.sarif"))
		require.NoError(t, err)
		require.Contains(t, string(sarif), "libprotobuf-c.so.1")
		require.Empty(t, r.used[1:], "nothing is uploaded unasked")
	})
	t.Run("accepted", func(t *testing.T) {
		r := newActionRun(t, with(map[string]string{"program": "/sensor-conflict/bin/sensor", "accept": "my clashes.json"}))
		_, stderr, status := run("conflicts", "--root", demo, "/sensor-conflict/bin/sensor", "--accept", filepath.Join(r.dir, "my clashes.json"), "--reason", "x")
		require.Zero(t, status, stderr)
		require.Empty(t, r.run(t), r.output)
		require.Equal(t, "false", r.outputOf("conflicts"))
		require.FileExists(t, filepath.Join(r.dir, "my sensor.tar.zst"))
	})
	t.Run("opened", func(t *testing.T) {
		r := newActionRun(t, with(map[string]string{"open": "libtflite.so.2\n\nlib none.so\n"}))
		require.Empty(t, r.run(t), r.output)
		for _, step := range []string{"warning", "nixbundle"} { // of conflicts, and of bundle
			require.Contains(t, r.output, step+": lib none.so: sensor opens lib none.so at run time, and nothing answers")
		}
		page, err := os.ReadFile(filepath.Join(r.dir, "report.html"))
		require.NoError(t, err)
		require.Contains(t, string(page), "lib none.so")
	})
	t.Run("refused", func(t *testing.T) {
		r := newActionRun(t, with(map[string]string{"bundle-options": "--interp\n/a\n--prefix\n/b", "upload-sarif": "true", "artifact": "kept"}))
		require.Equal(t, "Bundle", r.run(t), r.output)
		require.Equal(t, []string{"Show the findings", "Keep report and bundle"}, r.used[1:], "the report is kept where the bundle is refused")
	})
	t.Run("hostile", func(t *testing.T) {
		name := "-x $(touch pwned) `touch pwned` ';touch pwned\"\\"
		r := newActionRun(t, map[string]string{"program": name, "bundle": "$(touch pwned).tar", "report": "'$(touch pwned).html", "bundle-options": "--name\nx"})
		source, err := os.ReadFile("/bin/true")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(r.dir, name), source, 0o755))
		require.Empty(t, r.run(t), r.output)
		require.NoFileExists(t, filepath.Join(r.dir, "pwned"))
		require.FileExists(t, filepath.Join(r.dir, "$(touch pwned).tar"))
	})
	t.Run("missing", func(t *testing.T) {
		r := newActionRun(t, with(map[string]string{"program": "/nowhere"}))
		require.Equal(t, "Look for conflicts", r.run(t), r.output)
		require.Contains(t, r.output, "/nowhere")
		require.Empty(t, r.outputOf("conflicts"))
		require.Empty(t, r.used[1:])
	})
}

// TestGitLab: what the topic ci gives for GitLab lets the script use Nix as it does, in an image whose Nix has no
// experimental features.
func TestGitLab(t *testing.T) {
	needNix(t)
	blocks := blocksOf(t, "topics/ci.md", "yaml")
	var jobs map[string]struct {
		Variables map[string]string
		Script    []string
	}
	require.NoError(t, yaml.Unmarshal([]byte(blocks[len(blocks)-1]), &jobs))
	job := jobs["bundle"]
	require.Len(t, job.Script, 1)
	require.NotContains(t, job.Script[0], "experimental", "the script calls nix too")
	for _, config := range []string{"", job.Variables["NIX_CONFIG"]} {
		c := exec.Command("nix", "flake", "metadata", "path:"+t.TempDir())
		c.Env = append(os.Environ(), "NIX_CONF_DIR="+t.TempDir(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir(), "NIX_CONFIG="+config)
		out, err := c.CombinedOutput()
		require.Error(t, err, "there is no flake")
		require.Equal(t, config == "", strings.Contains(string(out), "experimental"), string(out))
	}
}

// TestRecipe runs what the topic ci gives for any CI: findings end it, when the report is written.
func TestRecipe(t *testing.T) {
	stores, recipe := store(t), blocksOf(t, "topics/ci.md", "sh")[0]
	bin := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, bin+"/nixbundle"))
	require.NoError(t, os.WriteFile(bin+"/nix", []byte("#!/bin/sh\nexec ln -sfn \"$SENSOR\" result\n"), 0o755))
	for result, want := range map[string]bool{"sensor-fixed": true, "sensor-samesoname": false} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(dir+"/clashes.json", []byte(`{"schema": "nixbundle.accept/v1", "accepted": []}`), 0o644))
		c := exec.Command("sh", "-e", "-c", recipe)
		c.Dir = dir
		c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "SENSOR="+stores+"/results/"+result)
		out, err := c.CombinedOutput()
		require.Equal(t, want, err == nil, string(out))
		require.FileExists(t, dir+"/report.html")
		require.FileExists(t, dir+"/conflicts.sarif")
		if want {
			require.FileExists(t, dir+"/sensor.tar.zst")
			continue
		}
		require.Equal(t, 3, c.ProcessState.ExitCode())
		require.NoFileExists(t, dir+"/sensor.tar.zst")
	}
}
