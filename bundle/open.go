package bundle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotBundle says that a file or folder holds no bundle. The errors of [Open] wrap it and say why.
var ErrNotBundle = errors.New("not a nixbundle bundle")

// Archive is a bundle that is read: an archive, or a folder that one was unpacked to.
type Archive struct {
	Manifest *Manifest // what the bundle says of itself; checked as DecodeManifest does and no further
	Format   Format

	name string
	file *os.File // nil for a folder
	size int64    // of file
	root *os.Root // the bundle's own folder; nil for an archive
}

// Open opens a bundle and reads its manifest: a .tar.zst, a .tar, the bundle's folder, or a folder
// that has one bundle in it. The format is known by the content, not by the name. Of an archive that
// nixbundle compressed only the last frames are decoded; of any other, as far as the manifest.
//
// The bundle is taken to be hostile: nothing is written, no name leads anywhere, a decoder takes at most
// 128 MiB for a window, and no more is unpacked than a bundle of that size can hold. The error names
// the file; it wraps [ErrNotBundle] where there is no bundle at all. The caller closes the Archive.
func Open(name string) (*Archive, error) {
	a := &Archive{name: name}
	err := a.open()
	if err != nil {
		_ = a.Close()
		return nil, a.about(err)
	}
	return a, nil
}

// Close closes the bundle.
func (a *Archive) Close() error {
	switch {
	case a.root != nil:
		return a.root.Close()
	case a.file != nil:
		return a.file.Close()
	}
	return nil
}

func (a *Archive) open() (err error) {
	info, err := os.Stat(a.name) // before it is opened: to open a fifo is to wait for a writer
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return a.openFolder()
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: not a regular file", ErrNotBundle)
	}
	a.size = info.Size()
	if a.file, err = os.Open(a.name); err != nil {
		return err
	}
	if a.Format, err = a.detect(); err != nil {
		return err
	}
	a.Manifest, err = a.manifest()
	return err
}

// detect tells the format by the first bytes.
func (a *Archive) detect() (Format, error) {
	head := make([]byte, tarBlock)
	n, err := a.file.ReadAt(head, 0)
	if n < len(head) && !errors.Is(err, io.EOF) {
		return "", err
	}
	const zstdMagic, skippableMagic = 0xFD2FB528, 0x184D2A50 // RFC 8878, 3.1.1 and 3.1.2
	magic := binary.LittleEndian.Uint32(head)
	switch {
	case magic == zstdMagic, magic&^0xf == skippableMagic:
		return FormatTarZst, nil
	case bytes.HasPrefix(head[257:], []byte("ustar")):
		return FormatTar, nil
	}
	return "", fmt.Errorf("%w: neither tar nor zstd", ErrNotBundle)
}

// manifest finds the manifest of an archive: at the end, where nixbundle puts it, or else by
// reading from the start.
func (a *Archive) manifest() (*Manifest, error) {
	if a.Format == FormatTarZst {
		m, err := a.manifestFromTail()
		if !errors.Is(err, errNotThere) {
			return m, err
		}
	}
	for m, err := range a.members() {
		if isEntryError(err) {
			continue // who reads the entries will meet it again
		}
		if err != nil {
			return nil, err
		}
		if name := bundleOf(m.Path); m.Path == manifestPath(name) && m.Type == TypeFile && m.SameAs == "" {
			return decodeNamed(m, name)
		}
	}
	return nil, fmt.Errorf("%w: no %s in it", ErrNotBundle, manifestFile)
}

// openFolder opens a folder that is a bundle's own, or that has exactly one such folder in it.
func (a *Archive) openFolder() (err error) {
	a.Format = FormatFolder
	found := ""
	for _, dir := range append([]string{a.name}, subfolders(a.name)...) {
		info, err := os.Lstat(filepath.Join(dir, manifestFile))
		switch {
		case err != nil || !info.Mode().IsRegular():
			continue
		case found != "":
			return fmt.Errorf("%w: %s and %s are two; name one", ErrNotBundle, found, dir)
		}
		if found = dir; found == a.name {
			break
		}
	}
	if found == "" {
		return fmt.Errorf("%w: no %s in it", ErrNotBundle, manifestFile)
	}
	if a.root, err = os.OpenRoot(found); err != nil {
		return err
	}
	f, err := a.root.Open(manifestFile)
	if err != nil {
		return err
	}
	defer f.Close()
	a.Manifest, err = DecodeManifest(f)
	return err
}

// subfolders lists the folders in dir, without links.
func subfolders(dir string) []string {
	var list []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			list = append(list, filepath.Join(dir, e.Name()))
		}
	}
	return list
}

// about names the bundle in an error.
func (a *Archive) about(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		err = named.Err
	}
	return fmt.Errorf("%s: %w", a.name, err)
}
