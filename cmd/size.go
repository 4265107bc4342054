package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/cmd/schema"
)

// sizeFlags choose what is weighed.
type sizeFlags struct {
	by    string
	limit int // how many of what is left behind are listed
}

func (a *app) sizeCommand() *cobra.Command {
	flags := sizeFlags{}
	c := &cobra.Command{
		Use:   "size PROGRAM...",
		Short: "Print what a bundle's objects weigh, and what of Nix's closure it leaves behind",
		Long: `Print what each store path, or object, brings in bytes, and how much would go away if nothing
needed it (RETAINED): itself and everything that only it brings. --by dominator prints the same as
a tree: below each store path what only it brings.

Behind that stands what Nix's closure of the programs holds, where its database is in the root or
--references gives its records, and the store paths of which most is left behind.
` + exitHelp,
		Example: "  nixbundle size ./result/bin/sensor\n  nixbundle size --by dominator ./result/bin/sensor",
		Args:    atLeastOne,
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains([]string{"object", "store-path", "dominator"}, flags.by) {
				return usageError{fmt.Errorf("--by %s: it is object, store-path or dominator", flags.by)}
			}
			if flags.limit < 0 {
				return usageError{errors.New("--limit is less than 0")}
			}
			return a.size(args, flags)
		},
	}
	c.Flags().StringVar(&flags.by, "by", "store-path", "weigh by `WHAT`: object, store-path or dominator")
	c.Flags().IntVar(&flags.limit, "limit", 10, "print `N` store paths of those left behind")
	a.addReferences(c)
	a.addGiven(c)
	a.addJSON(c)
	return c
}

func (a *app) size(args []string, flags sizeFlags) error {
	root, c, err := a.walk(args)
	if err != nil {
		return err
	}
	refs, err := a.references(root, c)
	if err != nil {
		return err
	}
	var nix *closure.NixClosure
	if refs != nil {
		nix = c.NixClosure(refs)
	}
	if a.json {
		err = a.printJSON(newSizeJSON(root, c, nix))
	} else {
		a.printSizes(c, flags.by)
		a.printNix(root, c, nix, flags.limit)
	}
	if err == nil && c.Missing() != nil {
		err = errFindings // it is less than the programs need
	}
	return err
}

// printSizes prints the parts of a closure, and what they are together.
func (a *app) printSizes(c *closure.Closure, by string) {
	parts := c.ByStorePath()
	paths := storePaths(c, parts)
	what := "STORE PATH"
	switch {
	case by == "object":
		parts, what = c.ByObject(), "OBJECT"
	case paths == 0:
		what = "FILE"
	case paths < len(parts):
		what = "STORE PATH OR FILE"
	}
	a.printRow(inkName, "SIZE", "RETAINED", what)
	if by == "dominator" {
		closure.SortParts(parts, func(p *closure.Part) int64 { return p.Retained })
		for _, p := range parts {
			if p.Holder == nil {
				a.printHeld(p, "", "")
			}
		}
	} else {
		for _, p := range parts {
			a.printRow(inkNumber, bytesText(p.Size), bytesText(p.Retained), p.Path)
		}
	}
	fprintf(a.Stdout, "%s, %s: %s\n", count(len(c.Objects), "object", "objects"),
		count(paths, "store path", "store paths"), bytesText(totalSize(parts)))
}

// storePaths is how many parts are store paths; the others are files outside the store.
func storePaths(c *closure.Closure, parts []*closure.Part) int {
	n := 0
	for _, p := range parts {
		if _, _, ok := closure.ParseStorePath(c.StoreDir, p.Path); ok {
			n++
		}
	}
	return n
}

func (a *app) printRow(numbers ink, size, retained, path string) {
	fprintf(a.Stdout, "%s  %s\n", numbers.of(fmt.Sprintf("%12s %12s", size, retained)), path)
}

// printHeld prints a part, and below it what only it brings, with what stands in front of either.
func (a *app) printHeld(p *closure.Part, before, below string) {
	a.printRow(inkNumber, bytesText(p.Size), bytesText(p.Retained), before+p.Path)
	for i, held := range p.Held {
		line, deeper := a.branches().at(i, len(p.Held))
		a.printHeld(held, below+line, below+deeper)
	}
}

