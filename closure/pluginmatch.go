package closure

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

const (
	maxPlugins     = 4096 // files of one match
	maxPluginDepth = 8    // folders below a folder of plugins
	maxPluginDirs  = 4096 // folders looked at for one match
)

// Plugins are the rules that match a process, in the order of [PluginRules], each with what of it there is
// in the root of the walk; a rule matches without that too. env has the variables that wrappers set, which
// may name folders in other store paths.
func (s *Seeker) Plugins(root fs.FS, m *LinkMap, env map[string]string) ([]PluginMatch, error) {
	if m.process == nil {
		return nil, nil
	}
	f := &pluginFinder{tree: newTree(root), m: m, env: env, storeDir: m.process.opts.storeDir()}
	var matches []PluginMatch
	for i := range pluginRules {
		rule := &pluginRules[i]
		by := f.trigger(rule)
		if by == nil {
			continue
		}
		if ok, err := s.imported(m, rule.Imports); err != nil || !ok {
			if err != nil {
				return nil, err
			}
			continue
		}
		p, err := f.match(s, rule, by)
		if err != nil {
			return nil, err
		}
		matches = append(matches, *p)
	}
	return matches, nil
}

// PluginRules are the plugin layouts that are known, by topic.
func PluginRules() []PluginRule { return slices.Clone(pluginRules) }

// pluginFinder finds the plugins of one process.
type pluginFinder struct {
	*tree
	m        *LinkMap
	env      map[string]string
	storeDir string
}

// trigger is the library that a rule is about.
func (f *pluginFinder) trigger(rule *PluginRule) *Loaded {
	for _, pattern := range rule.Sonames {
		if l := f.m.bySoname(pattern); l != nil {
			return l
		}
	}
	return nil
}

// imported reports whether an object of the process that is no C library refers to one of some functions.
func (s *Seeker) imported(m *LinkMap, functions []string) (bool, error) {
	if functions == nil {
		return true, nil
	}
	for _, l := range m.everything() {
		if InLibc(l.Object.Info) {
			continue
		}
		of, err := s.read(l.Object)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(functions, func(name string) bool { return slices.Contains(of.imports, name) }) {
			return true, nil
		}
	}
	return false, nil
}

// match looks for the plugins: below the library's own store path, below store paths that its text
// names, and in the folders of variables.
func (f *pluginFinder) match(s *Seeker, rule *PluginRule, by *Loaded) (*PluginMatch, error) {
	p := &PluginMatch{Rule: rule, By: by, env: f.env, have: map[string]bool{}, seen: map[*node]bool{}}
	for _, object := range []string{by.Object.Path, by.Path} {
		if sp, _, ok := ParseStorePath(f.storeDir, object); ok {
			for _, dir := range rule.Dirs {
				f.add(p, f.glob(sp.String(), dir))
			}
		}
	}
	if len(rule.Dirs) > 0 {
		paths, err := s.storeTexts(by.Object, f.storeDir)
		if err != nil {
			return nil, err
		}
		for _, text := range paths {
			f.add(p, f.named(rule, text))
		}
	}
	p.own = slices.Concat(p.Folders, p.alone)
	for _, v := range rule.Vars {
		for _, dir := range splitVar(f.env[v.Name], v.Sep) {
			if v.File == "" && strings.HasPrefix(dir, "/") {
				f.add(p, []string{path.Clean(dir)})
			}
		}
	}
	return p, nil
}

func splitVar(value, sep string) []string {
	if sep == "" {
		return []string{value}
	}
	return strings.Split(value, sep)
}

// named is what of a store path in a text is a place of a rule: the path, or as much of it as is one.
func (f *pluginFinder) named(rule *PluginRule, text string) []string {
	sp, rest, ok := ParseStorePath(f.storeDir, text)
	if !ok {
		return nil
	}
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	for _, dir := range rule.Dirs {
		n := strings.Count(dir, "/") + 1
		if n > len(parts) {
			continue
		}
		if ok, _ := path.Match(dir, strings.Join(parts[:n], "/")); ok {
			return f.glob(sp.String(), strings.Join(parts[:n], "/"))
		}
	}
	return nil
}

