package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// Member is one entry as it stands in an archive or a folder, whatever the manifest says.
type Member struct {
	Path   string      // clean, and inside the bundle's folder
	Type   string      // TypeFile, TypeFolder or TypeLink
	Mode   fs.FileMode // permissions, set-id bits and the sticky bit
	Size   int64       // of a file; 0 for one that is a hard link in an archive
	Link   string      // where a symbolic link points
	SameAs string      // the path that a hard link repeats

	content io.Reader
}

const memberMode = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// EntryError says what no bundle has in an entry: a name that leads elsewhere, a type such as a
// device. The entries behind it can be read all the same.
type EntryError struct {
	Path string // as it stands there, cut to what an error can carry
	Why  string
}

func (e *EntryError) Error() string { return e.Path + ": " + e.Why }

// badName refuses a path that is not clean.
func badName(p string) error {
	return &EntryError{strconv.Quote(clip(p)), "is not a clean path inside the bundle"}
}

// Read reads a file's bytes. It is valid until the next member is asked for.
func (m *Member) Read(b []byte) (int, error) {
	if m.content == nil {
		return 0, io.EOF
	}
	n, err := m.content.Read(b)
	var system syscall.Errno
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &system) {
		err = damaged(err, false)
	}
	return n, err
}

// Entries goes through all that is there, in the order in which it is stored, in one streaming
// pass that takes no more memory for a large bundle than for a small one. It ends at the first error,
// which names the bundle: an archive that is cut short or damaged, a name that leads out of the
// bundle, a type that no bundle has; the last two are an [*EntryError]. Two passes cannot be mixed.
func (a *Archive) Entries() iter.Seq2[*Member, error] {
	return func(yield func(*Member, error) bool) {
		for m, err := range a.all() {
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

// all goes through all that is there, past entries that no bundle has: each of them is an
// *EntryError. Any other error is the end.
func (a *Archive) all() iter.Seq2[*Member, error] {
	members := a.members()
	if a.root != nil {
		members = a.walk()
	}
	return func(yield func(*Member, error) bool) {
		for m, err := range members {
			if err == nil && checkPath(a.Manifest.Name, m.Path) != nil {
				m, err = nil, badName(m.Path)
			}
			if !yield(m, err) {
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
				if err := a.checkEnd(r); err != nil {
					yield(nil, err)
				}
				return
			}
			var m *Member
			if err == nil {
				m, err = newMember(h, t)
			} else {
				err = damaged(err, first)
			}
			if m == nil && err == nil {
				continue
			}
			if more := yield(m, err); !more || err != nil && !isEntryError(err) {
				return
			}
		}
	}
}

// damaged says what is wrong with an archive in which no next header can be read.
func damaged(err error, first bool) error {
	switch {
	case errors.Is(err, errBomb):
		return err
	case first && (errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF)):
		return fmt.Errorf("%w: it does not start with a tar header", ErrNotBundle)
	}
	return fmt.Errorf("the archive is cut short or damaged: %w", err)
}

func isEntryError(err error) bool {
	var entry *EntryError
	return errors.As(err, &entry)
}

// checkEnd checks what stands behind the last member: the two blocks of zeros that end an archive (POSIX
// pax, "ustar Interchange Format"), which Go's reader can do without, and nothing else. Where zstd is around
// them its frames tell what is cut.
func (a *Archive) checkEnd(r io.Reader) error {
	if err := onlyZeros(r); err != nil || a.Format != FormatTar {
		return err
	}
	end := make([]byte, 2*tarBlock)
	_, err := a.file.ReadAt(end, max(0, a.size-int64(len(end))))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if a.size%tarBlock != 0 || len(bytes.TrimLeft(end, "\x00")) > 0 {
		return damaged(io.ErrUnexpectedEOF, false)
	}
	return nil
}

// onlyZeros refuses what stands behind the end of a tar stream, where some readers would look and
// others would not; tar itself pads with zeros.
func onlyZeros(r io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if len(bytes.TrimLeft(buf[:n], "\x00")) > 0 {
			return errors.New("there is more behind the end of the archive")
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return damaged(err, false)
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
		return nil, globalHeader(h)
	default:
		return nil, &EntryError{clip(h.Name), fmt.Sprintf("no bundle has an entry of type %q", h.Typeflag)}
	}
	if m.Path == "." && m.Type == TypeFolder {
		return nil, nil // tar -c . says so first
	}
	if h.Typeflag != tar.TypeReg && h.Size != 0 {
		return nil, &EntryError{clip(h.Name), "has a size and no content: some readers would take what follows for it"}
	}
	for key := range h.PAXRecords {
		switch {
		case strings.HasPrefix(key, "GNU.sparse."):
			return nil, &EntryError{clip(h.Name), "no bundle has sparse files"}
		case strings.HasPrefix(key, "SCHILY.xattr."), strings.HasPrefix(key, "LIBARCHIVE.xattr."), strings.HasPrefix(key, "SCHILY.acl."):
			return nil, &EntryError{clip(h.Name), "no bundle has extended attributes, such as file capabilities"}
		}
	}
	for _, p := range []string{m.Path, m.SameAs} {
		if p != "" && !cleanPath(p) || m.Path == "" {
			return nil, badName(p)
		}
	}
	return m, nil
}

// globalHeader refuses a pax header that changes the entries behind it for some readers: GNU tar
// takes names from it, Go's reader does not. A comment, as git archive writes, changes nothing.
func globalHeader(h *tar.Header) error {
	for key := range h.PAXRecords {
		if key != "comment" {
			return &EntryError{clip(h.Name), "no bundle has a global pax header that sets " + strconv.Quote(clip(key))}
		}
	}
	return nil
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
			if isEntryError(err) && yield(nil, err) {
				return nil
			}
			if err != nil {
				if !isEntryError(err) {
					yield(nil, fmt.Errorf("%s: %w", name, err))
				}
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
		return nil, &EntryError{clip(name), fmt.Sprintf("no bundle has a file of type %s", info.Mode().Type())}
	}
	return m, err
}
