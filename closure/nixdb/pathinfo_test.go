package nixdb_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure/nixdb"
)

const (
	aPath = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-a-1.0"
	bPath = "/nix/store/1123456789abcdfghijklmnpqrsvwxyz-b-2.0"
)

// outputs are one closure as each Nix prints it: the names are those of the forms.
var outputs = map[string]string{
	"2.3": `[{"path":"PA","narHash":"sha256:1b","narSize":100,"references":["PB","PA"],"deriver":"PA.drv","registrationTime":1700000000,"signatures":["k:x"]},
		{"path":"PB","narHash":"sha256:1b","narSize":200,"references":[]}]`,
	"2.8": `[{"deriver":"PA.drv","narHash":"sha256-x","narSize":100,"path":"PA","references":["PA","PB"],"registrationTime":1,"ultimate":true,"valid":true},
		{"narHash":"sha256-x","narSize":200,"path":"PB","references":[],"valid":true},{"path":"PX","valid":false}]`,
	"lix":   `[{"closureSize":300,"deriver":"PA.drv","narSize":100,"path":"PA","references":["PB","PA"],"valid":true},{"deriver":null,"narSize":200,"path":"PB","references":[],"valid":true}]`,
	"graph": `[{"closureSize":300,"deriver":"PA.drv","narHash":"sha256:x","narSize":100,"path":"PA","references":["PA","PB"]},{"closureSize":200,"narSize":200,"path":"PB","references":[]}]`,
	"2.19": `{"PA":{"ca":null,"deriver":"PA.drv","narHash":"sha256-x","narSize":100,"references":["PA","PB"],"registrationTime":1,"signatures":[],"ultimate":false},
		"PB":{"ca":"fixed:r:sha256:x","deriver":null,"narSize":200,"references":[]},"PX":null}`,
	"2.33_1": `{"PA":{"ca":null,"deriver":"PA.drv","narSize":100,"references":["PA","PB"],"storeDir":"/nix/store","version":1},
		"PB":{"deriver":null,"narSize":200,"references":[],"storeDir":"/nix/store","version":1},"PX":null,"storeDir":"/nix/store","version":1}`,
	"2.33_2": `{"info":{"NA":{"ca":null,"deriver":"NA.drv","narHash":"sha256-x","narSize":100,"path":"NA","references":["NA","NB"],"storeDir":"/nix/store","version":2},
		"NB":{"ca":{"hash":"sha256-x","method":"nar"},"deriver":null,"narSize":200,"references":[],"version":2},"NX":null},"storeDir":"/nix/store","version":2}`,
	"2.34_3": `{"info":{"NA":{"deriver":"NA.drv","narSize":100,"references":["NA","NB"],"signatures":[{"keyName":"k","sig":"x"}],"version":3},
		"NB":{"narSize":200,"references":[],"version":3}},"storeDir":"/nix/store","version":3}`,
}

// filled puts the paths into an output.
func filled(s string) string {
	base := func(p string) string { return strings.TrimPrefix(p, "/nix/store/") }
	return strings.NewReplacer("PA", aPath, "PB", bPath, "PX", aPath+"x", "NA", base(aPath), "NB", base(bPath), "NX", base(aPath)+"x").Replace(s)
}

func TestParsePathInfo(t *testing.T) {
	want := []nixdb.Record{
		{Path: aPath, References: []string{aPath, bPath}, NarSize: 100, Deriver: aPath + ".drv"},
		{Path: bPath, NarSize: 200},
	}
	for name, output := range outputs {
		got, err := nixdb.ParsePathInfo([]byte(filled(output)))
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
}

func TestParsePathInfoWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "unexpected end of JSON input",
		aPath + "\n":                            "invalid character '/' looking for beginning of value",
		`null`:                                  "", // an object without paths
		`{}`:                                    "",
		`[]`:                                    "",
		`[null]`:                                "",
		`[{"drvPath":"x","outputs":{}}]`:        `"" is no store path`, // nix build --json
		`{"PA":{"outputs":{}}}`:                 aPath + " has no references",
		`{"PA":{"references":["b"]}}`:           aPath + ` refers to "b"`,
		`{"NA":{"references":[]}}`:              `"0123456789abcdfghijklmnpqrsvwxyz-a-1.0" is no store path`,
		`{"PA":{"references":[],"narSize":-1}}`: aPath + " is of -1 bytes",
		`{"PA":{"references":[],"narSize":1e99}}`: aPath + ": json: cannot unmarshal number 1e99 into Go struct field pathInfo.narSize of type int64",
		`{"info":[]}`:              "json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
		`[[[[`:                     "unexpected end of JSON input",
		strings.Repeat("[", 20000): "invalid character '[' exceeded max depth",
	} {
		_, err := nixdb.ParsePathInfo([]byte(filled(text)))
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorAs(t, err, new(*nixdb.FormatError))
		require.EqualError(t, err, "not what nix path-info --json prints: "+filled(want))
	}
}

// FuzzParsePathInfo: any bytes give records in order, with whole paths, or an error.
func FuzzParsePathInfo(f *testing.F) {
	for _, output := range outputs {
		f.Add([]byte(filled(output)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := nixdb.ParsePathInfo(data)
		if err != nil {
			require.ErrorAs(t, err, new(*nixdb.FormatError))
			return
		}
		require.True(t, slices.IsSortedFunc(records, func(a, b nixdb.Record) int { return strings.Compare(a.Path, b.Path) }))
		for _, r := range records {
			require.True(t, strings.HasPrefix(r.Path, "/"))
			require.True(t, slices.IsSorted(r.References))
			require.GreaterOrEqual(t, r.NarSize, int64(0))
		}
	})
}
