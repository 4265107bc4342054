package bundle

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/closure"
)

// Text is a text of a file that is replaced by another of the same length.
type Text struct {
	Off  int64 // where it stands, bytes
	From string
	To   string
}

// replaced is a file with other texts in some places.
type replaced struct {
	closure.File
	texts []Text // by Off, none over another
}

// ReadAt reads the file as the texts have it.
func (o *replaced) ReadAt(b []byte, off int64) (int, error) {
	n, err := o.File.ReadAt(b, off)
	for _, t := range o.texts {
		from, to := max(t.Off, off), min(t.Off+int64(len(t.To)), off+int64(n))
		if from < to {
			copy(b[from-off:to-off], t.To[from-t.Off:])
		}
	}
	return n, err
}

// check reports a text that is not there.
func (o *replaced) check() error {
	for _, t := range o.texts {
		b := make([]byte, len(t.From))
		if n, err := o.File.ReadAt(b, t.Off); n < len(b) && err != nil && err != io.EOF {
			return err
		}
		if string(b) != t.From || len(t.From) != len(t.To) {
			return errChanged
		}
	}
	return nil
}

// replaceOpened lets objects that open a library by its path in the store, or by one from their own folder,
// open it where it is in the bundle: dlopen expands $ORIGIN (ld.so(8), "Dynamic string tokens"), to the folder
// of who calls it, which is bin/ or lib/ as that of the object is. musl knows no tokens there; a name without a
// path is searched.
func (p *Plan) replaceOpened() {
	at, entries := p.layout.files(), map[string]*Entry{}
	for i := range p.Entries {
		entries[p.Entries[i].Path] = &p.Entries[i]
	}
	for _, m := range p.closure.LinkMaps {
		musl := m.Loader.Kind == closure.LoaderMusl
		for i := range m.Wishes {
			w := &m.Wishes[i]
			byText := w.Source == closure.WishMention || w.Source == closure.WishText
			if !byText || w.Object == nil || !strings.Contains(w.Name, "/") || strings.HasPrefix(w.Name, "/") != (w.Source == closure.WishMention) {
				continue
			}
			opener, target := at[w.By.Object.Path], at[w.Object.Path]
			if e := entries[p.in(at[w.Holder.Object.Path])]; opener != "" && target != "" && e != nil && e.Object != nil && (w.Ends || !musl) {
				p.replaceText(e, w, opener, target, musl)
			}
		}
	}
	for i := range p.Entries {
		slices.SortFunc(p.Entries[i].Texts, func(a, b Text) int { return cmp.Compare(a.Off, b.Off) })
	}
}

// replaceText replaces the text of a wish, unless another one stands in it: compilers let two strings share an end.
func (p *Plan) replaceText(e *Entry, w *closure.Wish, opener, target string, musl bool) {
	to, ok := openedText(opener, target, len(w.Name), musl)
	t := Text{Off: w.Off, From: w.Name, To: to}
	if !ok || to == w.Name || slices.Contains(e.Texts, t) {
		return
	}
	if slices.ContainsFunc(e.Texts, t.meets) {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s: %s stays as it is: another text that is replaced stands in it", e.Object.Path, w.Name))
		return
	}
	e.Texts = append(e.Texts, t)
}

// meets reports whether two texts have a byte in common.
func (t Text) meets(o Text) bool {
	return t.Off < o.Off+int64(len(o.From)) && o.Off < t.Off+int64(len(t.From))
}

// openedText is what an object at opener opens a library at target by, in exactly that many bytes.
func openedText(opener, target string, length int, musl bool) (string, bool) {
	if musl {
		name := path.Base(target)
		return name + strings.Repeat("\x00", max(0, length-len(name))), len(name) <= length
	}
	from := path.Dir(opener)
	if from == libDir {
		from = "bin" // so that it is the same from everywhere in lib/ and bin/
	}
	dir := "$ORIGIN/" + relative(from, path.Dir(target))
	fill := length - len(dir) - len("/") - len(path.Base(target))
	if fill < 0 {
		return "", false
	}
	return dir + strings.Repeat("/", 1+fill) + path.Base(target), true
}
