package bundle

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Bounds of a manifest that is read. They hold memory, which Go's structs take many times as much
// of as JSON does.
const (
	manifestMaxSize     = 64 << 20
	manifestMaxElements = 1 << 18 // of all its lists, whatever they are
)

// ManifestError says what is wrong with a manifest.
type ManifestError struct{ Err error }

func (e *ManifestError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *ManifestError) Unwrap() error { return e.Err }

// DecodeManifest reads a manifest of at most 64 MiB and checks it: every path is clean and inside
// the bundle, entries are sorted and each there once, below folders only, types, modes and other values that are one of few are known,
// links stay inside. Its lists are never nil where it always has them. A *ManifestError says what does not hold. What it claims about the bytes of files is not
// checked.
func DecodeManifest(r io.Reader) (*Manifest, error) {
	data, err := io.ReadAll(io.LimitReader(r, manifestMaxSize+1))
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(data)
	if err != nil {
		return nil, &ManifestError{err}
	}
	return m, nil
}

func decodeManifest(data []byte) (*Manifest, error) {
	if len(data) > manifestMaxSize {
		return nil, fmt.Errorf("manifest is larger than %d bytes", manifestMaxSize)
	}
	if listElements(data) > manifestMaxElements {
		return nil, errors.New("manifest has too many entries")
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if m.Schema != ManifestSchema {
		return nil, fmt.Errorf("manifest has schema %q, and %q is what can be read", clip(m.Schema), ManifestSchema)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return &m, nil
}

// listElements counts, and not too few, what the lists of a JSON text hold: room is made for each, if it
// is no more than a null.
func listElements(data []byte) int {
	var lists []bool // of the open brackets, whether it is a list's
	n, quoted := 0, false
	for i := 0; i < len(data); i++ {
		c := data[i]
		inList := len(lists) > 0 && lists[len(lists)-1]
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[', c == ',' && inList:
			n++
		}
		if !quoted {
			lists = brackets(lists, c)
		}
	}
	return n
}

// brackets follows an opening or closing bracket.
func brackets(lists []bool, c byte) []bool {
	switch {
	case c == '[' || c == '{':
		return append(lists, c == '[')
	case (c == ']' || c == '}') && len(lists) > 0:
		return lists[:len(lists)-1]
	}
	return lists
}

// check refuses a manifest whose names could lead out of the bundle or mean two things.
func (m *Manifest) check() error {
	if err := checkName(m.Name); err != nil {
		return err
	}
	if m.Prefix != "" {
		if _, err := newPrefix(m.Prefix, defaultStoreDir); err != nil || path.Base(m.Prefix) != m.Name {
			return fmt.Errorf("%q cannot be the place of a bundle called %s", clip(m.Prefix), clip(m.Name))
		}
	}
	byPath := make(map[string]*ManifestEntry, len(m.Entries))
	for i := range m.Entries {
		e := &m.Entries[i]
		if err := checkPath(m.Name, e.Path); err != nil {
			return err
		}
		if i > 0 && m.Entries[i-1].Path >= e.Path {
			return fmt.Errorf("%s: entries are not sorted", clip(e.Path))
		}
		for dir := path.Dir(e.Path); dir != "."; dir = path.Dir(dir) {
			if above := byPath[dir]; above != nil && above.Type != TypeFolder {
				return fmt.Errorf("%s: %s is no folder", clip(e.Path), clip(dir))
			}
		}
		if err := e.check(m.Name, byPath); err != nil {
			return fmt.Errorf("%s: %w", clip(e.Path), err)
		}
		byPath[e.Path] = e
	}
	if err := m.checkPrograms(byPath); err != nil {
		return err
	}
	return m.checkValues()
}

// checkPrograms refuses programs that are not there, or twice.
func (m *Manifest) checkPrograms(byPath map[string]*ManifestEntry) error {
	seen := map[string]bool{}
	for _, p := range m.Programs {
		if seen[p.Entry] {
			return fmt.Errorf("program %s is there twice", clip(p.Entry))
		}
		seen[p.Entry] = true
		for _, name := range []string{p.Entry, p.ELF} {
			if e := byPath[name]; e == nil || e.Type == TypeFolder {
				return fmt.Errorf("program %s is no entry", clip(name))
			}
		}
	}
	return nil
}

// check checks one entry against those before it.
func (e *ManifestEntry) check(name string, before map[string]*ManifestEntry) error {
	if mode, err := strconv.ParseUint(e.Mode, 8, 32); err != nil || mode > 0o777 {
		return fmt.Errorf("mode %q is not an octal number up to 0777", clip(e.Mode))
	}
	switch e.Type {
	case TypeFolder:
		return nil
	case TypeLink:
		return checkLink(name, e.Path, e.Link)
	case TypeFile:
		return e.checkFile(before)
	}
	return fmt.Errorf("unknown type %q", clip(e.Type))
}

func (e *ManifestEntry) checkFile(before map[string]*ManifestEntry) error {
	if sum, err := hex.DecodeString(e.SHA256); err != nil || len(sum) != len(digest{}) {
		return fmt.Errorf("%q is not a SHA-256", clip(e.SHA256))
	}
	if e.Size < 0 {
		return fmt.Errorf("size is %d", e.Size)
	}
	if e.SameAs == "" {
		return nil
	}
	first := before[e.SameAs]
	if first == nil || first.Type != TypeFile || first.SHA256 != e.SHA256 || first.Size != e.Size {
		return fmt.Errorf("said to be the same as %s, which is no earlier file of the same bytes", clip(e.SameAs))
	}
	return nil
}

// checkName refuses a name that cannot be the one folder that holds a bundle.
func checkName(name string) error {
	if name == "." || strings.Contains(name, "/") || !cleanPath(name) {
		return fmt.Errorf("%q cannot be the name of a bundle: it must be one folder name", clip(name))
	}
	return nil
}

// checkPath refuses a path that is not clean or not inside the folder name.
func checkPath(name, p string) error {
	if !cleanPath(p) || p != name && !strings.HasPrefix(p, name+"/") {
		return fmt.Errorf("%q is not a clean path inside %s", clip(p), name)
	}
	return nil
}

// checkLink refuses a symbolic link at p that points out of the folder name.
func checkLink(name, p, target string) error {
	if target == "" || path.IsAbs(target) || strings.Contains(target, "\x00") {
		return fmt.Errorf("%q is not a relative link", clip(target))
	}
	return checkPath(name, path.Join(path.Dir(p), target))
}

// maxPath is what a path of Linux can have, with the NUL at its end (limits.h: PATH_MAX).
const maxPath = 4096

// cleanPath reports whether p is relative, without "..", empty parts or NUL.
func cleanPath(p string) bool {
	return len(p) < maxPath && fs.ValidPath(p) && !strings.Contains(p, "\x00")
}

// clip shortens what a hostile file says to what an error can carry.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
