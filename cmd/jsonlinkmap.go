package cmd

import (
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

type linkMapsJSON struct {
	answer
	LinkMaps []linkMapJSON `json:"linkMaps"`
}

type linkMapJSON struct {
	Program  string             `json:"program"`
	Interp   string             `json:"interp,omitempty"`
	Loader   closure.LoaderKind `json:"loader"`
	Loaded   []loadedJSON       `json:"loaded"`
	Preloads []needJSON         `json:"preloads"`
	Needs    []needJSON         `json:"needs"`
	Opened   []openJSON         `json:"opened"`
}

type openJSON struct {
	needJSON
	Loaded []loadedJSON `json:"loaded"` // what it brings
	Error  string       `json:"error,omitempty"`
}

type loadedJSON struct {
	Path      string `json:"path"`   // as opened
	Object    string `json:"object"` // the file, links resolved
	StorePath string `json:"storePath,omitempty"`
}

type needJSON struct {
	linkJSON
	Via   string          `json:"via,omitempty"`
	Tried []candidateJSON `json:"tried,omitempty"`
}

func newNeedJSON(n *closure.Need) needJSON {
	j := needJSON{linkJSON: newLinkJSON(n), Tried: candidatesJSON(n.Tried)}
	if n.Via != nil {
		j.Via = n.Via.Path
	}
	return j
}

func needsJSON(needs []*closure.Need) []needJSON {
	list := make([]needJSON, 0, len(needs))
	for _, n := range needs {
		list = append(list, newNeedJSON(n))
	}
	return list
}

func newLinkMapsJSON(c *closure.Closure) linkMapsJSON {
	j := linkMapsJSON{answer{schema.LDD}, make([]linkMapJSON, 0, len(c.LinkMaps))}
	for _, m := range c.LinkMaps {
		j.LinkMaps = append(j.LinkMaps, newLinkMapJSON(c, m))
	}
	return j
}

func newLinkMapJSON(c *closure.Closure, m *closure.LinkMap) linkMapJSON {
	j := linkMapJSON{
		Program: m.Asked, Interp: m.Program().Object.Interp(), Loader: m.Loader.Kind, Loaded: []loadedJSON{},
		Preloads: needsJSON(m.Preloads), Needs: needsJSON(m.Needs), Opened: []openJSON{},
	}
	for _, l := range m.Loaded {
		j.Loaded = append(j.Loaded, newLoadedJSON(c, l))
	}
	for _, o := range m.Opened {
		open := openJSON{needJSON: newNeedJSON(o.Need), Loaded: []loadedJSON{}}
		for _, l := range o.Scope {
			if l.Opened == o {
				open.Loaded = append(open.Loaded, newLoadedJSON(c, l))
			}
		}
		if o.Err != nil {
			open.Error = o.Err.Error()
		}
		j.Opened = append(j.Opened, open)
	}
	return j
}

func newLoadedJSON(c *closure.Closure, l *closure.Loaded) loadedJSON {
	return loadedJSON{l.Path, l.Object.Path, storePath(c.StoreDir, l.Object.Path)}
}
