package closure

import (
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure/wrapper"
)

// PluginRule says where a known library has its plugins and data, and how it is told that they are
// somewhere else. [PluginRules] has all.
type PluginRule struct {
	Name    string   // "qt6-plugins"
	What    string   // what they are: "plugins of Qt 6"
	Sonames []string // the library that has them: patterns of its soname (path.Match)
	Imports []string // it has them only where an object of the process refers to one of these functions
	// Dirs are where they are, below the store path of the library or another one whose path stands in
	// its text: patterns (path.Match, by component) of folders, or of a file.
	Dirs  []string
	Files string // pattern of the names of plugins in a folder; "" for a folder or file of data
	Deep  bool   // folders below it have plugins too
	Whole bool   // plugins need other files of the folder too, so that it is taken as it is; data always is
	// Libs are names that the library opens without a path; they are searched as any.
	Libs []string
	Vars []PluginVar

	Use    PluginUse
	Note   string // for the user
	Source string // where it is said, in the library's sources or manual
}

// PluginUse is what is done about plugins.
type PluginUse string

// What can be done about plugins.
const (
	PluginTake   PluginUse = "take"   // taken along unless told otherwise
	PluginReport PluginUse = "report" // told of, and taken along where asked for
	PluginHost   PluginUse = "host"   // drivers of the machine that runs the program: never taken, never edited
)

// PluginVar is a variable of the environment that tells a library where its plugins are.
type PluginVar struct {
	Name string
	Sep  string // between several folders; "" where it holds one
	Adds bool   // they are looked at beside what is compiled in, not instead
	// File is a file of the folder, or beside it with "../", that the variable names instead of the folder.
	File string
	// Cache says that the file has the absolute paths of the plugins in it, and must be written anew.
	Cache bool
}

// PluginMatch is a rule that matches a process, and what there is for it.
type PluginMatch struct {
	Rule    *PluginRule
	By      *Loaded  // the library, which opens the plugins
	Folders []string // where they are, paths inside the root as text
	Files   []string // the plugins, each in one of Folders; or files that stand alone
	Caches  []string // files that name plugins by absolute paths ([PluginVar.Cache])
	More    bool     // there are more than are told of
	Taken   bool     // Gather takes along what there is

	env   map[string]string // what wrappers set
	have  map[string]bool   // what is in Folders and Files
	seen  map[*node]bool    // folders that were looked into
	alone []string          // files that are in none of Folders
	own   []string          // folders, and files alone, that no variable led to
}

// There reports whether there is anything of the rule.
func (p *PluginMatch) There() bool {
	return len(p.Files) > 0 || p.Rule.Files == "" && len(p.Folders) > 0
}

// wishes are the plugins as libraries that the library opens.
func (p *PluginMatch) wishes(m *LinkMap) []Wish {
	names := slices.Clone(p.Rule.Libs)
	if p.Rule.Files != "" {
		names = append(names, p.Files...)
	}
	var wishes []Wish
	for _, name := range names {
		w := Wish{By: p.By, Holder: p.By, Names: []string{name}, Source: WishRule, Priority: PriorityRecommended,
			Rule: p.Rule.Name, What: p.Rule.What}
		if p.Rule.Use == PluginHost {
			w.Host = p.Rule.What
		} else {
			w.resolve(m)
		}
		wishes = append(wishes, w)
	}
	return wishes
}

// Changes are what the environment must be for the library to find what it has compiled in, where place
// puts each folder or file: given "/nix/store/...-openssl-3.0.13/lib/ossl-modules" it gives
// "%ROOT%/lib/ossl-modules" or the like, or "" for what is not taken along. As with the compiled-in
// folders, what a user sets comes first. A variable that wrappers set is theirs to change.
func (p *PluginMatch) Changes(place func(string) string) []wrapper.Change {
	if p.Rule.Files != "" && p.Files == nil {
		return nil // a folder without plugins
	}
	var changes []wrapper.Change
	for _, v := range p.Rule.Vars {
		var values []string
		for _, at := range p.own {
			value := place(path.Join(at, v.File))
			if value != "" && !slices.Contains(values, value) {
				values = append(values, value)
			}
		}
		_, set := p.env[v.Name]
		switch {
		case values == nil, set && !v.Adds:
		case v.Adds:
			changes = append(changes, wrapper.Change{Op: wrapper.Suffix, Name: v.Name, Value: strings.Join(values, v.Sep), Sep: v.Sep})
		case v.Sep == "":
			changes = append(changes, wrapper.Change{Op: wrapper.SetDefault, Name: v.Name, Value: values[0]})
		default:
			changes = append(changes, wrapper.Change{Op: wrapper.SetDefault, Name: v.Name, Value: strings.Join(values, v.Sep)})
		}
	}
	return changes
}
