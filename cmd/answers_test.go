package cmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

// Every answer in JSON that the tests of this package get is held against its schema: those of the commands in scripts,
// and those of run. All go through runCommand, which is the only one to call cmd.Run (TestAllAnswersAreChecked).

// answersEnv names the folder in which this run of the tests notes what was validated, and keeps the schema of SARIF.
const answersEnv = "NIXBUNDLE_TEST_ANSWERS"

// exitInvalid is the status of a command in a script whose answer does not fit.
const exitInvalid = 99

// runCommand runs a command line, and checks what it answers.
func runCommand(w cmd.World) (status int, err error) {
	answer, wantsJSON := kindOfAnswer(w.Args)
	var out bytes.Buffer
	if wantsJSON {
		w.Stdout = io.MultiWriter(w.Stdout, &out)
	}
	status = cmd.Run(context.Background(), w)
	if wantsJSON {
		err = checkAnswer(answer, status, out.Bytes())
	}
	if file := valueOf(w.Args, "--accept"); err == nil && status == 0 && file != "" && valueOf(w.Args, "--reason") != "" {
		var data []byte
		if data, err = os.ReadFile(file); err == nil {
			err = validate("accept", "conflicts", data)
		}
	}
	return status, err
}

// runTwins runs a command line of a script again, where it only reads and answers for a reader, with --json and
// with --sarif: that the answers fit, and end in the same status.
func runTwins(w cmd.World, status int) error {
	verb, wantsJSON := kindOfAnswer(w.Args)
	if wantsJSON || verb == "" || verb == "bundle" || valueOf(w.Args, "--reason") != "" || slices.Contains(w.Args, "--run") {
		return nil
	}
	flags := []string{"--json"}
	if verb == "conflicts" {
		flags = append(flags, "--sarif")
	}
	for _, flag := range flags {
		twin := w
		at := slices.Index(append(slices.Clone(w.Args), "--"), "--") // what is behind it is no flag
		twin.Args, twin.Stdout, twin.Stderr = slices.Insert(slices.Clone(w.Args), at, flag), io.Discard, io.Discard
		got, err := runCommand(twin)
		if err != nil || got != status {
			return fmt.Errorf("%q: status %d, and without %s %d: %w", twin.Args, got, flag, status, err)
		}
	}
	return nil
}

// schemasOf are the schemas that the verbs answer by.
var schemasOf = map[string][]string{
	"conflicts": {"conflicts"}, "ldd": {"ldd"}, "tree": {"ldd"}, "bindings": {"bindings"}, "why": {"why"}, "size": {"size"},
	"inspect": {"inspect-elf", "manifest"}, "verify": {"verify"}, "learn": {"learn"}, "targets": {"targets"},
	"bundle": {"manifest"}, "bundle --dry-run": {"plan"},
}

// sarifSchema stands for the one that is not ours.
const sarifSchema = "sarif"

// kindOfAnswer is the verb of a command line that answers in JSON, or "sarif".
func kindOfAnswer(args []string) (verb string, ok bool) {
	if filepath.Base(args[0]) == "patchelf" || len(args) > 1 && slices.Contains([]string{"patchelf", "help", "schema"}, args[1]) {
		return "", false
	}
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	if slices.Contains(args, "--sarif") {
		return sarifSchema, true
	}
	verb = "bundle"
	if i := slices.IndexFunc(args, func(a string) bool { return schemasOf[a] != nil }); i >= 0 {
		verb = args[i]
	}
	if verb == "bundle" && slices.Contains(args, "--dry-run") {
		verb = "bundle --dry-run"
	}
	return verb, slices.Contains(args, "--json")
}

