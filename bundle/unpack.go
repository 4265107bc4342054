package bundle

import (
	"context"
	"io"
	"io/fs"
)

// Unpack writes the bundle to dir, which must not exist: the bundle's own folder appears in there. It is
// for a bundle that [Verify] has found nothing wrong with; of any other it may write a part. No
// name leads out of dir.
func (a *Archive) Unpack(ctx context.Context, dir string) error {
	t, err := newFolderSink(dir, 1)
	if err != nil {
		return err
	}
	defer t.abort()
	for m, err := range a.Entries() {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = unpack(t, m)
		}
		if err != nil {
			return err
		}
	}
	return t.close()
}

// unpack writes one entry.
func unpack(t sink, m *Member) error {
	mode := m.Mode.Perm()
	switch m.Type {
	case TypeFolder:
		mode |= fs.ModeDir
	case TypeLink:
		mode |= fs.ModeSymlink
	}
	if err := t.begin(header{path: m.Path, mode: mode, link: m.Link, same: m.SameAs, size: m.Size}); err != nil {
		return err
	}
	for m.content != nil {
		room, err := t.room()
		if err != nil {
			return err
		}
		n, err := m.Read(room)
		if err := t.filled(n); err != nil {
			return err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	return t.end()
}
