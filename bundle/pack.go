package bundle

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/nixbundle/nixbundle/closure"
)

// PackOptions say how a plan is written, never what; the zero value is right.
type PackOptions struct {
	Format  Format // of Pack's stream, FormatTarZst or FormatTar; Create takes it from the output's name
	Level   Level  // how hard to compress
	Workers int    // how many frames are compressed at once; below 1: one for each processor. The bytes do not depend on it
	Tool    string // recorded in the manifest as what made the bundle; "" records nothing

	// Progress is told how many of total bytes of files have been packed: at least
	// every MiB, on the goroutine that called Pack. Nil means nobody asks.
	Progress func(done, total int64)
}

// Summary is what was packed.
type Summary struct {
	Entries  int       // files, folders and links, the manifest among them
	Shared   int       // of the files, those that are a hard link to an equal one
	Saved    int64     // bytes of the shared ones
	Unpacked int64     // bytes of the tar stream, or of the files of a folder
	Packed   int64     // bytes written
	Manifest *Manifest // the record that the bundle has inside
}

// Pack writes the bundle of p to w, as a tar stream, compressed unless opts say otherwise. The same
// plan and files give the same bytes, whatever the number of workers, the machine, the user and the
// time. Memory does not grow with the bundle: it is some 100 MiB and, for each worker, 50 to 80 MiB more,
// by the level.
//
// Entries are written in the order of the plan, each file once: one that equals an earlier file is a
// hard link to it, unless [Plan.Apart] keeps them apart. The manifest comes last.
//
// On any error, or when ctx is done, w has an incomplete bundle, and nothing writes to it any more;
// errors about a source name it. What Plan.Strict refuses is a [*StrictError]. See [Create] for an output that is whole or not there.
func Pack(ctx context.Context, w io.Writer, p *Plan, opts PackOptions) (*Summary, error) {
	s, err := opts.stream(w)
	if err != nil {
		return nil, err
	}
	return pack(ctx, newTarSink(s, p.Epoch), p, opts)
}

// pack is the only writer of bundles: a list of passes over the entries, to any kind of sink.
func pack(ctx context.Context, t sink, p *Plan, opts PackOptions) (*Summary, error) {
	k := &packer{ctx: ctx, sink: t, plan: p, opts: opts, hash: sha256.New(), scanner: closure.NewScanner(p.storeDir())}
	k.residues = newResidues(p.mentions())
	defer t.abort()
	for _, pass := range []func() error{
		k.check, // beyond this point every name is safe to write
		k.measure,
		k.findTwins, // beyond this point all sizes are known
		k.writeEntries,
		k.judgeResidues,
		k.writeManifest,
		t.close,
	} {
		if err := pass(); err != nil {
			return nil, err
		}
	}
	k.sum.Unpacked, k.sum.Packed = t.written()
	return &k.sum, nil
}

// packer is one run of pack.
type packer struct {
	ctx  context.Context
	sink sink
	plan *Plan
	opts PackOptions
	hash hash.Hash
	sum  Summary

	scanner  *closure.Scanner
	residues *residues

	entries []Entry        // the plan's, and the folders of the manifest
	sizes   []int64        // of entries that are files; -1 for others
	first   []int          // the earlier entry that one repeats, or -1
	digests map[int]digest // of the files that had to be read for that
	records []ManifestEntry
	done    int64 // bytes of files packed
	total   int64
}

