package bundle_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch"
)

// demoPlan plans the bundle of a program of the small real closure.
func demoPlan(t testing.TB, program string, opts bundle.Options) *bundle.Plan {
	t.Helper()
	root, err := closure.OpenRoot("../testdata/demo")
	require.NoError(t, err)
	found, err := closure.Programs(root, program, closure.Options{})
	require.NoError(t, err)
	c, err := closure.Walk(root, found, closure.Options{})
	require.NoError(t, err)
	p, err := bundle.NewPlan(c, opts)
	require.NoError(t, err)
	return p
}

// spoiled is a bundle taken apart, to be changed and put together again.
type spoiled struct {
	t        testing.TB
	members  []*member
	manifest *bundle.Manifest
	format   bundle.Format
}

type member struct {
	tar.Header
	data []byte
}

const manifestEnd = "/share/nixbundle/manifest.json"

// takeApart reads a plain tar of a bundle.
func takeApart(t testing.TB, data []byte) *spoiled {
	t.Helper()
	s := &spoiled{t: t, format: bundle.FormatTar}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return s
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		if strings.HasSuffix(h.Name, manifestEnd) {
			s.manifest, err = bundle.DecodeManifest(bytes.NewReader(content))
			require.NoError(t, err)
			continue
		}
		s.members = append(s.members, &member{*h, content})
	}
}

// member finds a member by the end of its path.
func (s *spoiled) member(end string) *member {
	for _, m := range s.members {
		if strings.HasSuffix(strings.TrimSuffix(m.Name, "/"), end) {
			return m
		}
	}
	s.t.Fatalf("no member %s", end)
	return nil
}

// entry finds an entry of the manifest likewise.
func (s *spoiled) entry(end string) *bundle.ManifestEntry {
	for i := range s.manifest.Entries {
		if e := &s.manifest.Entries[i]; strings.HasSuffix(e.Path, end) {
			return e
		}
	}
	s.t.Fatalf("no entry %s", end)
	return nil
}

func (s *spoiled) drop(end string) {
	m := s.member(end)
	s.members = slices.DeleteFunc(s.members, func(o *member) bool { return o == m })
}

// put adds a member at its place.
func (s *spoiled) put(h tar.Header, data string) {
	if h.Mode == 0 {
		h.Mode = 0o644
	}
	s.members = append(s.members, &member{h, []byte(data)})
}

// allow has the manifest say that a finding of its program stood there before.
func (s *spoiled) allow(kind closure.Kind, name string) {
	s.manifest.Accepted = append(s.manifest.Accepted, bundle.ManifestFinding{Kind: string(kind), Program: "sensor", Name: name})
}

// edit patches an ELF file.
func (s *spoiled) edit(end string, e elfpatch.Edit) {
	m := s.member(end)
	image, err := elfpatch.Apply(bytes.NewReader(m.data), int64(len(m.data)), e)
	require.NoError(s.t, err)
	m.data, err = io.ReadAll(io.NewSectionReader(image, 0, image.Size()))
	require.NoError(s.t, err)
}

// replace replaces one text in a file by another of the same length.
func (s *spoiled) replace(end, from, to string) {
	m := s.member(end)
	require.Equal(s.t, len(from), len(to))
	require.Contains(s.t, string(m.data), from)
	m.data = bytes.ReplaceAll(m.data, []byte(from), []byte(to))
}

// seal makes the manifest agree with the members, as somebody who knows the format would.
func (s *spoiled) seal() {
	old := map[string]bundle.ManifestEntry{}
	for _, e := range s.manifest.Entries {
		old[e.Path] = e
	}
	s.manifest.Entries = nil
	for _, m := range s.members {
		e := old[strings.TrimSuffix(m.Name, "/")]
		e.Path, e.Mode = strings.TrimSuffix(m.Name, "/"), fmt.Sprintf("%04o", m.Mode&0o777)
		switch m.Typeflag {
		case tar.TypeDir:
			e.Type = bundle.TypeFolder
		case tar.TypeSymlink:
			e.Type, e.Link = bundle.TypeLink, m.Linkname
		default:
			e.Type, e.Size, e.SHA256, e.SameAs = bundle.TypeFile, int64(len(m.data)), sha(m.data), m.Linkname
			if m.Typeflag == tar.TypeLink {
				first := s.member(m.Linkname)
				e.Size, e.SHA256 = int64(len(first.data)), sha(first.data)
			}
		}
		s.manifest.Entries = append(s.manifest.Entries, e)
	}
	slices.SortFunc(s.manifest.Entries, func(a, b bundle.ManifestEntry) int { return strings.Compare(a.Path, b.Path) })
}

// tar puts the bundle together.
func (s *spoiled) tar() []byte {
	text, err := json.Marshal(s.manifest)
	require.NoError(s.t, err)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	manifest := &member{tar.Header{Name: s.manifest.Name + manifestEnd, Mode: 0o644, Typeflag: tar.TypeReg}, text}
	for _, m := range append(slices.Clone(s.members), manifest) {
		m.Size = int64(len(m.data))
		require.NoError(s.t, w.WriteHeader(&m.Header), m.Name)
		if m.Typeflag == tar.TypeReg {
			_, err := w.Write(m.data)
			require.NoError(s.t, err)
		}
	}
	require.NoError(s.t, w.Close())
	return out.Bytes()
}
