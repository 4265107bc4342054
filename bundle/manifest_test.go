package bundle_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
)

// manifestText is the manifest of tinyPlan as it stands in the bundle.
func manifestText(t testing.TB) string {
	var out bytes.Buffer
	_, err := bundle.Pack(t.Context(), &out, tinyPlan(), bundle.PackOptions{})
	require.NoError(t, err)
	a, err := bundle.Open(written(t, "x.tar.zst", out.Bytes()))
	require.NoError(t, err)
	defer a.Close()
	text := ""
	for m, err := range a.Entries() {
		require.NoError(t, err)
		if strings.HasSuffix(m.Path, "manifest.json") {
			b, err := io.ReadAll(m)
			require.NoError(t, err)
			text = string(b)
		}
	}
	return text
}

func TestManifestRoundTrip(t *testing.T) {
	text := manifestText(t)
	m, err := bundle.DecodeManifest(strings.NewReader(text))
	require.NoError(t, err)
	again, err := json.MarshalIndent(m, "", "  ")
	require.NoError(t, err)
	require.Equal(t, text, string(again)+"\n")
	require.NotContains(t, text, "\t")
	for _, field := range []string{"time", "host", "user", "tool"} {
		require.NotContains(t, text, `"`+field+`":`)
	}
}

// TestManifestHostile: each row is one thing that no manifest says.
func TestManifestHostile(t *testing.T) {
	text := manifestText(t)
	sum := text[strings.Index(text, `"sha256": "`)+11:][:64]
	tests := []struct{ name, old, new, want string }{
		{"schema", "nixbundle.manifest/v1", "nixbundle.manifest/v2", `schema "nixbundle.manifest/v2"`},
		{"name", `"name": "tool"`, `"name": ".."`, `".." cannot be the name`},
		{"name_with_slash", `"name": "tool"`, `"name": "tool/lib"`, "cannot be the name"},
		{"other_name", `"name": "tool"`, `"name": "tools"`, "is not a clean path inside tools"},
		{"parent", `"path": "tool/bin/tool"`, `"path": "tool/../tool"`, "is not a clean path"},
		{"absolute", `"path": "tool/bin/tool"`, `"path": "/etc/passwd"`, "is not a clean path"},
		{"nul", `"path": "tool/bin/tool"`, `"path": "tool/bin/\u0000"`, "is not a clean path"},
		{"order", `"path": "tool/bin/tool"`, `"path": "tool/a"`, "entries are not sorted"},
		{"twice", `"path": "tool/bin/tool"`, `"path": "tool/bin"`, "entries are not sorted"},
		{"type", `"type": "folder"`, `"type": "device"`, `unknown type "device"`},
		{"mode", `"mode": "0755"`, `"mode": "4755"`, `mode "4755" is not`},
		{"mode_text", `"mode": "0755"`, `"mode": "rwx"`, `mode "rwx" is not`},
		{"digest", sum, strings.Repeat("z", 64), "is not a SHA-256"},
		{"short_digest", sum, sum[:62], "is not a SHA-256"},
		{"size", `"size": 20`, `"size": -1`, "size is -1"},
		{"size_type", `"size": 20`, `"size": 1e99`, "cannot unmarshal"},
		{"link_out", `"link": "a/libz.so.1.3"`, `"link": "../../x"`, "is not a clean path"},
		{"link_absolute", `"link": "a/libz.so.1.3"`, `"link": "/x"`, "is not a relative link"},
		{"link_empty", `"link": "a/libz.so.1.3"`, `"link": ""`, "is not a relative link"},
		{"same", `"sameAs": "tool/lib/a/libz.so.1.3"`, `"sameAs": "tool/bin/tool"`, "no earlier file of the same bytes"},
		{"same_later", `"sameAs": "tool/lib/a/libz.so.1.3"`, `"sameAs": "tool/lib/libother.so"`, "no earlier file of the same bytes"},
		{"program", `"entry": "tool/bin/tool"`, `"entry": "tool/bin/no"`, "program tool/bin/no is no entry"},
		{"program_folder", `"elf": "tool/bin/tool"`, `"elf": "tool/bin"`, "program tool/bin is no entry"},
		{"syntax", `"schema"`, `schema`, "invalid character"},
		{"trailing", "]\n}\n", "]\n}{}\n", "after top-level value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bad := strings.Replace(text, test.old, test.new, 1)
			require.NotEqual(t, text, bad)
			_, err := bundle.DecodeManifest(strings.NewReader(bad))
			require.ErrorContains(t, err, test.want)
		})
	}
	// A field that a later version adds is passed over.
	_, err := bundle.DecodeManifest(strings.NewReader(strings.Replace(text, `"schema"`, `"later": {"a": 1}, "schema"`, 1)))
	require.NoError(t, err)
}

// repeat gives one text again and again.
type repeat struct{ text string }

func (r repeat) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		n += copy(b[n:], r.text)
	}
	return n, nil
}

func TestManifestTooLarge(t *testing.T) {
	_, err := bundle.DecodeManifest(repeat{" "})
	require.EqualError(t, err, "manifest is larger than 67108864 bytes")
	for _, element := range []string{"null,", `{"path":["[\"]\\"]},`, "[],", "[["} {
		_, err = bundle.DecodeManifest(io.MultiReader(strings.NewReader(`{"entries":[`), io.LimitReader(repeat{element}, 10<<20)))
		require.EqualError(t, err, "manifest has too many entries", element)
	}
	_, err = bundle.DecodeManifest(strings.NewReader(`{"name":"` + strings.Repeat("[,", 1<<19) + `"}`))
	require.ErrorContains(t, err, "manifest has schema")
}

func FuzzDecodeManifest(f *testing.F) {
	f.Add(`{"schema":"nixbundle.manifest/v1","name":"x","entries":[{"path":"x/l","type":"link","mode":"0","link":"x"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := bundle.DecodeManifest(strings.NewReader(text))
		if err == nil {
			_, err = json.Marshal(m)
			require.NoError(t, err)
		}
	})
}