func totalSize(parts []*closure.Part) int64 {
	var sum int64
	for _, p := range parts {
		sum += p.Size
	}
	return sum
}

// printNix prints what Nix's closure holds beside that.
func (a *app) printNix(root fs.FS, c *closure.Closure, nix *closure.NixClosure, limit int) {
	if nix == nil {
		a.tell("Nix's closure is not known: it is set beside this %s", referencesHint)
		return
	}
	if len(nix.Unknown) > 0 {
		a.tell("nothing is known of %s, so Nix's closure is larger: %s", count(len(nix.Unknown), "store path", "store paths"), nix.Unknown[0])
	}
	fprintf(a.Stdout, "Nix's closure, %s: %s, of which %s stay behind\n",
		count(nix.StorePaths, "store path", "store paths"), bytesText(nix.NarSize), bytesText(nix.LeftBehind()))
	for _, l := range nix.Left[:min(limit, len(nix.Left))] {
		role := ""
		if l.Brought == 0 {
			role = behindComma(c.Role(root, l.StorePath))
		}
		a.printRow(inkNumber, bytesText(l.Left()), "of "+bytesText(l.NarSize), l.StorePath+role)
	}
	if more := len(nix.Left) - limit; more > 0 {
		fprintf(a.Stdout, "  and %d more\n", more)
	}
}

// behindComma is what a store path is, to stand behind it; "" where nothing is known.
func behindComma(r closure.Role) string {
	if text := r.String(); text != "" {
		return ", " + text
	}
	return ""
}

type sizeJSON struct {
	answer
	Bytes      int64      `json:"bytes"`
	Objects    []partJSON `json:"objects"`
	StorePaths []partJSON `json:"storePaths"`
	Nix        *nixJSON   `json:"nix,omitempty"` // none where Nix's references are not known
}

type partJSON struct {
	Path     string `json:"path"`
	Objects  int    `json:"objects"`
	Size     int64  `json:"size"`
	Retained int64  `json:"retained"`
	Holder   string `json:"holder,omitempty"`
}

type nixJSON struct {
	StorePaths int        `json:"storePaths"`
	NarSize    int64      `json:"narSize"`
	LeftBehind int64      `json:"leftBehind"`
	Left       []leftJSON `json:"left"`
	Unknown    []string   `json:"unknown"`
}

type leftJSON struct {
	StorePath string `json:"storePath"`
	NarSize   int64  `json:"narSize"`
	Brought   int64  `json:"brought"`
	roleJSON
}

type roleJSON struct {
	Role     string   `json:"role,omitempty"`
	Machines []string `json:"machines,omitempty"`
}

func newSizeJSON(root fs.FS, c *closure.Closure, nix *closure.NixClosure) sizeJSON {
	j := sizeJSON{answer: answer{schema.Size}, Objects: partsJSON(c.ByObject()), StorePaths: partsJSON(c.ByStorePath())}
	for _, o := range c.Objects {
		j.Bytes += o.Size
	}
	if nix == nil {
		return j
	}
	j.Nix = &nixJSON{nix.StorePaths, nix.NarSize, nix.LeftBehind(), []leftJSON{}, append([]string{}, nix.Unknown...)}
	for _, l := range nix.Left {
		left := leftJSON{StorePath: l.StorePath, NarSize: l.NarSize, Brought: l.Brought}
		if l.Brought == 0 {
			left.roleJSON = newRoleJSON(c.Role(root, l.StorePath))
		}
		j.Nix.Left = append(j.Nix.Left, left)
	}
	return j
}

func newRoleJSON(r closure.Role) roleJSON { return roleJSON{r.What, r.Machines} }

func partsJSON(parts []*closure.Part) []partJSON {
	list := make([]partJSON, 0, len(parts))
	for _, p := range parts {
		j := partJSON{Path: p.Path, Objects: len(p.Objects), Size: p.Size, Retained: p.Retained}
		if p.Holder != nil {
			j.Holder = p.Holder.Path
		}
		list = append(list, j)
	}
	return list
}
