package closure

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// Seeker finds what the processes of a closure may open at run time. It keeps what it has read of a
// file, so that further walks of the same root read little again. The zero value is ready; it is not
// for concurrent use.
type Seeker struct {
	files map[string]*opens // by path
}

// opens is what one file says of opening others.
type opens struct {
	notes    []DlopenNote
	notesErr error
	imports  []string // functions that openers or rules for plugins know, and that it refers to
	texts    []libText
	paths    []string // paths of the store in its text; nil until they are asked for
}

// Wishes are what the objects of one process may open by their dlopen notes, and by names of libraries
// that stand in objects that open some: in the order of the process, the notes of an object first. What an
// object needs anyway is not among them, nor a text that the process has an answer for at its start. A
// wish that nothing answers is among them, with Object nil. The error is that of reading a file.
func (s *Seeker) Wishes(m *LinkMap) ([]Wish, error) {
	var wishes []Wish
	if m.process == nil {
		return nil, nil // a static program
	}
	for _, l := range m.everything() {
		o, err := s.read(l.Object)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Object.Path, err)
		}
		wishes = append(wishes, o.noteWishes(m, l)...)
		wishes = append(wishes, o.textWishes(m, l)...)
	}
	markPartial(wishes)
	return wishes, nil
}

// Mentioned are the libraries among paths of the store that stand in objects of a process: what an object
// needs, or gets by a run path, is not among them.
func (s *Seeker) Mentioned(m *LinkMap, mentions []Mention) []Wish {
	var wishes []Wish
	for _, l := range m.everything() {
		for _, at := range mentions {
			if at.Kind != MentionLibrary || at.Use != elfpatch.UseNone || at.Holder != l.Object.Path || isNeeded(l, at.Path) {
				continue
			}
			w := Wish{By: l, Holder: l, Names: []string{at.Path}, Source: WishMention, Priority: PriorityRecommended, Off: at.Off, Ends: at.Whole && at.Text == at.Path}
			if w.resolve(m); !w.There {
				wishes = append(wishes, w)
			}
		}
	}
	return wishes
}

// read reads what a file says, once.
func (s *Seeker) read(o *Object) (*opens, error) {
	if known, ok := s.files[o.Path]; ok {
		return known, nil
	}
	if s.files == nil {
		s.files = map[string]*opens{}
	}
	of := &opens{}
	of.notes, of.notesErr = DlopenNotes(o)
	if err := of.readTexts(o); err != nil {
		return nil, err
	}
	s.files[o.Path] = of
	return of, nil
}

// readTexts reads the names of libraries in an object that imports a function to open them. What a C
// library opens, [PluginRules] know.
func (of *opens) readTexts(o *Object) (err error) {
	if !o.Info.Dynamic || InLibc(o.Info) {
		return nil
	}
	if of.imports, err = importedFunctions(o); err != nil {
		return err
	}
	if of.functions() != nil {
		of.texts, err = texts(o, ".so", isLibraryText)
	}
	return err
}

// functions are the functions to open libraries that an object refers to.
func (of *opens) functions() []opener {
	var found []opener
	for _, op := range openers {
		if slices.Contains(of.imports, op.function) {
			found = append(found, op)
		}
	}
	return found
}

// importedFunctions are those that matter here and that an object refers to and does not define. An object
// whose symbols cannot be read has none: no loader would find any.
func importedFunctions(o *Object) ([]string, error) {
	f, err := o.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := elfpatch.ReadSymbols(f, o.Size)
	if err != nil {
		return nil, nil
	}
	var names []string
	for i := range symbols {
		if s := &symbols[i]; !s.Defined() && matters(s.Name) && !slices.Contains(names, s.Name) {
			names = append(names, strings.Clone(s.Name))
		}
	}
	return names, nil
}

// matters reports whether a function opens libraries or is one that a rule for plugins asks for.
func matters(function string) bool {
	return slices.ContainsFunc(openers, func(op opener) bool { return op.function == function }) ||
		slices.ContainsFunc(pluginRules, func(r PluginRule) bool { return slices.Contains(r.Imports, function) })
}

func (of *opens) noteWishes(m *LinkMap, l *Loaded) []Wish {
	var wishes []Wish
	if of.notesErr != nil {
		wishes = append(wishes, Wish{By: l, Holder: l, Source: WishNote, Priority: PriorityRecommended, Err: of.notesErr})
	}
	for _, n := range of.notes {
		w := Wish{By: l, Holder: l, Names: n.Sonames, Source: WishNote, Priority: n.Priority, Feature: n.Feature, What: n.Description}
		w.resolve(m)
		wishes = append(wishes, w)
	}
	return wishes
}

// textWishes are the names in an object's text, searched for each of those that it opens by; a name that
// a note has too is the note's.
func (of *opens) textWishes(m *LinkMap, l *Loaded) []Wish {
	var wishes []Wish
	callers := of.callers(m, l)
	for _, t := range of.texts {
		if !isNeeded(l, t.text) && !of.hasNote(t.text) && m.asks(t.text) {
			wishes = append(wishes, textWish(m, l, t, callers)...)
		}
	}
	return wishes
}

// textWish is a name searched for each caller, with one wish for each object that answers, or one where
// none does; nothing where one answers that is there at start.
func textWish(m *LinkMap, l *Loaded, t libText, callers []*Loaded) []Wish {
	var found []Wish
	for _, by := range callers {
		w := Wish{By: by, Holder: l, Names: []string{t.text}, Source: WishText, Priority: PriorityRecommended, Off: t.off, Ends: true}
		w.resolve(m)
		switch {
		case w.There:
			return nil
		case len(found) == 1 && found[0].Object == nil && w.Object != nil:
			found[0] = w
		case found == nil, w.Object != nil && !slices.ContainsFunc(found, func(o Wish) bool { return o.Object == w.Object }):
			found = append(found, w)
		}
	}
	return found
}

// callers are the objects that call dlopen for an object: itself, or those that its functions are in.
func (of *opens) callers(m *LinkMap, l *Loaded) []*Loaded {
	var callers []*Loaded
	for _, op := range of.functions() {
		by := l
		if op.home != "" {
			by = m.bySoname(op.home)
		}
		if by != nil && !slices.Contains(callers, by) {
			callers = append(callers, by)
		}
	}
	return callers
}

// bySoname is the first object of the process with a soname of a pattern.
func (m *LinkMap) bySoname(pattern string) *Loaded {
	for _, l := range m.everything() {
		if ok, _ := path.Match(pattern, l.Object.Info.Soname); ok {
			return l
		}
	}
	return nil
}

func (of *opens) hasNote(name string) bool {
	return slices.ContainsFunc(of.notes, func(n DlopenNote) bool { return slices.Contains(n.Sonames, name) })
}

// asks reports whether a text is worth a search: a name, or a path beside the object. Paths of the store
// are [Mention]s, and another absolute path is the machine's, of which only its drivers matter.
func (m *LinkMap) asks(text string) bool {
	return !strings.HasPrefix(text, "/") || hostDriver(text) != "" && !strings.HasPrefix(text, m.process.opts.storeDir()+"/")
}
