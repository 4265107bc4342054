// Package schema holds the JSON Schemas (draft 2020-12) of what nixbundle prints with --json and of the files
// that it reads and writes, a file each.
//
// Every answer names its schema and its version in its first field, "schema". Within a version no field goes,
// changes its name or its type, or becomes required or optional; optional fields may come. testdata/schema/fields.txt
// records every field of every version, and a test holds schemas, Go structs and answers against it.
//
// The package does not validate, and it does not know how answers are made.
package schema

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// What the first field of each answer says. Those of the manifest and of the file of --accept are
// bundle.ManifestSchema and closure.AcceptanceSchema.
const (
	Bindings   = "nixbundle.bindings/v1"
	Conflicts  = "nixbundle.conflicts/v1"
	InspectELF = "nixbundle.inspect-elf/v1"
	LDD        = "nixbundle.ldd/v1" // of the verbs ldd and tree
	Learn      = "nixbundle.learn/v1"
	Plan       = "nixbundle.plan/v1"
	Size       = "nixbundle.size/v1"
	Targets    = "nixbundle.targets/v1"
	Verify     = "nixbundle.verify/v1"
	Why        = "nixbundle.why/v1"
)

//go:embed *.json
var files embed.FS

// definitions is the file of what several schemas refer to as #/$defs/NAME.
const definitions = "defs.json"

// Schema is one JSON Schema.
type Schema struct {
	Name  string // "conflicts"
	ID    string // what the first field says: "nixbundle.conflicts/v1"
	Title string // what it is of
	Text  []byte // the whole schema, which refers to no other; ends in a newline
}

// All gives the schemas in the order of their names.
func All() ([]Schema, error) {
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, err
	}
	var list []Schema
	for _, name := range names {
		if name == definitions {
			continue
		}
		s, err := Read(strings.TrimSuffix(name, ".json"))
		if err != nil {
			return nil, err
		}
		list = append(list, *s)
	}
	return list, nil
}

// Read gives the schema of that name. Where there is none the error is fs.ErrNotExist, wrapped.
func Read(name string) (*Schema, error) {
	if name+".json" == definitions || strings.ContainsAny(name, "/.") {
		return nil, fmt.Errorf("schema %q: %w", name, fs.ErrNotExist)
	}
	text, err := files.ReadFile(name + ".json")
	if err != nil {
		return nil, err
	}
	var head struct {
		Title      string
		Properties struct {
			Schema struct{ Const string }
		}
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("schema %q: %w", name, err)
	}
	whole, err := withDefinitions(string(text))
	if err != nil {
		return nil, fmt.Errorf("schema %q: %w", name, err)
	}
	return &Schema{name, head.Properties.Schema.Const, head.Title, []byte(whole)}, nil
}

// withDefinitions adds to a schema the definitions that it refers to, so that a validator needs no other file.
func withDefinitions(text string) (string, error) {
	data, err := files.ReadFile(definitions)
	if err != nil {
		return "", err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return "", err
	}
	used := referred(text)
	for i := 0; i < len(used); i++ { // used grows
		if all[used[i]] == nil {
			return "", fmt.Errorf("no definition of %q", used[i])
		}
		for _, name := range referred(string(all[used[i]])) {
			if !slices.Contains(used, name) {
				used = append(used, name)
			}
		}
	}
	if len(used) == 0 {
		return text, nil
	}
	slices.Sort(used)
	parts := make([]string, 0, len(used))
	for _, name := range used {
		parts = append(parts, fmt.Sprintf("    %q: %s", name, strings.ReplaceAll(string(all[name]), "\n", "\n  ")))
	}
	return strings.TrimSuffix(text, "\n}\n") + ",\n  \"$defs\": {\n" + strings.Join(parts, ",\n") + "\n  }\n}\n", nil
}

// referred are the names of the definitions that a text refers to, each once.
func referred(text string) []string {
	var names []string
	for _, rest := range strings.Split(text, `"#/$defs/`)[1:] {
		if name, _, _ := strings.Cut(rest, `"`); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
