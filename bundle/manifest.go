package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
)

// ManifestSchema names what a manifest's fields mean. Fields may be added under the same name; a
// reader passes over those that it does not know.
const ManifestSchema = "nixbundle.manifest/v1"

// Manifest is the record inside a bundle, at NAME/share/nixbundle/manifest.json: what was packed,
// from where, and what was changed. It says nothing about when, where or by whom, so the same plan
// gives the same manifest.
type Manifest struct {
	Schema   string            `json:"schema"`           // ManifestSchema
	Name     string            `json:"name"`             // the bundle's folder
	Tool     string            `json:"tool,omitempty"`   // what made the bundle, where it wants to be named
	Prefix   string            `json:"prefix,omitempty"` // the folder that it must be unpacked to
	Target   *ManifestTarget   `json:"target,omitempty"` // what it was planned for, where that was named
	Programs []ManifestProgram `json:"programs"`         // in the order asked for
	Entries  []ManifestEntry   `json:"entries"`          // sorted by path; all but the manifest itself
	Accepted []ManifestFinding `json:"acceptedFindings"`
	Residue  []Residue         `json:"residue,omitempty"` // what still names the store, by entry and offset
}

// ManifestTarget is the machine that a bundle was planned for.
type ManifestTarget struct {
	Name string `json:"name,omitempty"` // "raspios-bookworm"; "" for a root, whose place says nothing elsewhere
	Arch string `json:"arch"`           // "arm64", as Debian names it
	Libc string `json:"libc"`           // its C library: "glibc 2.36"
}

// newManifestTarget is the record of a port; nil of none.
func newManifestTarget(p *Port) *ManifestTarget {
	if p == nil {
		return nil
	}
	t := &ManifestTarget{Name: p.Target, Arch: p.Arch, Libc: p.LibcText()}
	if p.find != nil {
		t.Name = ""
	}
	return t
}

// ManifestProgram is one program of a bundle, as [Program] has it.
type ManifestProgram struct {
	Entry    string           `json:"entry"` // what the user starts, the path of an entry
	ELF      string           `json:"elf"`   // the entry that holds the ELF file
	Source   string           `json:"source"`
	Strategy Strategy         `json:"strategy"`
	Reason   string           `json:"reason,omitempty"`
	Setup    *wrapper.Wrapper `json:"setup,omitempty"` // what its launcher does before it
}

// ManifestEntry is one file, folder or link.
type ManifestEntry struct {
	Path      string   `json:"path"`                // with the bundle's folder in front
	Type      string   `json:"type"`                // TypeFile, TypeFolder or TypeLink
	Mode      string   `json:"mode"`                // permissions, octal: "0755"
	Size      int64    `json:"size,omitempty"`      // of a file, as packed, bytes
	SHA256    string   `json:"sha256,omitempty"`    // of a file, as packed, in hexadecimal
	Link      string   `json:"link,omitempty"`      // where a link points, relative
	SameAs    string   `json:"sameAs,omitempty"`    // the earlier file that this one is a hard link to
	Source    string   `json:"source,omitempty"`    // the original's path; "" for a generated file
	StorePath string   `json:"storePath,omitempty"` // the store path that the original is in
	Edits     []Change `json:"edits,omitempty"`     // what was changed in it
}

// Types of entries.
const (
	TypeFile   = "file"   // a regular file
	TypeFolder = "folder" // a directory
	TypeLink   = "link"   // a symbolic link
)

// ManifestFinding is a conflict that stood in the closure and was allowed, or that refuses no bundle.
type ManifestFinding struct {
	Kind    string   `json:"kind"`
	Program string   `json:"program"`
	Name    string   `json:"name"`
	Paths   []string `json:"paths"` // the files concerned: the one that the loader keeps first
	What    string   `json:"what"`
	Kept    bool     `json:"kept,omitempty"` // it refuses no bundle, and nobody had to allow it
}

// manifestPath is where the manifest of a bundle called name is.
func manifestPath(name string) string { return path.Join(name, manifestFile) }

// manifestFile is where a manifest is inside the bundle's folder.
const manifestFile = "share/nixbundle/manifest.json"

// newManifest is the manifest of a plan whose entries were packed as records say.
func newManifest(p *Plan, records []ManifestEntry, residue []Residue, tool string) *Manifest {
	m := &Manifest{
		Schema: ManifestSchema, Name: p.Name, Tool: tool, Prefix: p.Prefix, Target: p.Target, Entries: records,
		Programs: []ManifestProgram{}, Accepted: []ManifestFinding{}, Residue: residue,
	}
	for _, q := range p.Programs {
		m.Programs = append(m.Programs, ManifestProgram(q))
	}
	for i, f := range slices.Concat(p.Accepted, p.warned) {
		paths := []string{}
		for _, c := range f.Copies {
			paths = append(paths, c.Path)
		}
		m.Accepted = append(m.Accepted, ManifestFinding{
			Kind: string(f.Kind), Program: f.Program, Name: f.Name, Paths: paths, What: f.What, Kept: i >= len(p.Accepted),
		})
	}
	return m
}

// encode is the manifest as it stands in a bundle.
func (m *Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(m)
	return b.Bytes(), err
}

// Record is what the manifest will say of an entry, less what only its bytes tell: its size, its digest, and
// the earlier file that it repeats.
func (p *Plan) Record(e *Entry) ManifestEntry {
	r := ManifestEntry{Path: e.Path, Type: TypeFile, Mode: fmt.Sprintf("%04o", e.Mode.Perm())}
	switch {
	case e.Mode.IsDir():
		r.Type = TypeFolder
		return r
	case !e.Mode.IsRegular():
		r.Type, r.Link = TypeLink, e.Link
		return r
	}
	r.Edits = e.Changes()
	if e.Object != nil {
		r.Source, r.StorePath = e.Object.Path, p.storePath(e.Object)
	}
	return r
}

// storePath is the store path that an object is in, "" outside the store.
func (p *Plan) storePath(o *closure.Object) string {
	sp, _, ok := closure.ParseStorePath(p.storeDir(), o.Path)
	if !ok {
		return ""
	}
	return path.Join(sp.Dir, sp.Digest+"-"+sp.Name)
}

// storeDir is the store that the plan's sources are in.
func (p *Plan) storeDir() string {
	if p.closure == nil {
		return defaultStoreDir
	}
	return p.closure.StoreDir
}

// mentions are what the plan's sources say of the store.
func (p *Plan) mentions() []closure.Mention {
	if p.closure == nil {
		return nil
	}
	return p.closure.Mentions
}

// defaultStoreDir is the store of a plan that was made by hand.
const defaultStoreDir = "/nix/store"
