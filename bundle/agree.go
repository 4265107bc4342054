package bundle

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"reflect"
	"strconv"
	"strings"
	"syscall"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// verified is one entry of the manifest with what is really there.
type verified struct {
	*ManifestEntry
	mode    fs.FileMode
	seen    bool
	content *io.SectionReader // of a file
	sum     digest            // likewise
	info    *elfpatch.Info    // of an ELF file
}

// maxWrong is how many entries are told to be wrong before the rest is given up.
const maxWrong = 100

// readEntries goes through all that is there, once, and holds it against the manifest.
func (v *verifier) readEntries() error {
	v.entries = make(map[string]*verified, len(v.manifest.Entries))
	for i := range v.manifest.Entries {
		e := &v.manifest.Entries[i]
		mode, _ := strconv.ParseUint(e.Mode, 8, 32)
		have := &verified{ManifestEntry: e, mode: fs.FileMode(mode)}
		v.entries[e.Path] = have
		v.order = append(v.order, have)
		v.expect(e)
	}
	manifests := 0
	for m, err := range v.archive.all() {
		if err == nil && m.Path == manifestPath(v.manifest.Name) {
			manifests++
			err = v.readManifest(m, manifests)
		} else if err == nil {
			err = v.readEntry(m)
		}
		if err := v.refused(err); err != nil || v.unread {
			return err
		}
		v.result.Entries++
	}
	for _, e := range v.order {
		if !e.seen {
			v.broken(KindAbsent, e.Path, "%s is in the manifest and not there", e.Path)
		}
	}
	if manifests == 0 {
		v.broken(KindAbsent, manifestPath(v.manifest.Name), "the manifest is not among the entries")
	}
	return nil
}

// refused makes a finding of an error that is the bundle's; another one it returns.
func (v *verifier) refused(err error) error {
	var entry *EntryError
	var machine *spoolError
	var system syscall.Errno
	switch {
	case errors.As(err, &entry):
		v.broken(KindEntry, entry.Path, "%v", entry)
	case err == nil:
	case v.ctx.Err() != nil, errors.As(err, &machine), errors.As(err, &system):
		return err
	default:
		v.unread = true
		v.broken(KindArchive, v.archive.name, "%v", err)
	}
	if len(v.result.Findings) > maxWrong && !v.unread {
		v.unread = true
		v.broken(KindArchive, v.archive.name, "more than %d entries are wrong: the rest is not looked at", maxWrong)
	}
	return nil
}

// readManifest holds the manifest among the entries against the one that was read first, which in a
// long archive is another way to the same bytes.
func (v *verifier) readManifest(m *Member, nth int) error {
	if nth > 1 {
		v.broken(KindTwice, m.Path, "%s is there twice", m.Path)
		return nil
	}
	if m.Type != TypeFile || m.SameAs != "" || !modeAgrees(v.archive.Format, 0o644, m.Mode) {
		v.broken(KindChanged, m.Path, "the manifest is no file of mode 0644")
		return nil
	}
	again, err := DecodeManifest(m)
	var wrong *ManifestError
	switch {
	case errors.As(err, &wrong):
		v.broken(KindManifest, m.Path, "%v", err)
	case err != nil:
		return err
	case !reflect.DeepEqual(again, v.manifest):
		v.broken(KindManifest, m.Path, "the archive has two manifests: the one at its end is not the one among the entries")
	}
	return nil
}

// readEntry holds one entry against the manifest.
func (v *verifier) readEntry(m *Member) error {
	e := v.entries[m.Path]
	switch {
	case e == nil:
		v.broken(KindExtra, m.Path, "%s is not in the manifest", m.Path)
		return nil
	case e.seen:
		v.broken(KindTwice, m.Path, "%s is there twice", m.Path)
		return nil
	}
	e.seen = true
	switch {
	case m.Type != e.Type:
		v.broken(KindChanged, e.Path, "%s is a %s, and in the manifest a %s", e.Path, m.Type, e.Type)
		return nil
	case m.Link != e.Link:
		v.broken(KindChanged, e.Path, "%s points to %q, and in the manifest to %q", e.Path, clip(m.Link), e.Link)
	case m.Type != TypeLink && !modeAgrees(v.archive.Format, e.mode, m.Mode):
		v.broken(KindChanged, e.Path, "%s has mode %s, and in the manifest %s", e.Path, octal(m.Mode), e.Mode)
	}
	if m.Type != TypeFile {
		return nil
	}
	if m.SameAs != "" {
		return v.sameFile(e, m.SameAs)
	}
	return v.readFile(e, m)
}

// modeAgrees reports whether a mode is the wanted one. In a folder the umask of who unpacked it may
// have taken away what others than the owner may do.
func modeAgrees(format Format, want, got fs.FileMode) bool {
	const others = 0o077
	return got == want || format == FormatFolder && got&^want == 0 && want&^got&^others == 0
}

// octal is a mode as in the manifest, with the set-id bits that no bundle has.
func octal(m fs.FileMode) string {
	bits := uint32(m.Perm())
	for i, bit := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if m&bit != 0 {
			bits |= 0o1000 << i
		}
	}
	return fmt.Sprintf("%04o", bits)
}

// readFile reads the bytes of a file.
func (v *verifier) readFile(e *verified, m *Member) (err error) {
	if m.Size != e.Size {
		v.broken(KindChanged, e.Path, "%s has %d bytes, and in the manifest %d", e.Path, m.Size, e.Size)
		return nil
	}
	if e.content, e.sum, err = v.spool.take(m, v.step); err == nil {
		err = v.step()
	}
	if err != nil {
		return err
	}
	v.result.Bytes += e.content.Size()
	v.compareSum(e)
	return nil
}

// expect counts the bytes of an entry that has some of its own among those to read. The manifest is not
// trusted: sizes that no machine has are no size.
func (v *verifier) expect(e *ManifestEntry) {
	if e.Type == TypeFile && e.SameAs == "" && e.Size > 0 && e.Size <= math.MaxInt64-v.total {
		v.total += e.Size
	}
}

// step tells how far the reading is, around every chunk, and whether to go on.
func (v *verifier) step() error {
	if v.opts.Progress != nil {
		v.opts.Progress(min(v.spool.end, v.total), v.total)
	}
	return v.ctx.Err()
}

func (v *verifier) compareSum(e *verified) {
	if hex.EncodeToString(e.sum[:]) != strings.ToLower(e.SHA256) {
		v.broken(KindChanged, e.Path, "%s has the SHA-256 %x, and in the manifest %s", e.Path, e.sum, e.SHA256)
	}
}

// sameFile takes the bytes of a hard link from the entry that it repeats. Both must be one file in
// the manifest too: the loader takes two names of one inode for one object.
func (v *verifier) sameFile(e *verified, first string) error {
	have := v.entries[first]
	if have == nil || have.content == nil {
		v.broken(KindEntry, e.Path, "%s is a hard link to %s, which is no earlier file of the bundle", e.Path, clip(first))
		return nil
	}
	if e.inode() != have.inode() {
		v.broken(KindChanged, e.Path, "%s is a hard link to %s, and in the manifest a file of its own", e.Path, first)
	}
	e.content, e.sum = have.content, have.sum
	v.compareSum(e)
	return nil
}

// inode is the file that an entry shares its bytes with, as the manifest has it: its own path, or
// that of the first.
func (e *verified) inode() string {
	if e.SameAs != "" {
		return e.SameAs
	}
	return e.Path
}
