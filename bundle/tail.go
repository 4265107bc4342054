package bundle

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// What a bundle may ask of who reads it.
const (
	maxWindow   = 128 << 20 // of a frame, as zstd -d
	maxAttempts = 8         // frames that may be the manifest's first
	freeUnpack  = 1 << 30   // bytes that any archive may unpack to
	maxRatio    = 256       // and beyond that, bytes for each byte it has
)

var (
	errNotThere = errors.New("no manifest at the end")
	errBomb     = errors.New("unpacks to more than a bundle of its size can hold")
)

// newDecoder is a decoder that starts no goroutine and takes a bounded amount of memory.
func newDecoder(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
}

// manifestFromTail reads the manifest from the frames that nixbundle writes it to: the last ones, the
// first of which starts with its tar header. It returns errNotThere where the archive is not laid
// out so.
func (a *Archive) manifestFromTail() (*Manifest, error) {
	frames, err := readSeekTable(a.file, a.size)
	if err != nil {
		return nil, errNotThere
	}
	var end, raw int64
	for _, f := range frames {
		end += int64(f.packed)
	}
	off := end
	for i := len(frames) - 1; i >= max(0, len(frames)-maxAttempts); i-- {
		off -= int64(frames[i].packed)
		if raw += int64(frames[i].raw); raw > manifestMaxSize+frameSize {
			break
		}
		m, err := manifestAt(io.NewSectionReader(a.file, off, end-off))
		if !errors.Is(err, errNotThere) {
			return m, err
		}
	}
	return nil, errNotThere
}

// manifestAt decodes a manifest if the frames in r start with its tar header.
func manifestAt(r io.Reader) (*Manifest, error) {
	d, err := newDecoder(r)
	if err != nil {
		return nil, errNotThere
	}
	defer d.Close()
	t := tar.NewReader(&bounded{r: d, left: manifestMaxSize + frameSize})
	h, err := t.Next()
	if err != nil || h.Typeflag != tar.TypeReg || h.Name != manifestPath(bundleOf(h.Name)) {
		return nil, errNotThere
	}
	return decodeNamed(t, bundleOf(h.Name))
}

// decodeNamed decodes the manifest of the bundle called name.
func decodeNamed(r io.Reader, name string) (*Manifest, error) {
	m, err := DecodeManifest(r)
	if err != nil {
		return nil, err
	}
	if m.Name != name {
		return nil, &ManifestError{fmt.Errorf("the manifest in %s is that of %s", clip(name), clip(m.Name))}
	}
	return m, nil
}

// bundleOf is the folder that a path of a bundle starts with.
func bundleOf(p string) string {
	name, _, _ := strings.Cut(p, "/")
	return name
}

// bounded stops what unpacks to too much.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errBomb
	}
	return n, err
}
