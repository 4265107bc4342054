package bundle

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/nixbundle/nixbundle/closure"
)

// provePrefix walks the tree as it will be at the prefix, by the rules of the loader that is in it, and compares
// as [Plan.Prove] does. Wrappers are read again there, too.
func (p *Plan) provePrefix() error {
	tree := newPlannedFS()
	for _, e := range p.Entries {
		tree.add(path.Join(path.Dir(p.prefix.dir), e.Path), e)
	}
	if tree.err != nil {
		return tree.err
	}
	storeDir := path.Join(p.prefix.dir, storeFolder)
	for _, m := range p.closure.LinkMaps {
		if m.Program().Object.Info.LoaderPath() == "" {
			continue
		}
		opts := closure.Options{StoreDir: storeDir}
		for _, o := range m.Opened {
			at := o.Opened
			at.Program, at.By, at.Name = "", p.prefix.absolute(o.Need.From.Path), p.prefix.absolute(o.Name)
			opts.Opened = append(opts.Opened, at)
		}
		c, err := closure.Walk(tree, []string{p.prefix.absolute(m.Asked)}, opts)
		if err != nil {
			return fmt.Errorf("%s: the bundle cannot be walked: %w", m.Asked, err)
		}
		s := &start{linkMap: m, asked: m.Asked, strategy: StrategyPath}
		if err := p.compare(s, c.LinkMaps[0]); err != nil {
			return err
		}
		if err := p.compareBindings(s, c.LinkMaps[0]); err != nil {
			return err
		}
	}
	return nil
}

// sortedKeys are the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
