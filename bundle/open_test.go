package bundle_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
)

// written writes bytes to a file.
func written(t testing.TB, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, data, 0o600))
	return file
}

// opened opens a bundle until the test ends.
func opened(t *testing.T, name string) *bundle.Archive {
	t.Helper()
	a, err := bundle.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

// checkTiny compares what is read with tinyPlan.
func checkTiny(t *testing.T, a *bundle.Archive) {
	t.Helper()
	require.Equal(t, "tool", a.Manifest.Name)
	want := map[string]bundle.ManifestEntry{}
	for _, e := range a.Manifest.Entries {
		want[e.Path] = e
	}
	for m, err := range a.Entries() {
		require.NoError(t, err)
		e, ok := want[m.Path]
		if !ok {
			require.Equal(t, "tool/share/nixbundle/manifest.json", m.Path)
			continue
		}
		delete(want, m.Path)
		require.Equal(t, e.Type, m.Type, m.Path)
		require.Equal(t, e.Link, m.Link)
		if m.Type == bundle.TypeLink {
			continue
		}
		require.Equal(t, "0"+e.Mode[1:], "0"+modeText(m.Mode), m.Path)
		if m.Type == bundle.TypeFile && m.SameAs == "" {
			sum := sha256.New()
			n, err := io.Copy(sum, m)
			require.NoError(t, err)
			require.Equal(t, e.Size, n)
			require.Equal(t, e.SHA256, hex.EncodeToString(sum.Sum(nil)), m.Path)
		}
	}
	require.Empty(t, want)
}

func modeText(m fs.FileMode) string {
	const digits = "01234567"
	return string([]byte{digits[m>>6&7], digits[m>>3&7], digits[m&7]})
}

func TestOpenFormats(t *testing.T) {
	plain := pack(t, tinyPlan(), bundle.PackOptions{Format: bundle.FormatTar})
	enc, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	for name, data := range map[string][]byte{
		"own frames":   pack(t, tinyPlan(), bundle.PackOptions{}),
		"recompressed": enc.EncodeAll(plain, nil),
		"tar":          plain,
	} {
		t.Run(name, func(t *testing.T) { checkTiny(t, opened(t, written(t, "any-name", data))) })
	}
	dir := t.TempDir() + "/"
	_, err = bundle.Create(context.Background(), dir, tinyPlan(), bundle.PackOptions{})
	require.NoError(t, err)
	t.Run("folder", func(t *testing.T) { checkTiny(t, opened(t, dir+"tool")) })
	t.Run("folder around", func(t *testing.T) { checkTiny(t, opened(t, dir)) })
	require.NoError(t, os.Rename(dir+"tool", dir+"renamed"))
	t.Run("folder renamed", func(t *testing.T) { checkTiny(t, opened(t, dir+"renamed")) })
}

// TestOpenTar: a bundle that GNU tar packed again is a bundle.
func TestOpenTar(t *testing.T) {
	dir := t.TempDir()
	_, err := bundle.Create(context.Background(), dir+"/", tinyPlan(), bundle.PackOptions{})
	require.NoError(t, err)
	for _, format := range []string{"gnu", "ustar", "posix", "v7"} {
		file := filepath.Join(t.TempDir(), "x.tar")
		run(t, "tar", "-C", dir, "--format="+format, "-cf", file, "./tool")
		a, err := bundle.Open(file)
		if format == "v7" {
			require.ErrorIs(t, err, bundle.ErrNotBundle) // it has no magic
			continue
		}
		require.NoError(t, err, format)
		for _, err := range a.Entries() {
			require.NoError(t, err, format)
		}
		require.NoError(t, a.Close())
	}
}

func TestOpenNotBundle(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	for name, data := range map[string][]byte{
		"empty": {}, "text": []byte("hello\n"), "zeros": make([]byte, 4096),
		"zstd of text":  enc.EncodeAll([]byte("hello\n"), nil),
		"zstd of zeros": enc.EncodeAll(make([]byte, 2048), nil),
		"other tar":     tarOf(t, &tar.Header{Name: "a", Typeflag: tar.TypeReg, Mode: 0o644}),
	} {
		t.Run(name, func(t *testing.T) {
			file := written(t, "f", data)
			_, err := bundle.Open(file)
			require.ErrorIs(t, err, bundle.ErrNotBundle)
			require.ErrorContains(t, err, file+": not a nixbundle bundle: ")
		})
	}
	_, err = bundle.Open(t.TempDir())
	require.ErrorIs(t, err, bundle.ErrNotBundle)
	_, err = bundle.Open("/dev/null")
	require.ErrorIs(t, err, bundle.ErrNotBundle)
	_, err = bundle.Open(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// tarOf is a tar file of those headers without contents.
func tarOf(t *testing.T, headers ...*tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		require.NoError(t, w.WriteHeader(h))
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// TestOpenHostileTar: names and types that no bundle has stop the listing.
func TestOpenHostileTar(t *testing.T) {
	good := pack(t, planOf("x"), bundle.PackOptions{Format: bundle.FormatTar})
	good = good[:len(good)-1024]
	tests := map[string]*tar.Header{
		"parent":   {Name: "x/../../etc/passwd", Typeflag: tar.TypeReg},
		"absolute": {Name: "/etc/passwd", Typeflag: tar.TypeReg},
		"other":    {Name: "y/file", Typeflag: tar.TypeReg},
		"unclean":  {Name: "x//file", Typeflag: tar.TypeReg},
		"dot":      {Name: ".", Typeflag: tar.TypeReg},
		"link out": {Name: "x/l", Typeflag: tar.TypeLink, Linkname: "../etc/passwd"},
		"device":   {Name: "x/dev", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3},
		"fifo":     {Name: "x/fifo", Typeflag: tar.TypeFifo},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			a := opened(t, written(t, "x.tar", append(bytes.Clone(good), tarOf(t, h)...)))
			var last error
			for m, err := range a.Entries() {
				require.True(t, (m == nil) == (err != nil))
				last = err
			}
			require.Error(t, last)
		})
	}
}

// TestOpenBomb: what unpacks to far more than it is, is given up.
func TestOpenBomb(t *testing.T) {
	var packed bytes.Buffer
	enc, err := zstd.NewWriter(&packed, zstd.WithEncoderLevel(zstd.SpeedFastest))
	require.NoError(t, err)
	w := tar.NewWriter(enc)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "x/zeros", Size: 1200 << 20, Mode: 0o644}))
	zeros := make([]byte, 1<<20)
	for range 1200 {
		_, err := w.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, enc.Close())
	_, err = bundle.Open(written(t, "x.tar.zst", packed.Bytes()))
	require.ErrorContains(t, err, "unpacks to more than a bundle of its size can hold")
}

