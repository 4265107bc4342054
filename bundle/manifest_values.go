package bundle

import (
	"fmt"
	"slices"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
)

// The values of a field that has a closed set of them: the schema lists them, so one that nixbundle prints a
// manifest by holds for those that others made too.
var (
	strategies   = []Strategy{StrategyNone, StrategySystem, StrategyStub, StrategyWrapper, StrategyPath}
	changes      = []string{"interp", "loader", "rpath", "runPath", "soname", "needed", "text"}
	wrapperKinds = []wrapper.Kind{"", wrapper.Shell, wrapper.Binary, wrapper.Script}
	wrapperOps   = []wrapper.Op{wrapper.Set, wrapper.SetDefault, wrapper.Fill, wrapper.Unset, wrapper.Prefix, wrapper.Suffix}
	wrapperJoins = []wrapper.Join{wrapper.JoinText, wrapper.JoinSet, wrapper.JoinAlways}
	mentionKinds = []closure.MentionKind{
		closure.MentionLibrary, closure.MentionProgram, closure.MentionData, closure.MentionFolder,
		closure.MentionStorePath, closure.MentionSource, closure.MentionBlanked, closure.MentionAbsent,
	}
)

// checkValues refuses values that no manifest has, and makes absent lists empty ones.
func (m *Manifest) checkValues() error {
	m.Programs = append([]ManifestProgram{}, m.Programs...)
	m.Entries = append([]ManifestEntry{}, m.Entries...)
	m.Accepted = append([]ManifestFinding{}, m.Accepted...)
	for i := range m.Programs {
		if err := m.Programs[i].checkValues(); err != nil {
			return fmt.Errorf("program %s: %w", clip(m.Programs[i].Entry), err)
		}
	}
	for i := range m.Entries {
		if err := m.Entries[i].checkValues(); err != nil {
			return fmt.Errorf("%s: %w", clip(m.Entries[i].Path), err)
		}
	}
	for i := range m.Accepted {
		a := &m.Accepted[i]
		if !isKind(a.Kind) {
			return fmt.Errorf("%q is no kind of a finding", clip(a.Kind))
		}
		a.Paths = append([]string{}, a.Paths...)
	}
	for _, r := range m.Residue {
		if err := oneOf("kind of a path", r.Kind, mentionKinds); err != nil {
			return err
		}
		if r.Off < 0 || r.Count < 1 {
			return fmt.Errorf("%s: a path that is there %d times from %d on", clip(r.Entry), r.Count, r.Off)
		}
	}
	return nil
}

func (p *ManifestProgram) checkValues() error {
	if err := oneOf("strategy", p.Strategy, strategies); err != nil || p.Setup == nil {
		return err
	}
	if err := oneOf("kind of a wrapper", p.Setup.Kind, wrapperKinds); err != nil {
		return err
	}
	for _, c := range p.Setup.Env {
		if err := oneOf("change of a variable", c.Op, wrapperOps); err != nil {
			return err
		}
		if err := oneOf("join of a variable", c.Join, wrapperJoins); err != nil {
			return err
		}
	}
	return nil
}

// checkValues checks what only a file has where the entry is none, and changes.
func (e *ManifestEntry) checkValues() error {
	if e.Type != TypeFile && (e.SHA256 != "" || e.Size != 0) {
		return fmt.Errorf("a %s has no bytes", e.Type)
	}
	for _, c := range e.Edits {
		if err := oneOf("change", c.What, changes); err != nil {
			return err
		}
	}
	return nil
}

func oneOf[T ~string](what string, value T, known []T) error {
	if !slices.Contains(known, value) {
		return fmt.Errorf("unknown %s %q", what, clip(string(value)))
	}
	return nil
}

// isKind reports whether a text can be the kind of a finding; later versions may have others than this one.
func isKind(s string) bool {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && (s[i] != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}
