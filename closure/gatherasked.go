package closure

import (
	"fmt"
	"slices"
	"strings"
)

// askedPlugins tells of rules that somebody asks for and that take nothing along.
func (g *gatherer) askedPlugins(c *Closure) {
	asked := slices.Clone(g.follow.Plugins)
	slices.Sort(asked)
	for _, name := range slices.Compact(asked) {
		at := slices.IndexFunc(pluginRules, func(r PluginRule) bool { return r.Name == name })
		if at < 0 {
			continue // not to be taken
		}
		if why := c.lacksPlugins(&pluginRules[at]); why != "" {
			g.aside("--plugins "+name, Warning, pluginRules[at].What+": "+why)
		}
	}
}

// lacksPlugins says why there is nothing of a rule in any process; "" where there is something.
func (c *Closure) lacksPlugins(rule *PluginRule) string {
	if rule.Use == PluginHost {
		return "they belong to the machine that runs the program, and are never taken along"
	}
	why := "no program loads " + strings.Join(rule.Sonames, " or ")
	if len(rule.Imports) > 0 {
		why += " and calls " + strings.Join(rule.Imports, " or ")
	}
	for _, m := range c.LinkMaps {
		for i := range m.Plugins {
			p := &m.Plugins[i]
			if p.Rule != rule {
				continue
			}
			if p.There() || m.answers(rule) {
				return ""
			}
			why = p.absence(c.StoreDir)
		}
	}
	return why
}

// answers reports whether a library that a rule knows by its name is there.
func (m *LinkMap) answers(rule *PluginRule) bool {
	return slices.ContainsFunc(m.Wishes, func(w Wish) bool { return w.Rule == rule.Name && w.Object != nil })
}

// absence says where a rule has found nothing: its folders are looked for below store paths alone.
func (p *PluginMatch) absence(storeDir string) string {
	sp, _, stored := ParseStorePath(storeDir, p.By.Object.Path)
	switch {
	case len(p.Rule.Dirs)+len(p.Rule.Libs) == 0 && len(p.Rule.Vars) > 0:
		var names []string
		for _, v := range p.Rule.Vars {
			names = append(names, v.Name)
		}
		return "none found: no wrapper sets " + strings.Join(names, " or ")
	case len(p.Rule.Dirs)+len(p.Rule.Libs) == 0:
		return "nothing is known of them that could be taken along"
	case len(p.Rule.Dirs) == 0:
		return "none found: nothing answers " + strings.Join(p.Rule.Libs, " or ")
	case !stored:
		return fmt.Sprintf("none found: they are looked for below the store path of their library, and %s is in none", p.By.Path)
	}
	return fmt.Sprintf("none found below %s: %s", sp, strings.Join(p.Rule.Dirs, " or "))
}
