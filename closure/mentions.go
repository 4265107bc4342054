package closure

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/nixbundle/nixbundle/elfpatch"
)

// MentionReader finds the paths of the store that stand in files of a root, and says what they name in it.
// It is not for concurrent use.
type MentionReader struct {
	walker
	known  map[string]*Object // by path
	native *elfpatch.Info     // a file of the machine that holders which are no ELF files run on; nil for any
	store  *node              // the store directory; nil where there is none
}

// ErrChanged says that somebody writes to a file that is being read. Errors of [Gather], [Seeker] and
// [MentionReader] wrap it and name the file.
var ErrChanged = errors.New("the file was changed while it was being read")

// NewMentionReader makes a reader of files of root, of which those of a walk may be known. The machine of the
// first of them is that of holders that are no ELF files, such as scripts.
func NewMentionReader(root fs.FS, opts Options, known []*Object) *MentionReader {
	r := &MentionReader{walker: *newWalker(root, opts), known: map[string]*Object{}}
	for _, o := range known {
		if o.Info != nil && r.native == nil {
			r.native = o.Info
		}
		r.known[o.Path] = o
	}
	if n, err := r.walk(opts.storeDir()); err == nil && n.mode.IsDir() {
		r.store = n
	}
	return r
}

// Holder gives the regular file at an absolute path inside the root, links followed; its Info is nil where
// it is no sound ELF file. What is no regular file is a [*ProgramError].
func (r *MentionReader) Holder(name string) (*Object, error) {
	n, err := r.walk(name)
	if err != nil {
		return nil, r.unreachable(name, err)
	}
	if known := r.known[n.abs()]; known != nil {
		return known, nil
	}
	if o, err := r.object(n); err == nil {
		return o, nil
	}
	f, st, err := r.openFile(n)
	if err != nil {
		return nil, &ProgramError{Path: name, Why: err.Error(), Err: err}
	}
	return &Object{Path: n.abs(), Size: st.Size(), Mode: st.Mode(), Open: func() (File, error) {
		f, _, err := r.openFile(n)
		return f, err
	}}, f.Close()
}

// Read gives what the files mention, file by file and by offset. They are read on all processors, each
// once. Errors name the file.
func (r *MentionReader) Read(holders ...*Object) ([]Mention, error) {
	found := make([][]Found, len(holders))
	errs := make([]error, len(holders))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(holders)) {
		workers.Go(func() {
			s := NewScanner(r.opts.StoreDir)
			for i := next.Add(1) - 1; i < int64(len(holders)); i = next.Add(1) - 1 {
				found[i], errs[i] = s.read(holders[i])
			}
		})
	}
	workers.Wait()
	// Beyond this point no file is read for its mentions.
	var all []Mention
	for i, o := range holders {
		if errs[i] != nil {
			return nil, aboutFile(o.Path, errs[i])
		}
		mentions, err := r.mentions(o, found[i])
		if err != nil {
			return nil, err
		}
		all = append(all, mentions...)
	}
	return all, nil
}

// mentions says what the paths are that a [Scanner] has found in a file.
func (r *MentionReader) mentions(holder *Object, found []Found) ([]Mention, error) {
	if len(found) == 0 {
		return nil, nil
	}
	places, err := readPlaces(holder, found)
	if err != nil {
		return nil, aboutFile(holder.Path, err)
	}
	mentions := make([]Mention, len(found))
	for i, f := range found {
		p := places[i]
		m := Mention{
			Holder: holder.Path, Off: f.Off, Text: f.Text, Whole: f.Whole,
			Section: p.Section, Symbol: p.Symbol, Use: p.Use,
		}
		r.judge(&m, holder, p.Mapped)
		mentions[i] = m
	}
	return mentions, nil
}

// readPlaces asks an ELF file where in it the paths are; what is none, or a damaged one, does not say.
func readPlaces(holder *Object, found []Found) ([]elfpatch.Place, error) {
	nowhere := make([]elfpatch.Place, len(found))
	if holder.Info == nil {
		return nowhere, nil
	}
	f, err := holder.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	offs := make([]int64, len(found))
	for i := range found {
		offs[i] = found[i].Off
	}
	places, err := elfpatch.ReadPlaces(f, holder.Size, offs)
	var damaged *elfpatch.FormatError
	if errors.As(err, &damaged) {
		return nowhere, nil
	}
	return places, err
}

// aboutFile names the file that an error is about.
func aboutFile(name string, err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		err = named.Err
	}
	return fmt.Errorf("%s: %w", path.Clean(name), err)
}

// read scans a file.
func (s *Scanner) read(o *Object) ([]Found, error) {
	f, err := o.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := eachPiece(f, o.Size, s); err != nil {
		_, _ = s.Finish()
		return nil, err
	}
	return s.Finish()
}

// pieces is a file that has its bytes in memory, and gives them without copying them; ok is false where it
// cannot.
type pieces interface {
	writeTo(w io.Writer, size int64) (ok bool, err error)
}

// pieceSize is how much is read of a file at a time: it stays in the processor's cache.
const pieceSize = 1 << 18

// pieceRoom holds what eachPiece reads into.
var pieceRoom = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// eachPiece writes a file of size bytes to w.
func eachPiece(f File, size int64, w io.Writer) error {
	if m, mapped := f.(pieces); mapped {
		if ok, err := m.writeTo(w, size); ok || err != nil {
			return err
		}
	}
	room := pieceRoom.Get().(*[pieceSize]byte)
	defer pieceRoom.Put(room)
	for off := int64(0); off < size; {
		n, err := f.ReadAt(room[:min(pieceSize, size-off)], off)
		if n == 0 && (err == nil || err == io.EOF) {
			return ErrChanged
		}
		if n == 0 {
			return err
		}
		if _, err := w.Write(room[:n]); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}
