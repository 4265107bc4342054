package bundle_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
)

// TestVerifyDamaged: what is wrong with the archive as a whole.
func TestVerifyDamaged(t *testing.T) {
	p := demoPlan(t, "/sensor-fixed/bin/sensor", bundle.Options{})
	packed := pack(t, p, bundle.PackOptions{})
	plain := pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})
	tests := map[string]struct {
		data []byte
		kind closure.Kind
		of   string
	}{
		"cut_in_half":          {packed[:len(packed)/2], bundle.KindArchive, "cut short or damaged"},
		"cut_in_table":         {packed[:len(packed)-5], bundle.KindArchive, "cut short or damaged"},
		"tar_cut":              {plain[:len(plain)/2], bundle.KindArchive, "cut short or damaged"},
		"trailing_garbage":     {append(slices.Clone(packed), "garbage"...), bundle.KindArchive, "cut short or damaged"},
		"tar_cut_in_end":       {plain[:len(plain)-512], bundle.KindArchive, "cut short or damaged"},
		"tar_cut_before_end":   {plain[:len(plain)-1024-100], bundle.KindArchive, "cut short or damaged"},
		"tar_cut_in_manifest":  {plain[:len(plain)-4096], bundle.KindArchive, "cut short or damaged"},
		"tar_trailing_garbage": {append(slices.Clone(plain), "garbage"...), bundle.KindArchive, "more behind the end"},
		"second_archive":       {append(slices.Clone(plain), plain...), bundle.KindArchive, "more behind the end"},
		"second_frame":         {append(zstdOf(t, plain), zstdOf(t, plain)...), bundle.KindArchive, "more behind the end"},
		"two_manifests":        {twoManifests(t, plain), bundle.KindManifest, "two manifests"},
		"bomb":                 {bomb(t, plain), bundle.KindArchive, "unpacks to more"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := bundle.Verify(t.Context(), written(t, "x", test.data), bundle.VerifyOptions{TempDir: t.TempDir()})
			if err != nil {
				require.ErrorContains(t, err, test.of)
				return
			}
			requireFinding(t, v, test.kind, test.of)
		})
	}
}

// twoManifests is a bundle whose seek table leads to another manifest than the one that is among the
// entries.
func twoManifests(t testing.TB, plain []byte) []byte {
	s := takeApart(t, plain)
	all := s.tar()
	s.manifest.Programs[0].Reason, s.members = "another", nil
	frames := [][]byte{zstdOf(t, all[:len(all)-1024]), zstdOf(t, s.tar())}
	le := binary.LittleEndian
	table := le.AppendUint32(le.AppendUint32(nil, 0x184D2A5E), 2*8+9)
	for _, f := range frames {
		table = le.AppendUint32(le.AppendUint32(table, uint32(len(f))), 1<<20)
	}
	table = append(le.AppendUint32(table, 2), 0)
	return slices.Concat(frames[0], frames[1], le.AppendUint32(table, 0x8F92EAB1))
}

// bomb is a bundle with a file of 1.2 GB of zeros that compresses to nothing, and that the manifest has.
func bomb(t testing.TB, plain []byte) []byte {
	const size = 1200 << 20
	s := takeApart(t, plain)
	text, err := json.Marshal(s.manifest)
	require.NoError(t, err)
	var out bytes.Buffer
	enc, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedFastest))
	require.NoError(t, err)
	w := tar.NewWriter(enc)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "sensor" + manifestEnd, Size: int64(len(text)), Mode: 0o644}))
	_, err = w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "sensor/lib/libc.so.6", Size: size, Mode: 0o755}))
	for zeros, n := make([]byte, 1<<20), 0; n < size; n += len(zeros) {
		_, err := w.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, enc.Close())
	return out.Bytes()
}