// check refuses a plan that does not hold together, and lays out the entries.
func (k *packer) check() error {
	k.entries = slices.Clone(k.plan.Entries)
	for dir := path.Dir(manifestPath(k.plan.Name)); dir != k.plan.Name && dir != "."; dir = path.Dir(dir) {
		if !slices.ContainsFunc(k.entries, func(e Entry) bool { return e.Path == dir }) {
			k.entries = append(k.entries, Entry{Path: dir, Mode: fs.ModeDir | 0o755})
		}
	}
	slices.SortFunc(k.entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	if err := checkName(k.plan.Name); err != nil {
		return err
	}
	for i, e := range k.entries {
		if err := checkPath(k.plan.Name, e.Path); err != nil {
			return err
		}
		if e.Path == manifestPath(k.plan.Name) || i > 0 && k.entries[i-1].Path == e.Path {
			return &CollisionError{Path: e.Path, Sources: []string{"one entry", "another"}}
		}
		if t := e.Mode.Type(); t != 0 && t != fs.ModeDir && t != fs.ModeSymlink {
			return fmt.Errorf("%s: a bundle cannot hold a file of type %s", e.Path, t)
		}
	}
	return nil
}

// measure finds the final size of every file.
func (k *packer) measure() error {
	k.sizes = make([]int64, len(k.entries))
	for i := range k.entries {
		k.sizes[i] = -1
		if !k.entries[i].Mode.IsRegular() {
			continue
		}
		if err := k.ctx.Err(); err != nil {
			return err
		}
		c, err := openContent(&k.entries[i])
		if err != nil {
			return k.about(i, err)
		}
		k.sizes[i] = c.size
		k.total += c.size
		if err := c.Close(); err != nil {
			return k.about(i, err)
		}
	}
	return nil
}

// findTwins finds the files that repeat an earlier one.
func (k *packer) findTwins() error {
	t := &twins{entries: k.entries, sizes: k.sizes, keep: k.plan.Apart, hash: k.digest}
	var err error
	k.first, k.digests, err = t.find()
	for i, j := range k.first {
		if j >= 0 {
			k.total -= k.sizes[i]
		}
	}
	return err
}

// digest reads one file for its digest alone.
func (k *packer) digest(i int) (digest, error) {
	return k.copy(i, &scratch{buf: make([]byte, chunkSize)})
}

// scratch is a sink that forgets.
type scratch struct {
	sink
	buf []byte
}

func (s *scratch) room() ([]byte, error) { return s.buf, nil }
func (s *scratch) filled(int) error      { return nil }

// writeEntries writes everything but the manifest.
func (k *packer) writeEntries() error {
	for i := range k.entries {
		if err := k.ctx.Err(); err != nil {
			return err
		}
		r := k.record(i)
		if err := k.sink.begin(header{path: r.Path, mode: k.entries[i].Mode, link: r.Link, same: r.SameAs, size: r.Size}); err != nil {
			return err
		}
		if r.Type == TypeFile && r.SameAs == "" {
			sum, err := k.copy(i, k.sink)
			if err == nil {
				err = k.scanned(i)
			}
			if err != nil {
				return err
			}
			if before, ok := k.digests[i]; ok && before != sum {
				return k.about(i, errChanged)
			}
			r.SHA256 = hex.EncodeToString(sum[:])
		}
		if err := k.sink.end(); err != nil {
			return err
		}
		k.records = append(k.records, r)
	}
	return nil
}

// copy moves one file's bytes into a sink, through the hash.
func (k *packer) copy(i int, to sink) (sum digest, err error) {
	c, err := openContent(&k.entries[i])
	if err != nil {
		return sum, k.about(i, err)
	}
	err = k.copyBytes(i, to, c)
	if e := c.Close(); err == nil && e != nil {
		err = k.about(i, e)
	}
	return digest(k.hash.Sum(nil)), err
}

func (k *packer) copyBytes(i int, to sink, c *content) error {
	if c.size != k.sizes[i] {
		return k.about(i, errChanged)
	}
	k.hash.Reset()
	for off := int64(0); off < c.size; {
		if err := k.ctx.Err(); err != nil {
			return err
		}
		room, err := to.room()
		if err != nil {
			return err
		}
		room = room[:min(int64(len(room)), c.size-off)]
		if err := c.fill(room, off); err != nil {
			return k.about(i, err)
		}
		k.hash.Write(room)
		if to == k.sink {
			if _, err := k.scanner.Write(room); err != nil {
				return k.about(i, err)
			}
		}
		if err := to.filled(len(room)); err != nil {
			return err
		}
		off += int64(len(room))
		k.progress(to, len(room))
	}
	if err := c.unchanged(); err != nil {
		return k.about(i, err)
	}
	return nil
}

// scanned notes what an entry that was written says of the store.
func (k *packer) scanned(i int) error {
	found, err := k.scanner.Finish()
	if err != nil {
		return k.about(i, err)
	}
	source := ""
	if o := k.entries[i].Object; o != nil {
		source = o.Path
	}
	k.residues.add(k.entries[i].Path, source, found)
	return nil
}

// judgeResidues refuses a bundle that must not look into the store and would. Nothing is read any more.
func (k *packer) judgeResidues() error {
	for i, j := range k.first {
		if j >= 0 {
			k.residues.repeat(k.entries[i].Path, k.entries[j].Path)
		}
	}
	if k.plan.Strict {
		return k.residues.strict()
	}
	return nil
}

// progress counts bytes that were written and not only looked at.
func (k *packer) progress(to sink, n int) {
	if to != k.sink || k.opts.Progress == nil {
		return
	}
	k.done += int64(n)
	k.opts.Progress(k.done, k.total)
}

// about names the file that an error is about, unless the error does.
func (k *packer) about(i int, err error) error {
	name := k.entries[i].source()
	if k.entries[i].Object == nil {
		name = k.entries[i].Path
	}
	var named *fs.PathError
	if errors.As(err, &named) {
		err = named.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// record is what the manifest will say of an entry; the digest of a file with bytes of its own is
// not known yet.
func (k *packer) record(i int) ManifestEntry {
	r := k.plan.Record(&k.entries[i])
	if r.Type != TypeFile {
		return r
	}
	r.Size = k.sizes[i]
	if j := k.first[i]; j >= 0 {
		r.SameAs, r.SHA256 = k.entries[j].Path, k.records[j].SHA256
		k.sum.Shared++
		k.sum.Saved += r.Size
	}
	return r
}

// errManyEntries: nobody could read the bundle's manifest.
var errManyEntries = errors.New("the bundle would have more entries, and paths of the store in them, than a manifest holds (262144): take less along")

// writeManifest writes the manifest as the last file.
func (k *packer) writeManifest() error {
	m := newManifest(k.plan, k.records, k.residues.sorted(), k.opts.Tool)
	data, err := m.encode()
	if err != nil {
		return err
	}
	if len(data) > manifestMaxSize || listElements(data) > manifestMaxElements {
		return errManyEntries
	}
	if err := k.sink.lastFile(); err != nil {
		return err
	}
	n := header{path: manifestPath(k.plan.Name), mode: 0o644, size: int64(len(data))}
	if err := k.sink.begin(n); err != nil {
		return err
	}
	if err := putBytes(k.sink, data); err != nil {
		return err
	}
	k.sum.Manifest, k.sum.Entries = m, len(k.records)+1
	return k.sink.end()
}
