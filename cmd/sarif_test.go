package cmd_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	_ "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif" // holds the official schema, which officialSARIF reads
)

// checkForGitHub holds results against what code scanning wants beyond SARIF's schema, or else refuses all of them
// (docs.github.com, "SARIF support for code scanning", the properties that are marked as required).
func checkForGitHub(doc any) error {
	run := doc.(map[string]any)["runs"].([]any)[0].(map[string]any)
	for _, r := range run["results"].([]any) {
		var bad []string
		eachLocation(r, func(l map[string]any) {
			physical, _ := l["physicalLocation"].(map[string]any)
			artifact, _ := physical["artifactLocation"].(map[string]any)
			region, _ := physical["region"].(map[string]any)
			if uri, _ := artifact["uri"].(string); uri == "" || len(region) != 4 {
				bad = append(bad, fmt.Sprintf("a location without URI or region: %v", l))
			}
		})
		r := r.(map[string]any)
		if list, _ := r["locations"].([]any); len(list) == 0 {
			bad = append(bad, "no location")
		}
		if prints, _ := r["partialFingerprints"].(map[string]any); prints["primaryLocationLineHash"] == nil {
			bad = append(bad, "no fingerprint")
		}
		if len(bad) > 0 {
			return fmt.Errorf("sarif: %v: %s", r["ruleId"], strings.Join(bad, "; "))
		}
	}
	return nil
}

// eachLocation calls do for every location object in a result.
func eachLocation(v any, do func(map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			eachLocation(e, do)
		}
	case map[string]any:
		for key, e := range v {
			if list, _ := e.([]any); key == "locations" || key == "relatedLocations" {
				for _, l := range list {
					if step, ok := l.(map[string]any)["location"]; ok { // of a thread flow
						l = step
					}
					do(l.(map[string]any))
				}
			}
			eachLocation(e, do)
		}
	}
}

// officialSARIF writes the schema of SARIF 2.1.0 that OASIS publishes (errata 01). Its terms do not let us ship it, so
// it is taken from the source of a module that has it.
func officialSARIF(to string) error {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	source, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(out)), "schema.go"), nil, 0)
	if err != nil {
		return err
	}
	text := ""
	ast.Inspect(source, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && v.Names[0].Name == "schema" {
			text, err = strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		}
		return true
	})
	if text == "" || err != nil {
		return fmt.Errorf("no schema of SARIF: %w", err)
	}
	return os.WriteFile(to, []byte(text), 0o644)
}
