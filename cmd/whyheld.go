package cmd

import (
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

// whyHeld prints who holds store paths that no need brings.
func (a *app) whyHeld(root fs.FS, c *closure.Closure, program, name string, limit int) error {
	refs, err := a.references(root, c)
	if err != nil {
		return err
	}
	mentions, err := closure.NewMentionReader(root, a.given, c.Objects).Read(c.Objects...)
	if err != nil {
		return err
	}
	by := closure.Holders{Root: root, References: refs, Mentions: mentions}
	var all []heldJSON
	for _, m := range c.LinkMaps {
		for _, h := range c.WhyHeld(m, name, by, limit) {
			all = append(all, newHeldJSON(m, h))
			if !a.json {
				printHeld(a.Stdout, c, h)
			}
		}
	}
	switch {
	case len(all) == 0:
		e := &broughtError{program: program, name: name, refs: refs != nil}
		if missing := c.MissingNeeds(); len(missing) > 0 {
			e.missing = missing[0].Name
		}
		return e
	case a.json:
		return a.printJSON(whyJSON{answer{schema.Why}, []reasonJSON{}, all})
	}
	return nil
}

// broughtError says that nothing brings what was asked for, nor holds it as far as that is known.
type broughtError struct {
	program, name string
	refs          bool   // Nix's references were asked
	missing       string // a need that nothing answers, so that no symbol is bound
}

func (e *broughtError) Error() string { return e.program + ": nothing brings " + e.name }

// Hint is what would tell more of a path.
func (e *broughtError) Hint() string {
	switch isPath := strings.Contains(e.name, "/"); {
	case e.missing != "" && !isPath:
		return "if it is a symbol: none is bound, since nothing answers the need for " + e.missing + " (nixbundle ldd " + e.program + ")"
	case e.refs || !isPath:
		return ""
	}
	return "what Nix's closure holds is known " + referencesHint
}

func printHeld(w io.Writer, c *closure.Closure, h closure.Held) {
	fprintf(w, "%s%s\n", inkName.of(h.StorePath), behindComma(h.Role))
	if h.Own {
		fmt.Fprintln(w, "  the program's own store path, and no need brings this")
	} else {
		fmt.Fprintln(w, "  no need brings it")
	}
	for _, mention := range h.Mentions {
		fprintf(w, "  %s stands in %s at %s%s\n", mention.Path, mention.Holder, fmt.Sprintf("%#x", mention.Off), mentionPlace(mention))
	}
	for _, chain := range h.Chains {
		fprintf(w, "  %s\n", referenceText(c, chain))
	}
	switch {
	case h.Least:
		fprintf(w, "  and at least %d more\n", h.More)
	case h.More > 0:
		fprintf(w, "  and %d more\n", h.More)
	}
}

// mentionPlace is where in a file a mention is, as far as it is known.
func mentionPlace(m closure.Mention) string {
	switch {
	case m.Symbol != "":
		return ", " + m.Symbol
	case m.Section != "":
		return ", " + m.Section
	}
	return ""
}

// referenceText is a chain of references for a reader.
func referenceText(c *closure.Closure, chain []closure.Reference) string {
	short := func(path string) string {
		if sp, _, ok := closure.ParseStorePath(c.StoreDir, path); ok {
			return sp.Short()
		}
		return path
	}
	text := []string{short(chain[0].From)}
	for _, r := range chain {
		kind := " [reference]"
		if r.Need {
			kind = " [reference, need]"
		}
		text = append(text, short(r.To)+kind)
	}
	return strings.Join(text, " -> ")
}

type heldJSON struct {
	Program   string `json:"program"`
	StorePath string `json:"storePath"`
	roleJSON
	Own      bool              `json:"own,omitempty"` // it is what the program is in
	Mentions []mentionJSON     `json:"mentions"`
	Chains   [][]referenceJSON `json:"chains"`
	More     uint64            `json:"more"`
	AtLeast  bool              `json:"moreIsAtLeast"`
}

type mentionJSON struct {
	Holder  string              `json:"holder"`
	Offset  int64               `json:"offset"`
	Path    string              `json:"path"`
	Kind    closure.MentionKind `json:"kind"`
	Section string              `json:"section,omitempty"`
	Symbol  string              `json:"symbol,omitempty"`
}

type referenceJSON struct {
	From string `json:"from"`
	To   string `json:"to"`
	Need bool   `json:"need"` // an object in it is needed too
}

func newHeldJSON(m *closure.LinkMap, h closure.Held) heldJSON {
	j := heldJSON{
		Program: m.Asked, StorePath: h.StorePath, roleJSON: newRoleJSON(h.Role), Own: h.Own, Mentions: []mentionJSON{},
		Chains: [][]referenceJSON{}, More: h.More, AtLeast: h.Least,
	}
	for _, mention := range h.Mentions {
		j.Mentions = append(j.Mentions, mentionJSON{mention.Holder, mention.Off, mention.Path, mention.Kind, mention.Section, mention.Symbol})
	}
	for _, chain := range h.Chains {
		links := []referenceJSON{}
		for _, r := range chain {
			links = append(links, referenceJSON{r.From, r.To, r.Need})
		}
		j.Chains = append(j.Chains, links)
	}
	return j
}
