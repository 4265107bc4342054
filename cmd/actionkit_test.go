package cmd_test

import (
	"bytes"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// action is .github/actions/conflicts/action.yml: what GitHub's metadata syntax allows of a composite
// action, as far as it is used.
type action struct {
	Name, Description, Author string
	Branding                  map[string]string
	Inputs                    map[string]actionInput
	Outputs                   map[string]struct{ Description, Value string }
	Runs                      struct {
		Using string
		Steps []actionStep
	}
}

type actionInput struct {
	Description, Default string
	Required             bool
}

type actionStep struct {
	ID, Name, If, Shell, Run, Uses string
	Env, With                      map[string]string
}

const actionDir = "../.github/actions/conflicts"

func readAction(t *testing.T) *action {
	t.Helper()
	text, err := os.ReadFile(actionDir + "/action.yml")
	require.NoError(t, err)
	var a action
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	require.NoError(t, d.Decode(&a))
	return &a
}

var expression = regexp.MustCompile(`\$\{\{ *([a-z._-]+) *\}\}`)

// blocksOf are the fenced blocks of one language in a file.
func blocksOf(t *testing.T, file, language string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var blocks []string
	for _, b := range strings.Split(string(text), "\n```"+language+"\n")[1:] {
		b, _, ok := strings.Cut(b, "\n```")
		require.True(t, ok)
		blocks = append(blocks, b+"\n")
	}
	require.NotEmpty(t, blocks)
	return blocks
}

// actionRun is one run of the action's scripts as GitHub's runner runs them.
type actionRun struct {
	*action
	dir, temp string // the workspace and RUNNER_TEMP
	path      string
	values    map[string]string // of expressions
	output    string
	used      []string // the names of the steps that use another action
}

func newActionRun(t *testing.T, given map[string]string) *actionRun {
	t.Helper()
	at, err := filepath.Abs(actionDir)
	require.NoError(t, err)
	r := &actionRun{action: readAction(t), dir: t.TempDir(), temp: t.TempDir(), path: os.Getenv("PATH")}
	r.values = map[string]string{"github.action_path": at}
	for name, input := range r.Inputs {
		value, ok := given[name]
		require.True(t, ok || !input.Required, name)
		if !ok {
			value = input.Default
		}
		r.values["inputs."+name] = value
	}
	return r
}

// run runs the scripts, and tells the first that fails, or "". Behind it only what runs always is run.
func (r *actionRun) run(t *testing.T) (failed string) {
	t.Helper()
	for _, s := range r.Runs.Steps {
		switch {
		case failed != "" && !strings.HasPrefix(s.If, "always()") || !r.holds(t, s.If):
		case s.Uses != "":
			r.used = append(r.used, s.Name)
		case !r.step(t, &s) && failed == "":
			failed = s.Name
		}
	}
	return failed
}

var comparison = regexp.MustCompile(`([a-z.-]+) (==|!=) '([a-z]*)'`)

// holds tells whether a step's condition holds: comparisons with a text, and always().
func (r *actionRun) holds(t *testing.T, cond string) bool {
	t.Helper()
	text := comparison.ReplaceAllStringFunc(cond, func(c string) string {
		m := comparison.FindStringSubmatch(c)
		return strconv.FormatBool((r.values[m[1]] == m[3]) == (m[2] == "=="))
	})
	if text = strings.Replace(text, "always()", "true", 1); text == "" {
		return true
	}
	v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, text)
	require.NoError(t, err, cond)
	return constant.BoolVal(v.Value)
}

func (r *actionRun) step(t *testing.T, s *actionStep) bool {
	t.Helper()
	script := filepath.Join(r.temp, "script.sh")
	require.NoError(t, os.WriteFile(script, []byte(s.Run), 0o644))
	files := map[string]string{"GITHUB_OUTPUT": filepath.Join(t.TempDir(), "o"), "GITHUB_PATH": filepath.Join(t.TempDir(), "p")}
	// docs.github.com, "Workflow syntax", jobs.<job_id>.steps[*].shell
	c := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	c.Dir = r.dir
	c.Env = append(os.Environ(), "PATH="+r.path, "RUNNER_TEMP="+r.temp)
	for name, file := range files {
		require.NoError(t, os.WriteFile(file, nil, 0o644))
		c.Env = append(c.Env, name+"="+file)
	}
	for name, text := range s.Env {
		c.Env = append(c.Env, name+"="+expression.ReplaceAllStringFunc(text, func(e string) string {
			return r.values[expression.FindStringSubmatch(e)[1]]
		}))
	}
	out, err := c.CombinedOutput()
	r.output += string(out)
	for _, dir := range linesOf(t, files["GITHUB_PATH"]) {
		r.path = dir + ":" + r.path
	}
	for _, line := range linesOf(t, files["GITHUB_OUTPUT"]) {
		name, value, ok := strings.Cut(line, "=")
		require.True(t, ok, line)
		r.values["steps."+s.ID+".outputs."+name] = value
	}
	return err == nil
}

func linesOf(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

// outputOf is one of the action's outputs.
func (r *actionRun) outputOf(name string) string {
	return r.values[expression.FindStringSubmatch(r.Outputs[name].Value)[1]]
}
