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

// TestManifestLists: a list that always is there is never null, whoever wrote the manifest.
func TestManifestLists(t *testing.T) {
	text := strings.Replace(manifestText(t), `"acceptedFindings": []`, `"acceptedFindings": [null]`, 1)
	m, err := bundle.DecodeManifest(strings.NewReader(strings.Replace(text, "[null]", `[{"kind": "x"}]`, 1)))
	require.NoError(t, err)
	require.NotNil(t, m.Accepted[0].Paths)
	m, err = bundle.DecodeManifest(strings.NewReader(`{"schema": "nixbundle.manifest/v1", "name": "x"}`))
	require.NoError(t, err)
	again, err := json.Marshal(m)
	require.NoError(t, err)
	require.JSONEq(t, `{"schema": "nixbundle.manifest/v1", "name": "x", "programs": [], "entries": [], "acceptedFindings": []}`, string(again))
	_, err = bundle.DecodeManifest(strings.NewReader(text))
	require.ErrorContains(t, err, `"" is no kind of a finding`)
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
		{"folder_with_bytes", `"type": "folder",`, `"type": "folder", "size": 1,`, "a folder has no bytes"},
		{"strategy", `"strategy": "none"`, `"strategy": "magic"`, `program tool/bin/tool: unknown strategy "magic"`},
		{"wrapper", `"strategy": "none"`, `"strategy": "none", "setup": {"kind": "x"}`, `unknown kind of a wrapper "x"`},
		{"variable", `"strategy": "none"`, `"strategy": "none", "setup": {"kind": "shell", "env": [{"op": "x"}]}`, `unknown change of a variable "x"`},
		{"join", `"strategy": "none"`, `"strategy": "none", "setup": {"kind": "shell", "env": [{"op": "set", "join": "x"}]}`, `unknown join of a variable "x"`},
		{"edit", `"type": "folder",`, `"type": "folder", "edits": [{}],`, `unknown change ""`},
		{"finding", `"acceptedFindings": []`, `"acceptedFindings": [{"kind": "X y"}]`, `"X y" is no kind of a finding`},
		{"path_kind", `"acceptedFindings": []`, `"residue": [{"kind": "x"}]`, `unknown kind of a path "x"`},
		{"path_offset", `"acceptedFindings": []`, `"residue": [{"kind": "data", "off": -1, "count": 1}]`, "there 1 times from -1 on"},
		{"path_count", `"acceptedFindings": []`, `"residue": [{"kind": "data"}]`, "there 0 times from 0 on"},
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