// readAll reads all that a reader of bundles reads.
func readAll(file string) error {
	a, err := bundle.Open(file)
	if err != nil {
		return err
	}
	defer a.Close()
	for m, err := range a.Entries() {
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, m); err != nil {
			return err
		}
	}
	return nil
}

// TestOpenTruncated: no prefix of a bundle is a bundle.
func TestOpenTruncated(t *testing.T) {
	for _, format := range []bundle.Format{bundle.FormatTarZst, bundle.FormatTar} {
		data := pack(t, tinyPlan(), bundle.PackOptions{Format: format})
		file := written(t, "x", data)
		end := len(data)
		if format == bundle.FormatTar {
			end -= 3 * 512 // the zeros at the end are not missed
		}
		for n := end - end%97; n >= 0; n -= 97 {
			require.NoError(t, os.Truncate(file, int64(n)))
			err := readAll(file)
			if format == bundle.FormatTarZst && err == nil {
				// Only the seek table is missing: the stream is whole.
				require.Greater(t, n, end-64)
				continue
			}
			require.Error(t, err, "%s cut at %d", format, n)
			require.ErrorContains(t, err, file, "%s cut at %d", format, n)
		}
	}
}

// TestOpenMutated: whatever is wrong with a bundle, the answer is an error or a list.
func TestOpenMutated(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, format := range []bundle.Format{bundle.FormatTarZst, bundle.FormatTar} {
		data := pack(t, planOf("x", bundle.Entry{Path: "x/lib/a", Mode: 0o644, Data: noise(1, 3000)}), bundle.PackOptions{Format: format})
		for range 1500 {
			bad := bytes.Clone(data)
			for range 1 + r.IntN(4) {
				bad[r.IntN(len(bad))] = byte(r.Uint32())
			}
			file := filepath.Join(t.TempDir(), "x")
			require.NoError(t, os.WriteFile(file, bad, 0o600))
			_ = readAll(file)
		}
	}
}

func FuzzOpen(f *testing.F) {
	// Seeds are short: Go's fuzzer spends its time on making long ones shorter.
	var out bytes.Buffer
	_, err := bundle.Pack(context.Background(), &out, &bundle.Plan{Name: "x"}, bundle.PackOptions{})
	require.NoError(f, err)
	f.Add(out.Bytes())
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, data []byte) { _ = readAll(written(t, "x", data)) })
}
