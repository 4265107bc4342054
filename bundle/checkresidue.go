package bundle

import (
	"io"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// checkResidue holds what the files say of the store against what the manifest records of it: nothing may still
// lead there that was not told.
func (v *verifier) checkResidue() error {
	recorded := map[string][]string{}
	for _, r := range v.manifest.Residue {
		recorded[r.Entry] = append(recorded[r.Entry], r.Path)
	}
	scanner := closure.NewScanner(defaultStoreDir)
	for _, e := range v.order {
		if e.content == nil {
			continue
		}
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if _, err := io.Copy(scanner, io.NewSectionReader(e.content, 0, e.content.Size())); err != nil {
			return err
		}
		found, err := scanner.Finish()
		if err != nil {
			return err
		}
		for _, f := range found {
			if !hasPrefixOf(f.Text, recorded[e.Path]) {
				v.broken(KindManifest, e.Path, "%s names %s, and the manifest does not record it", e.Path, clip(f.Text))
				break
			}
		}
	}
	return nil
}

// hasPrefixOf reports whether a text begins with one of some paths.
func hasPrefixOf(text string, paths []string) bool {
	for _, p := range paths {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}
