package cmd_test

import (
	"encoding"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/cmd"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

var update = flag.Bool("update", false, "record new fields of the JSON schemas, as far as their versions allow it")

const fieldsFile = "../testdata/schema/fields.txt"

// field is one line of fields.txt: a field of one version of a schema.
type field struct {
	schema string // "nixbundle.ldd/v1"
	path   string // "linkMaps[].needs[].rule"
	what   string // its type, the values that it may have, and whether it is always there
}

func (f field) String() string { return f.schema + " " + f.path + ": " + f.what }

// optional reports whether an answer may lack the field.
func (f field) optional() bool { return strings.HasSuffix(f.what, ", optional") }

// TestFieldsAreRecorded: within a version no field of a schema goes, and none changes its name, its type or whether it is
// always there; one that may be absent can come, and is recorded. testdata/schema/fields.txt is the record;
// `go test ./cmd -run TestFieldsAreRecorded -update` writes what the versions allow.
func TestFieldsAreRecorded(t *testing.T) {
	text, err := os.ReadFile(fieldsFile)
	require.NoError(t, err)
	recorded, err := parseFields(string(text))
	require.NoError(t, err)
	current := fieldsOf(t)
	require.NoError(t, allowed(recorded, current))
	if *update {
		require.NoError(t, os.WriteFile(fieldsFile, []byte(formatFields(current)), 0o644))
		return
	}
	require.Equal(t, formatFields(recorded), formatFields(current), "new fields: record them with -update")
}

func parseFields(text string) ([]field, error) {
	var list []field
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		name, rest, _ := strings.Cut(line, " ")
		path, what, ok := strings.Cut(rest, ": ")
		if !ok {
			return nil, fmt.Errorf("%s: no field: %q", fieldsFile, line)
		}
		list = append(list, field{name, path, what})
	}
	return list, nil
}

