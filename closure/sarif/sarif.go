package sarif

import (
	"encoding/json"
	"io"
	"net/url"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

const (
	schemaURI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	homepage  = "https://github.com/nixbundle/nixbundle"
	// base is what relative URIs are relative to, by the name that code hosts know.
	base = "%SRCROOT%"
)

// Report is what is written.
type Report struct {
	Version  string             // of nixbundle
	Findings []closure.Finding  // in the order of the results
	Accepted []closure.Accepted // behind them, as suppressed results
	// Place gives the path by which a reader finds a file of the root: one relative to the directory in which the
	// results are shown, or an absolute one. A program's should be the same in every run, so that a code host
	// knows a result again; a store path is not. Nil takes the path inside the root.
	Place func(file string) string
}

// Write writes a report on programs of c, indented, ending in a newline. Every kind of finding is a rule, whether it
// was found or not.
func Write(w io.Writer, c *closure.Closure, r Report) error {
	e := newEncoder(c, r)
	log := sarifLog{Schema: schemaURI, Version: "2.1.0", Runs: []run{{
		Tool: tool{component{Name: "nixbundle", Version: r.Version, InformationURI: homepage, Rules: e.rules()}},
		Bases: map[string]artifactLocation{base: {
			Description: &text{"the directory in which nixbundle was started"},
		}},
		Results: e.results(),
	}}}
	j := json.NewEncoder(w)
	j.SetIndent("", "  ")
	j.SetEscapeHTML(false)
	return j.Encode(log)
}

// encoder makes the results of one report.
type encoder struct {
	Report
	closure *closure.Closure
	kinds   []closure.KindInfo
	index   map[closure.Kind]int // in kinds
	seen    map[string]int       // how often a fingerprint was given
}

func newEncoder(c *closure.Closure, r Report) *encoder {
	e := &encoder{Report: r, closure: c, kinds: closure.Kinds(), index: map[closure.Kind]int{}, seen: map[string]int{}}
	for i, k := range e.kinds {
		e.index[k.Kind] = i
	}
	if e.Place == nil {
		e.Place = func(file string) string { return file }
	}
	return e
}

// rules are the kinds of findings (section 3.49).
func (e *encoder) rules() []rule {
	rules := make([]rule, 0, len(e.kinds))
	for _, k := range e.kinds {
		help := k.Help
		if help == "" {
			help = "Nothing is to be done; see `nixbundle help findings`."
		}
		rules = append(rules, rule{
			ID: string(k.Kind), Name: camel(string(k.Kind)), Short: text{k.Title}, Full: text{k.What}, Help: text{help},
			Default: defaults{k.Severity.String()}, Properties: properties{[]string{"dynamic-loading"}, problem(k.Severity)},
		})
	}
	return rules
}

// camel is a kind as the name of a rule: "SameSoname" (section 3.49.7).
func camel(kind string) string {
	var name strings.Builder
	for _, word := range strings.Split(kind, "-") {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

// problem is a severity in the words of GitHub's code scanning, which passes over the level of a rule that has none.
func problem(s closure.Severity) string {
	if s == closure.Note {
		return "recommendation"
	}
	return s.String()
}

// artifact is where a file of the root is.
func (e *encoder) artifact(file string) artifactLocation {
	at := e.Place(file)
	if strings.HasPrefix(at, "/") {
		return artifactLocation{URI: (&url.URL{Scheme: "file", Path: at}).String()}
	}
	return artifactLocation{URI: (&url.URL{Path: at}).String(), Base: base}
}

// message is a text that may hold any name: what would make a link or a placeholder of it is escaped (sections
// 3.11.5 and 3.11.6).
func message(s string) text {
	var b strings.Builder
	for _, part := range strings.SplitAfter(s, "") {
		switch part {
		case `\`, "[", "]":
			b.WriteString(`\` + part)
		case "{", "}":
			b.WriteString(part + part)
		default:
			b.WriteString(part)
		}
	}
	return text{b.String()}
}
