package bundle

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"
)

// Member is one entry as it stands in an archive or a folder, whatever the manifest says.
type Member struct {
	Path   string      // clean, and inside the bundle's folder
	Type   string      // TypeFile, TypeFolder or TypeLink
	Mode   fs.FileMode // permissions and set-id bits
	Size   int64       // of a file; 0 for one that is a hard link in an archive
	Link   string      // where a symbolic link points
	SameAs string      // the path that a hard link repeats

	content io.Reader
}

const memberMode = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid

// Read reads a file's bytes. It is valid until the next member is asked for.
func (m *Member) Read(b []byte) (int, error) {
	if m.content == nil {
		return 0, io.EOF
	}
	return m.content.Read(b)
}

// Entries goes through all that is there, in the order in which it is stored, in one streaming
// pass that takes no more memory for a large bundle than for a small one. It ends at the first error,
// which names the bundle: an archive that is cut short or damaged, a name that leads out of the
// bundle, a type that no bundle has. Two passes cannot be mixed.
func (a *Archive) Entries() iter.Seq2[*Member, error] {
	return func(yield func(*Member, error) bool) {
		members := a.members()
		if a.root != nil {
			members = a.walk()
		}
		for m, err := range members {
			if err == nil {
				err = checkPath(a.Manifest.Name, m.Path)
			}
			if err != nil {
				yield(nil, a.about(err))
				return
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

// members goes through the tar stream of an archive.
func (a *Archive) members() iter.Seq2[*Member, error] {
	return func(yield func(*Member, error) bool) {
		var r io.Reader = io.NewSectionReader(a.file, 0, a.size)
		if a.Format == FormatTarZst {
			d, err := newDecoder(r)
			if err != nil {
				yield(nil, err)
				return
			}
			defer d.Close()
			r = &bounded{r: d, left: max(freeUnpack, maxRatio*a.size)}
		}
		for t, first := tar.NewReader(r), true; ; first = false {
			h, err := t.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			var m *Member
			switch {
			case first && (errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF)):
				err = fmt.Errorf("%w: it does not start with a tar header", ErrNotBundle)
			case err != nil && !errors.Is(err, errBomb):
				err = fmt.Errorf("the archive is cut short or damaged: %w", err)
			case err == nil:
				if m, err = newMember(h, t); m == nil && err == nil {
					continue
				}
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// newMember is a tar header as a member; nil for one that is no entry.
func newMember(h *tar.Header, r io.Reader) (*Member, error) {
	m := &Member{Path: tarPath(h.Name), Mode: h.FileInfo().Mode() & memberMode}
	switch h.Typeflag {
	case tar.TypeReg:
		m.Type, m.Size, m.content = TypeFile, h.Size, r
	case tar.TypeDir:
		m.Type = TypeFolder
	case tar.TypeSymlink:
		m.Type, m.Link = TypeLink, h.Linkname
	case tar.TypeLink:
		m.Type, m.SameAs = TypeFile, tarPath(h.Linkname)
	case tar.TypeXGlobalHeader:
		return nil, nil
	default:
		return nil, fmt.Errorf("%s: no bundle has an entry of type %q", clip(h.Name), h.Typeflag)
	}
	if m.Path == "." && m.Type == TypeFolder {
		return nil, nil // tar -c . says so first
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return nil, fmt.Errorf("%s: no bundle has sparse files", clip(h.Name))
		}
	}
	for _, p := range []string{m.Path, m.SameAs} {
		if p != "" && !cleanPath(p) || m.Path == "" {
			return nil, fmt.Errorf("%q is not a clean path", clip(p))
		}
	}
	return m, nil
}

// tarPath is a name in a tar file without what tar adds to it: "./" in front, a slash at the end
// of a folder.
func tarPath(name string) string {
	name = strings.TrimSuffix(name, "/")
	if name != "." {
		name = strings.TrimPrefix(name, "./")
	}
	return name
}

// walk goes through an unpacked bundle.
func (a *Archive) walk() iter.Seq2[*Member, error] {
	return func(yield func(*Member, error) bool) {
		_ = fs.WalkDir(a.root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
			if err != nil {
				yield(nil, err)
				return fs.SkipAll
			}
			m, err := a.found(name)
			if err != nil {
				yield(nil, fmt.Errorf("%s: %w", name, err))
				return fs.SkipAll
			}
			more := yield(m, nil)
			if c, ok := m.content.(io.Closer); ok {
				_ = c.Close()
			}
			if !more {
				return fs.SkipAll
			}
			return nil
		})
	}
}

// found is a file below the bundle's folder as a member.
func (a *Archive) found(name string) (*Member, error) {
	info, err := a.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	m := &Member{Path: path.Join(a.Manifest.Name, name), Mode: info.Mode() & memberMode}
	switch info.Mode().Type() {
	case fs.ModeDir:
		m.Type = TypeFolder
	case fs.ModeSymlink:
		m.Type = TypeLink
		m.Link, err = a.root.Readlink(name)
	case 0:
		m.Type, m.Size = TypeFile, info.Size()
		m.content, err = a.root.Open(name)
	default:
		return nil, fmt.Errorf("no bundle has a file of type %s", info.Mode().Type())
	}
	return m, err
}
