package cmd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd/schema"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// Every schema is one of draft 2020-12, refers to no other, and is called what it says; a definition that no schema
// uses is deleted.
func TestSchemas(t *testing.T) {
	all, err := schema.All()
	require.NoError(t, err)
	ids, used := map[string]bool{}, map[string]bool{}
	for _, s := range all {
		stdout, stderr, status := run("schema", s.Name)
		require.Zero(t, status, stderr)
		require.Equal(t, string(s.Text), stdout)
		_, err := compiled(s.Name) // which validates it against the metaschema
		require.NoError(t, err, s.Name)
		var doc struct {
			Schema string         `json:"$schema"`
			ID     string         `json:"$id"`
			Defs   map[string]any `json:"$defs"`
		}
		require.NoError(t, json.Unmarshal(s.Text, &doc))
		require.Equal(t, "https://json-schema.org/draft/2020-12/schema", doc.Schema)
		require.Equal(t, "https://github.com/nixbundle/nixbundle/schema/"+strings.TrimPrefix(s.ID, "nixbundle."), doc.ID)
		require.True(t, strings.HasPrefix(s.ID, "nixbundle."+s.Name+"/v"), s.ID)
		require.Equal(t, strings.Count(stdout, `"$ref"`), strings.Count(stdout, `"$ref": "#/$defs/`), s.Name)
		require.False(t, ids[doc.ID])
		ids[doc.ID] = true
		for name := range doc.Defs {
			used[name] = true
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(used)), definitionNames(t))
	require.Equal(t, bundle.ManifestSchema, idOf(t, "manifest"))
	require.Equal(t, closure.AcceptanceSchema, idOf(t, "accept"))
}

func idOf(t *testing.T, name string) string {
	t.Helper()
	s, err := schema.Read(name)
	require.NoError(t, err)
	return s.ID
}

func definitionNames(t *testing.T) []string {
	t.Helper()
	return slices.Collect(maps.Keys(definitions(t)))
}

// definitions are those of the file of definitions.
func definitions(t *testing.T) map[string]map[string]any {
	t.Helper()
	return readJSON[map[string]map[string]any](t, "schema/defs.json")
}

// TestClosedSets: where a schema lists the values that there are, these are the ones of the Go type.
func TestClosedSets(t *testing.T) {
	defs := definitions(t)
	property := func(def, name string) map[string]any {
		return defs[def]["properties"].(map[string]any)[name].(map[string]any)
	}
	for _, test := range []struct {
		schema map[string]any
		values []string
	}{
		{defs["severity"], names(func(i int) string { return closure.Severity(i).String() })},
		{defs["rule"], names(func(i int) string { return closure.Rule(i).String() })},
		{defs["class"], names(func(i int) string { return elfpatch.Class(i).String() })},
		{defs["loaderKind"], names(func(i int) string {
			if i > int(closure.LoaderMusl) {
				return "kind " + strconv.Itoa(i)
			}
			return closure.LoaderKind(i).String()
		})},
		{defs["strategy"], constants(t, "../bundle", "Strategy")},
		{defs["mentionKind"], constants(t, "../closure", "MentionKind")},
		{defs["entryType"], []string{bundle.TypeFile, bundle.TypeFolder, bundle.TypeLink}},
		{property("setup", "kind"), constants(t, "../closure/wrapper", "Kind")},
		{property("variable", "op"), constants(t, "../closure/wrapper", "Op")},
		{property("variable", "join"), slices.DeleteFunc(constants(t, "../closure/wrapper", "Join"), func(s string) bool { return s == "" })},
	} {
		var want []any
		for _, v := range test.values {
			want = append(want, v)
		}
		require.ElementsMatch(t, want, test.schema["enum"], test.schema["description"])
	}
	require.Equal(t, 2, int(closure.LoaderMusl), "a further kind of loader")
}

// names are the texts of a numbered type, from 0 to where it has no name: "rule 11".
func names(text func(int) string) (list []string) {
	for i := 0; !strings.HasSuffix(text(i), " "+strconv.Itoa(i)); i++ {
		list = append(list, text(i))
	}
	return list
}

