package cmd

import (
	"encoding/json"

	"github.com/nixbundle/nixbundle/closure"
)

// printJSON prints v indented, ending in a newline.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// The JSON answers. Field names are the words of the help texts; a list is never null.

type findingJSON struct {
	Kind       closure.Kind `json:"kind"`
	Severity   string       `json:"severity"`
	Program    string       `json:"program"`
	Name       string       `json:"name"`
	References int          `json:"references,omitempty"`
	Users      []userJSON   `json:"users,omitempty"`
	What       string       `json:"what"`
	Advice     string       `json:"advice,omitempty"`
	Copies     []copyJSON   `json:"copies"`
}

type userJSON struct {
	Path       string `json:"path"`
	References int    `json:"references"`
	Names      string `json:"names"`
}

type copyJSON struct {
	Path      string          `json:"path"`
	StorePath string          `json:"storePath,omitempty"`
	Kept      bool            `json:"kept"`
	Chains    [][]string      `json:"chains"`
	Tried     []candidateJSON `json:"tried,omitempty"`
}

type candidateJSON struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

func findingsJSON(findings []closure.Finding) any {
	return struct {
		Findings []findingJSON `json:"findings"`
	}{findingList(findings)}
}

func findingList(findings []closure.Finding) []findingJSON {
	list := make([]findingJSON, 0, len(findings))
	for _, f := range findings {
		j := findingJSON{
			Kind: f.Kind, Severity: f.Severity.String(), Program: f.Program, Name: f.Name,
			References: f.References, What: f.What, Advice: f.Advice, Copies: []copyJSON{},
		}
		for _, u := range f.Users {
			j.Users = append(j.Users, userJSON{u.From.Path, u.References, u.Names})
		}
		for _, c := range f.Copies {
			j.Copies = append(j.Copies, copyJSON{
				Path: c.Path, StorePath: c.Store, Kept: c.Kept, Chains: chainsJSON(c.Chains), Tried: candidatesJSON(c.Tried),
			})
		}
		list = append(list, j)
	}
	return list
}

func chainsJSON(chains [][]*closure.Need) [][]string {
	list := make([][]string, 0, len(chains))
	for _, chain := range chains {
		names := []string{}
		for _, n := range chain {
			names = append(names, n.Name)
		}
		list = append(list, names)
	}
	return list
}

func candidatesJSON(candidates []closure.Candidate) []candidateJSON {
	var list []candidateJSON
	for _, c := range candidates {
		list = append(list, candidateJSON{c.Path, c.Why})
	}
	return list
}

type linkMapJSON struct {
	Program string       `json:"program"`
	Interp  string       `json:"interp,omitempty"`
	Loaded  []loadedJSON `json:"loaded"`
	Needs   []needJSON   `json:"needs"`
	Opened  []openJSON   `json:"opened"`
}

type openJSON struct {
	needJSON
	Loaded []loadedJSON `json:"loaded"` // what it brings
	Error  string       `json:"error,omitempty"`
}

type loadedJSON struct {
	Path   string `json:"path"`   // as opened
	Object string `json:"object"` // the file, links resolved
}

type needJSON struct {
	Name  string          `json:"name"`
	From  string          `json:"from"`
	To    string          `json:"to,omitempty"`
	Rule  string          `json:"rule"`
	Tried []candidateJSON `json:"tried,omitempty"`
}

func newNeedJSON(n *closure.Need) needJSON {
	j := needJSON{Name: n.Name, From: n.From.Object.Path, Rule: n.Rule.String(), Tried: candidatesJSON(n.Tried)}
	if n.To != nil {
		j.To = n.To.Path
	}
	return j
}

func linkMapsJSON(c *closure.Closure) any {
	list := make([]linkMapJSON, 0, len(c.LinkMaps))
	for _, m := range c.LinkMaps {
		j := linkMapJSON{Program: m.Asked, Interp: m.Program().Object.Interp(), Loaded: []loadedJSON{}, Needs: []needJSON{}, Opened: []openJSON{}}
		for _, l := range m.Loaded {
			j.Loaded = append(j.Loaded, loadedJSON{l.Path, l.Object.Path})
		}
		for _, n := range m.Needs {
			j.Needs = append(j.Needs, newNeedJSON(n))
		}
		for _, o := range m.Opened {
			open := openJSON{needJSON: newNeedJSON(o.Need), Loaded: []loadedJSON{}}
			for _, l := range o.Scope {
				if l.Opened == o {
					open.Loaded = append(open.Loaded, loadedJSON{l.Path, l.Object.Path})
				}
			}
			if o.Err != nil {
				open.Error = o.Err.Error()
			}
			j.Opened = append(j.Opened, open)
		}
		list = append(list, j)
	}
	return struct {
		LinkMaps []linkMapJSON `json:"linkMaps"`
	}{list}
}