func valueOf(args []string, flag string) string {
	if i := slices.Index(args, flag); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// checkAnswer validates what a verb has answered. Only a command that failed, a bundle that was refused, or a process
// that does not come to bind has nothing to answer.
func checkAnswer(verb string, status int, data []byte) error {
	if len(data) == 0 {
		if status == 1 || status == 2 || status == 3 && (strings.HasPrefix(verb, "bundle") || verb == "bindings") {
			return nil
		}
		return fmt.Errorf("%s: status %d and no answer", verb, status)
	}
	if verb == sarifSchema {
		return validate(sarifSchema, "conflicts", data)
	}
	var head struct{ Schema string }
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	if !bytes.HasPrefix(data, []byte("{\n  \"schema\": ")) {
		return fmt.Errorf("%s: the answer does not begin with its schema", verb)
	}
	for _, name := range schemasOf[verb] {
		if strings.HasPrefix(head.Schema, "nixbundle."+name+"/") {
			return validate(name, verb, data)
		}
	}
	return fmt.Errorf("%s answers by %q", verb, head.Schema)
}

// validate holds data against a schema, and notes that it was.
func validate(name, verb string, data []byte) error {
	s, err := compiled(name)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := s.Validate(doc); err != nil {
		return err
	}
	switch name {
	case "conflicts":
		err = checkSeverities(doc)
	case sarifSchema:
		err = checkForGitHub(doc)
	}
	if err != nil {
		return err
	}
	dir := os.Getenv(answersEnv)
	if dir == "" {
		return errors.New(answersEnv + " is not in the environment: pass it on, so that the answer counts")
	}
	f, err := os.OpenFile(filepath.Join(dir, "validated"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s\t%s\n", name, verb)
	return errors.Join(err, f.Close())
}

// checkSeverities holds findings of a closure against what their kinds are said to be at most there.
func checkSeverities(doc any) error {
	answer, _ := doc.(map[string]any)
	for _, list := range []string{"findings", "acceptedFindings"} {
		findings, _ := answer[list].([]any)
		for _, f := range findings {
			f := f.(map[string]any)
			for _, k := range closure.Kinds() {
				order := []any{"error", "warning", "note"}
				if f["severity"] != nil && f["kind"] == string(k.Kind) && slices.Index(order, f["severity"]) < int(k.Severity) {
					return fmt.Errorf("%v is a %v, and by closure.Kinds at most a %v", f["kind"], f["severity"], k.Severity)
				}
			}
		}
	}
	return nil
}

var compile struct {
	sync.Mutex
	done map[string]*jsonschema.Schema
}

// compiled is a schema as nixbundle prints it, or that of SARIF, ready to validate with. It is validated itself
// against its metaschema.
func compiled(name string) (*jsonschema.Schema, error) {
	compile.Lock()
	defer compile.Unlock()
	if s := compile.done[name]; s != nil {
		return s, nil
	}
	var text []byte
	if name == sarifSchema {
		var err error
		if text, err = os.ReadFile(filepath.Join(os.Getenv(answersEnv), "sarif.json")); err != nil {
			return nil, err
		}
	} else {
		s, err := schema.Read(name)
		if err != nil {
			return nil, err
		}
		text = s.Text
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:///"+name, doc); err != nil {
		return nil, err
	}
	s, err := c.Compile("mem:///" + name)
	if err != nil {
		return nil, err
	}
	if compile.done == nil {
		compile.done = map[string]*jsonschema.Schema{}
	}
	compile.done[name] = s
	return s, nil
}

// suite runs the tests, and then sees to it that every schema was put to use.
type suite struct{ *testing.M }

func (s suite) Run() int {
	dir, err := os.MkdirTemp("", "nixbundle-answers-")
	if err == nil {
		defer os.RemoveAll(dir)
		os.Setenv(answersEnv, dir)
		err = officialSARIF(filepath.Join(dir, "sarif.json"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status := s.M.Run()
	summary, err := sumUp(filepath.Join(dir, "validated"))
	if testFlag("test.v") == "true" {
		fmt.Print(summary)
	}
	if err != nil && status == 0 && isWhole() {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// isWhole reports whether all tests were asked for.
func isWhole() bool {
	return testFlag("test.run") == "" && testFlag("test.skip") == "" && testFlag("test.list") == "" && testFlag("test.fuzz") == ""
}

// sumUp says how many answers were validated by each schema. The error names schemas and verbs that none was of.
func sumUp(file string) (summary string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	count, verbs := map[string]int{}, map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		name, verb, _ := strings.Cut(line, "\t")
		count[name]++
		verbs[verb]++
	}
	all, err := schema.All()
	if err != nil {
		return "", err
	}
	names := []string{sarifSchema}
	for _, s := range all {
		names = append(names, s.Name)
	}
	var errs []error
	for _, name := range names {
		summary += fmt.Sprintf("schema %-12s %4d answers validated\n", name, count[name])
		if count[name] == 0 {
			errs = append(errs, fmt.Errorf("no test has an answer by the schema %s", name))
		}
	}
	for verb := range schemasOf {
		if verbs[verb] == 0 {
			errs = append(errs, fmt.Errorf("no test has an answer of %s --json", verb))
		}
	}
	return summary, errors.Join(errs...)
}

// TestAllAnswersAreChecked: no test runs a command line past runCommand.
func TestAllAnswersAreChecked(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		want := 0
		if file == "answers_test.go" {
			want = 1
		}
		require.Equal(t, want, strings.Count(string(text), "cmd."+"Run("), file)
	}
}

// TestVerbsWithJSON: every verb that takes --json is one whose answer is checked.
func TestVerbsWithJSON(t *testing.T) {
	list, _ := verbs(t)
	found := 0
	for _, verb := range list {
		text, _, _ := run(verb, "--help")
		if strings.Contains(text, "\n      --json ") {
			found++
			require.NotNil(t, schemasOf[verb], verb)
		}
	}
	require.Equal(t, len(schemasOf)-1, found) // bundle is there twice
}

// testFlag is the value of a flag of go test.
func testFlag(name string) string { return flag.Lookup(name).Value.String() }