// constants are the values of the constants of a string type.
func constants(t *testing.T, dir, typ string) (list []string) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	require.NoError(t, err)
	for _, file := range files {
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(source, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typ {
				value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				require.NoError(t, err)
				list = append(list, value)
			}
			return true
		})
	}
	require.NotEmpty(t, list)
	return list
}

// The topic json tells of every kind of finding that only bundles have.
func TestKindsOfBundlesAreTold(t *testing.T) {
	text, err := os.ReadFile("topics/json.md")
	require.NoError(t, err)
	source, err := os.ReadFile("../bundle/verify.go")
	require.NoError(t, err)
	kinds := regexp.MustCompile(`closure\.Kind = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	require.Greater(t, len(kinds), 10)
	for _, k := range kinds {
		require.Regexp(t, "(?m)^- .*`"+k[1]+"`", string(text))
	}
}

// TestSchemasRefuse: of real answers, no field can be renamed, become null or of another type, and none that is
// required can go.
func TestSchemasRefuse(t *testing.T) {
	demo := []string{"--root", "../testdata/demo"}
	conflict, fixed := "/sensor-conflict/bin/sensor", "/sensor-fixed/bin/sensor"
	made := filepath.Join(t.TempDir(), "sensor.tar")
	for _, args := range [][]string{
		{"conflicts", conflict}, {"ldd", fixed, "--open", "libtflite.so.2"}, {"bindings", fixed, "--symbol", "printf"}, {"why", conflict, "libprotobuf-c.so.1"},
		{"size", fixed}, {"inspect", fixed}, {"bundle", "-q", "-o", made, fixed, "--allow-conflicts"}, {"bundle", "--dry-run", conflict, "--allow-conflicts"},
		{"verify", made}, {"targets"},
	} {
		t.Run(strings.Join(args[:1], " "), func(t *testing.T) {
			stdout, stderr, _ := run(append(append(args, "--json"), demo...)...)
			var head struct{ Schema string }
			require.NoError(t, json.Unmarshal([]byte(stdout), &head), stderr)
			name, _, _ := strings.Cut(strings.TrimPrefix(head.Schema, "nixbundle."), "/")
			s, err := compiled(name)
			require.NoError(t, err)
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(stdout)))
			require.NoError(t, err)
			spoiled := 0
			spoil(doc, func(what string) {
				spoiled++
				require.Error(t, s.Validate(doc), what)
			})
			require.NoError(t, s.Validate(doc))
			require.Greater(t, spoiled, 10)
		})
	}
}

// spoil changes every field of doc, one at a time, and calls check; doc is as it was behind it.
func spoil(doc any, check func(what string)) {
	switch doc := doc.(type) {
	case []any:
		for i := range doc[:min(len(doc), 4)] {
			spoil(doc[i], check)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(doc)) {
			value := doc[key]
			for _, other := range []any{nil, map[string]any{"x": true}, []any{[]any{true}}, 0.5} {
				doc[key] = other
				check(fmt.Sprintf("%s is %v", key, other))
			}
			delete(doc, key)
			doc[key+"2"] = value
			check(key + " has another name")
			delete(doc, key+"2")
			doc[key] = value
			spoil(value, check)
		}
	}
}

func readJSON[T any](t *testing.T, file string) (v T) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &v))
	return v
}

// A schema or a verb that no test answers by is found.
func TestSumUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "validated")
	var lines strings.Builder
	for verb, names := range schemasOf {
		for _, name := range names {
			fmt.Fprintf(&lines, "%s\t%s\n", name, verb)
		}
	}
	whole := lines.String() + "accept\tconflicts\nsarif\tconflicts\n"
	require.NoError(t, os.WriteFile(file, []byte(whole), 0o644))
	summary, err := sumUp(file)
	require.NoError(t, err)
	require.Contains(t, summary, "schema ldd             2 answers validated\n")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(strings.ReplaceAll(whole, "learn\tlearn\n", ""), "ldd\ttree\n", "")), 0o644))
	_, err = sumUp(file)
	require.ErrorContains(t, err, "no test has an answer by the schema learn")
	require.ErrorContains(t, err, "no test has an answer of tree --json")
	_, err = sumUp(file + "2")
	require.Error(t, err)
}
