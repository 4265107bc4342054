package bundle

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// checkResidue looks through every file for paths of the store, and holds what it finds against what the
// manifest records: nothing may lead there that was not told, and nothing be told that is not there.
func (v *verifier) checkResidue() error {
	recorded := map[string][]*Residue{}
	for i := range v.manifest.Residue {
		r := &v.manifest.Residue[i]
		recorded[r.Entry] = append(recorded[r.Entry], r)
	}
	scanner := closure.NewScanner(defaultStoreDir)
	for _, e := range v.order {
		if e.content == nil {
			continue
		}
		if err := v.ctx.Err(); err != nil {
			return err
		}
		_, err := io.Copy(scanner, io.NewSectionReader(e.content, 0, e.content.Size()))
		found, many := scanner.Finish()
		switch {
		case many != nil:
			v.broken(KindManifest, e.Path, "%s cannot be held against the manifest: %v", e.Path, many)
			continue
		case err != nil:
			return err
		}
		if why := newRecord(recorded[e.Path]).disagrees(found); why != "" {
			v.broken(KindManifest, e.Path, "%s %s", e.Path, why)
		}
		v.countResidue(recorded[e.Path])
		delete(recorded, e.Path)
	}
	for _, name := range sortedKeys(recorded) {
		v.broken(KindManifest, clip(name), "the manifest records paths of the store in %s, which is no file of the bundle", clip(name))
	}
	return nil
}

// countResidue counts a file that still names the store, and whether something may look there.
func (v *verifier) countResidue(list []*Residue) {
	if len(list) > 0 {
		v.result.Naming++
	}
	if slices.ContainsFunc(list, (*Residue).Matters) {
		v.result.Looking++
	}
}

// record is what a manifest says of the store in one file, to be asked for the beginnings of texts.
type record struct {
	list  []*Residue // by path
	above []int      // of each, the longest other one that it begins with; -1 for none
}

func newRecord(list []*Residue) *record {
	r := &record{list: slices.Clone(list), above: make([]int, len(list))}
	slices.SortStableFunc(r.list, func(a, b *Residue) int { return strings.Compare(a.Path, b.Path) })
	for i := range r.list {
		at := i - 1
		for at >= 0 && !strings.HasPrefix(r.list[i].Path, r.list[at].Path) {
			at = r.above[at]
		}
		r.above[i] = at
	}
	return r
}

// begins is the longest recorded path with which a text begins; nil for none.
func (r *record) begins(text string) *Residue {
	at, ok := slices.BinarySearchFunc(r.list, text, func(r *Residue, text string) int { return strings.Compare(r.Path, text) })
	if !ok {
		at--
	}
	for at >= 0 && !strings.HasPrefix(text, r.list[at].Path) {
		at = r.above[at]
	}
	if at < 0 {
		return nil
	}
	return r.list[at]
}

// disagrees says what of it does not hold for what was found in the file; "" for nothing. How far a path goes in a
// text is for the store to say, so a path that is recorded must stand at the beginning of one, where it says, and
// all of them as often as paths are found.
func (r *record) disagrees(found []closure.Found) string {
	texts, count := map[int64]string{}, 0
	for _, f := range found {
		if r.begins(f.Text) == nil {
			return fmt.Sprintf("names %s, and the manifest does not record it", clip(f.Text))
		}
		texts[f.Off] = f.Text
	}
	for i, item := range r.list {
		twice := i > 0 && r.list[i-1].Path == item.Path
		if !strings.HasPrefix(texts[item.Off], item.Path) || len(item.Path) <= len(defaultStoreDir)+1+digestLen || twice || item.Count < 1 {
			return fmt.Sprintf("does not have %q at %d, as the manifest says", clip(item.Path), item.Off)
		}
		if count += item.Count; count > len(found) {
			break
		}
	}
	if count != len(found) {
		return fmt.Sprintf("names the store at %d places, and the manifest says otherwise", len(found))
	}
	return ""
}