func formatFields(list []field) string {
	var b strings.Builder
	for _, f := range list {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

// allowed says what of a change of the fields the versions do not allow.
func allowed(recorded, current []field) error {
	var errs []error
	was, is := byPlace(recorded), byPlace(current)
	versions := map[string]int{} // of the schemas that there are
	for _, f := range current {
		name, version := splitVersion(f.schema)
		versions[name] = version
	}
	for _, f := range recorded {
		name, version := splitVersion(f.schema)
		now, ok := is[f.schema+" "+f.path]
		switch {
		case versions[name] > version:
		case versions[name] < version:
			errs = append(errs, fmt.Errorf("%s: the schema is gone, or older", f.schema))
		case !ok:
			errs = append(errs, fmt.Errorf("%s %s is gone or has another name: that takes a new version", f.schema, f.path))
		case now.what != f.what:
			errs = append(errs, fmt.Errorf("%s %s was %q and is %q: that takes a new version", f.schema, f.path, f.what, now.what))
		}
	}
	for _, f := range current {
		_, known := was[f.schema+" "+f.path]
		parent := f.path[:max(0, strings.LastIndex(f.path, "."))]
		_, old := was[f.schema+" "+parent]
		if parent == "" {
			_, old = was[f.schema+" schema"] // the whole
		}
		if !known && old && !f.optional() {
			errs = append(errs, fmt.Errorf("%s %s is new and always there, which older answers are not: make it optional", f.schema, f.path))
		}
	}
	return errors.Join(errs...)
}

// byPlace indexes fields by schema and path; a list's elements are their list's.
func byPlace(list []field) map[string]field {
	m := map[string]field{}
	for _, f := range list {
		m[f.schema+" "+f.path] = f
	}
	return m
}

func splitVersion(id string) (name string, version int) {
	name, v, _ := strings.Cut(id, "/v")
	version, _ = strconv.Atoi(v)
	return name, version
}

// fieldsOf lists the fields of all schemas, as they are printed.
func fieldsOf(t *testing.T) []field {
	t.Helper()
	all, err := schema.All()
	require.NoError(t, err)
	var list []field
	for _, s := range all {
		var doc map[string]any
		require.NoError(t, json.Unmarshal(s.Text, &doc))
		w := schemaWalker{t: t, id: s.ID, defs: doc}
		w.object("", w.resolve("", doc))
		list = append(list, w.list...)
	}
	return list
}

// schemaWalker lists the fields of one schema, and holds it to the house's rules.
type schemaWalker struct {
	t    *testing.T
	id   string
	defs map[string]any // the whole schema, with $defs
	list []field
}

func (w *schemaWalker) object(path string, node map[string]any) {
	require.Equal(w.t, false, node["additionalProperties"], "%s %s: additionalProperties", w.id, path)
	required := map[any]bool{}
	list, _ := node["required"].([]any)
	properties := node["properties"].(map[string]any)
	for _, name := range list {
		require.Contains(w.t, properties, name, "%s %s: required", w.id, path)
		required[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		w.field(at, properties[name].(map[string]any), required[name])
	}
}

// resolve follows a reference; what stands beside it only describes.
func (w *schemaWalker) resolve(path string, node map[string]any) map[string]any {
	for range 10 {
		require.NotEmpty(w.t, w.described(node), "%s %s has no description", w.id, path)
		ref, ok := node["$ref"].(string)
		if !ok {
			require.NoError(w.t, onlyRecorded(node), "%s %s", w.id, path)
			return node
		}
		for key := range node {
			require.Contains(w.t, []string{"$ref", "description"}, key, "%s %s: beside a $ref", w.id, path)
		}
		defs := w.defs["$defs"].(map[string]any)
		node, ok = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		require.True(w.t, ok, "%s %s: %s", w.id, path, ref)
	}
	w.t.Fatalf("%s %s: references without end", w.id, path)
	return nil
}

// onlyRecorded refuses in a schema what the record of fields would not show: a keyword that narrows and is not
// written down, such as minItems, or a type that is not one.
func onlyRecorded(node map[string]any) error {
	_, isConst := node["const"]
	known := []string{"description", "type", "const", "enum", "pattern", "minimum", "minLength"}
	switch typ, _ := node["type"].(string); {
	case typ == "object":
		known = []string{"description", "type", "properties", "required", "additionalProperties", "$schema", "$id", "$defs", "title"}
	case typ == "array":
		known = []string{"description", "type", "items"}
	case !isConst && !slices.Contains([]string{"string", "integer", "boolean"}, typ):
		return fmt.Errorf("type %v", node["type"])
	}
	for key := range node {
		if !slices.Contains(known, key) {
			return fmt.Errorf("%q is not recorded", key)
		}
	}
	return nil
}

func (w *schemaWalker) described(node map[string]any) any {
	if node["$ref"] != nil {
		return node["$ref"]
	}
	return node["description"]
}

func (w *schemaWalker) field(path string, node map[string]any, required bool) {
	node = w.resolve(path, node)
	depth := ""
	for node["type"] == "array" {
		depth += "array of "
		path += "[]"
		items := node["items"].(map[string]any)
		if items["$ref"] == nil && items["description"] == nil { // its list's does
			items["description"] = node["description"]
		}
		node = w.resolve(path, items)
	}
	what := fmt.Sprintf("%v", node["type"])
	if c, ok := node["const"]; ok {
		what = fmt.Sprintf("%q", c)
	}
	if enum, ok := node["enum"].([]any); ok {
		var values []string
		for _, v := range enum {
			values = append(values, fmt.Sprintf("%q", v))
		}
		what += " (" + strings.Join(values, " ") + ")"
	}
	for _, key := range []string{"pattern", "minimum", "minLength"} {
		if v, ok := node[key]; ok {
			what += fmt.Sprintf(", %s %v", key, v)
		}
	}
	if !required {
		what += ", optional"
	}
	w.list = append(w.list, field{w.id, strings.ReplaceAll(path, "[]", ""), depth + what})
	if node["type"] == "object" {
		w.object(strings.ReplaceAll(path, "[]", ""), node)
	}
}

// TestOnlyRecorded: what narrows an answer and is in no line of the record is refused.
func TestOnlyRecorded(t *testing.T) {
	for text, want := range map[string]string{
		`{"description": "x", "type": "string", "pattern": "a"}`:                 "",
		`{"description": "x", "const": "a"}`:                                     "",
		`{"description": "x", "type": "array", "items": {}}`:                     "",
		`{"description": "x", "type": "array", "items": {}, "minItems": 1}`:      `"minItems" is not recorded`,
		`{"description": "x", "type": "integer", "maximum": 1}`:                  `"maximum" is not recorded`,
		`{"description": "x", "type": "string", "format": "uri"}`:                `"format" is not recorded`,
		`{"description": "x", "type": "object", "allOf": []}`:                    `"allOf" is not recorded`,
		`{"description": "x", "type": ["object", "null"], "properties": {}}`:     "type [object null]",
		`{"description": "x", "properties": {}}`:                                 "type <nil>",
		`{"description": "x", "type": "object", "dependentRequired": {"a": []}}`: `"dependentRequired" is not recorded`,
	} {
		var node map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &node))
		if err := onlyRecorded(node); want == "" {
			require.NoError(t, err, text)
		} else {
			require.EqualError(t, err, want, text)
		}
	}
}

// TestWhatVersionsAllow: the record of fields is a check that can fail.
func TestWhatVersionsAllow(t *testing.T) {
	recorded := []field{{"n.a/v1", "schema", `"n.a/v1"`}, {"n.a/v1", "list", "array of object"}, {"n.a/v1", "list.x", "string"}, {"n.a/v1", "list.y", "integer, optional"}}
	change := func(f func([]field) []field) error { return allowed(recorded, f(slices.Clone(recorded))) }
	for _, test := range []struct {
		name string
		edit func([]field) []field
		err  string
	}{
		{"the same", func(l []field) []field { return l }, ""},
		{"removed", func(l []field) []field { return l[:3] }, "list.y is gone"},
		{"renamed", func(l []field) []field { l[2].path = "list.z"; return l }, "list.x is gone"},
		{"retyped", func(l []field) []field { l[2].what = "integer"; return l }, `was "string" and is "integer"`},
		{"becomes optional", func(l []field) []field { l[2].what += ", optional"; return l }, "list.x was"},
		{"becomes required", func(l []field) []field { l[3].what = "integer"; return l }, "list.y was"},
		{"optional field", func(l []field) []field { return append(l, field{"n.a/v1", "list.z", "string, optional"}) }, ""},
		{"required field", func(l []field) []field { return append(l, field{"n.a/v1", "list.z", "string"}) }, "list.z is new and always there"},
		{"required at the top", func(l []field) []field { return append(l, field{"n.a/v1", "z", "string"}) }, "z is new and always there"},
		{"required in what is new", func(l []field) []field {
			return append(l, field{"n.a/v1", "o", "object, optional"}, field{"n.a/v1", "o.z", "string"})
		}, ""},
		{"new version", func([]field) []field { return []field{{"n.a/v2", "schema", `"n.a/v2"`}} }, ""},
		{"version back", func([]field) []field { return []field{{"n.a/v0", "schema", `"n.a/v0"`}} }, "is gone, or older"},
		{"schema gone", func([]field) []field { return nil }, "is gone, or older"},
		{"new schema", func(l []field) []field { return append(l, field{"n.b/v1", "schema", `"n.b/v1"`}) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := change(test.edit)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
		})
	}
}

// TestAnswersAreTheirSchemas: the fields of the Go types are those of the schemas, with their types and with whether
// they are always there. The file of --accept is closure's own; its fields are held by what the tests validate.
func TestAnswersAreTheirSchemas(t *testing.T) {
	want := map[string]string{}
	for _, f := range fieldsOf(t) {
		if name := strings.TrimPrefix(strings.Split(f.schema, "/")[0], "nixbundle."); name != "accept" {
			want[name+" "+f.path] = coarse(f.what)
		}
	}
	got := map[string]string{}
	for name, typ := range cmd.Answers {
		goFields(got, name, "", typ)
	}
	require.Equal(t, want, got)
}

// coarse is a field of a schema as far as a Go type tells it.
func coarse(what string) string {
	optional := strings.HasSuffix(what, ", optional")
	if strings.HasPrefix(what, `"`) {
		what = "string"
	}
	what, _, _ = strings.Cut(what, " (")
	what, _, _ = strings.Cut(what, ",")
	if optional {
		what += ", optional"
	}
	return what
}

// goFields lists the fields of a struct as encoding/json writes them.
func goFields(into map[string]string, name, path string, typ reflect.Type) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Anonymous {
			goFields(into, name, path, f.Type)
			continue
		}
		key, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key == "-" {
			continue
		}
		at := strings.TrimPrefix(path+"."+key, ".")
		what, elem := goType(f.Type)
		if opts == "omitempty" {
			what += ", optional"
		}
		into[name+" "+at] = what
		if elem.Kind() == reflect.Struct {
			goFields(into, name, at, elem)
		}
	}
}

func goType(typ reflect.Type) (what string, elem reflect.Type) {
	switch {
	case typ.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return "string", typ
	case typ.Kind() == reflect.Pointer:
		return goType(typ.Elem())
	case typ.Kind() == reflect.Slice:
		what, elem = goType(typ.Elem())
		return "array of " + what, elem
	case typ.Kind() == reflect.Struct:
		return "object", typ
	case typ.Kind() == reflect.String:
		return "string", typ
	case typ.Kind() == reflect.Bool:
		return "boolean", typ
	}
	return "integer", typ
}