// glob is what there is of a pattern below a folder, sorted.
func (f *pluginFinder) glob(base, pattern string) []string {
	found := []string{base}
	for part := range strings.SplitSeq(pattern, "/") {
		var next []string
		for _, dir := range found {
			if !strings.ContainsAny(part, "*?[") {
				next = append(next, dir+"/"+part)
				continue
			}
			for _, e := range f.entries(dir) {
				if ok, _ := path.Match(part, e.Name()); ok {
					next = append(next, dir+"/"+e.Name())
				}
			}
		}
		found = next[:min(len(next), maxPlugins)]
	}
	return slices.DeleteFunc(found, func(p string) bool { _, err := f.walk(p); return err != nil })
}

// entries lists a folder in the order of its names; nothing for one that cannot be.
func (f *pluginFinder) entries(dir string) []fs.DirEntry {
	n, err := f.walk(dir)
	if err != nil || !n.mode.IsDir() {
		return nil
	}
	entries, err := fs.ReadDir(f.fsys, n.path)
	if err != nil {
		return nil
	}
	return entries
}

// add adds folders with their plugins, and files, to a match.
func (f *pluginFinder) add(p *PluginMatch, paths []string) {
	for _, at := range paths {
		n, err := f.walk(at)
		switch {
		case err != nil || p.have[at]:
		case n.mode.IsRegular():
			p.have[at] = true
			p.Files, p.alone = append(p.Files, at), append(p.alone, at)
		case n.mode.IsDir():
			p.have[at] = true
			p.Folders = append(p.Folders, at)
			dirs := 0
			f.plugins(p, at, 0, &dirs)
			f.caches(p, at)
		}
	}
}

// plugins adds the plugins of a folder.
func (f *pluginFinder) plugins(p *PluginMatch, dir string, depth int, dirs *int) {
	n, err := f.walk(dir)
	if err != nil || p.Rule.Files == "" || p.seen[n] { // a link may lead back
		return
	}
	p.seen[n] = true
	if *dirs++; *dirs > maxPluginDirs {
		p.More = true
		return
	}
	for _, e := range f.entries(dir) {
		at := dir + "/" + e.Name()
		n, err := f.walk(at)
		if err != nil {
			continue
		}
		ok, _ := path.Match(p.Rule.Files, e.Name())
		switch {
		case n.mode.IsDir() && p.Rule.Deep && depth < maxPluginDepth:
			f.plugins(p, at, depth+1, dirs)
		case !ok || !n.mode.IsRegular() || p.have[at]:
		case len(p.Files) == maxPlugins:
			p.More = true
			return
		default:
			p.have[at] = true
			p.Files = append(p.Files, at)
		}
	}
}

// caches adds the files that name plugins by their paths.
func (f *pluginFinder) caches(p *PluginMatch, dir string) {
	for _, v := range p.Rule.Vars {
		at := path.Join(dir, v.File)
		if n, err := f.walk(at); v.Cache && err == nil && n.mode.IsRegular() && !slices.Contains(p.Caches, at) {
			p.Caches = append(p.Caches, at)
		}
	}
}

// storeTexts are the paths of the store that stand in an object, as whole strings, read once.
func (s *Seeker) storeTexts(o *Object, storeDir string) ([]string, error) {
	of, err := s.read(o)
	if err != nil {
		return nil, err
	}
	if of.paths != nil {
		return of.paths, nil
	}
	found, err := texts(o, storeDir+"/", func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	of.paths = []string{}
	for _, t := range found {
		for part := range strings.SplitSeq(t.text[strings.Index(t.text, storeDir+"/"):], ":") {
			of.paths = append(of.paths, part)
		}
	}
	return of.paths, nil
}
