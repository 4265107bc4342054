package bundle

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
)

const (
	modelPath = "/nix/store/7fm66599n61nhkrb68cmphpfgji11xdh-model-1.0"
	toolPath  = "/nix/store/ylv4yrq0is77hbqmjpbk5hljhpkqyz7q-tool-2"
)

// TestPlaces: data keeps its place in share/ where nothing else is there, and has a folder for its store path else.
func TestPlaces(t *testing.T) {
	p := newPlaces("/nix/store")
	items := func(paths ...string) (list []*closure.Item) {
		for _, at := range paths {
			at, dest, _ := strings.Cut(at, ":")
			list = append(list, &closure.Item{Path: at, Target: at, Dest: dest})
		}
		return list
	}
	require.NoError(t, p.putItems(items(modelPath+"/share/m", toolPath+"/share/m/x", toolPath+"/bin", toolPath, modelPath+"/etc:share/conf", modelPath+"/share/nixbundle")))
	for original, want := range map[string]string{
		modelPath + "/share/m/a.onnx":    "share/m/a.onnx",
		toolPath + "/share/m/x":          "store/ylv4yrq0-tool-2/share/m/x",
		toolPath + "/bin/it":             "store/ylv4yrq0-tool-2/bin/it",
		toolPath + "/lib/x":              "store/ylv4yrq0-tool-2/lib/x",
		modelPath + "/etc/a":             "share/conf/a",
		modelPath + "/share/nixbundle/x": "store/7fm66599-model-1.0/share/nixbundle/x",
	} {
		got, ok := p.find(original)
		assert.True(t, ok, original)
		assert.Equal(t, want, got)
	}
	twin := strings.Replace(toolPath, "is77hbqm", "00000000", 1)
	assert.Equal(t, "store/ylv4yrq0-tool-2+/etc/x", p.forItem(twin+"/etc/x"), "digests that begin alike")
	_, ok := p.find(modelPath + "/lib")
	assert.False(t, ok)

	got := p.relocate("a=" + toolPath + "/bin:" + toolPath + "/bin2:" + modelPath + "/lib/y,z " + modelPath + "/lib," + modelPath + "/share/m/")
	assert.Equal(t, "a=%ROOT%/store/ylv4yrq0-tool-2/bin:%ROOT%/store/ylv4yrq0-tool-2/bin2:"+modelPath+"/lib/y,z "+modelPath+"/lib,%ROOT%/share/m/", got)

	for dest, why := range map[string]string{"../x": "without ..", "/x": "without ..", "lib/x": "bin, lib and libexec", "share/m": "already", "share": "already", ".": "without .."} {
		q := newPlaces("/nix/store")
		require.NoError(t, q.putItems(items(modelPath+"/x:share/m")))
		require.ErrorContains(t, q.putItems(items(toolPath+"/y:"+dest)), why, dest)
	}
}

// TestPrefixTexts: a path of the store becomes one of as many bytes, whatever the prefix.
func TestPrefixTexts(t *testing.T) {
	m := &closure.Mention{Path: modelPath + "/share/m", Off: 7}
	for dir, want := range map[string]string{
		"/opt/sensor":                 "/opt/sensor/store/7fm66599n61nhkrb68cmphpfg",
		"/o":                          "/o/store///7fm66599n61nhkrb68cmphpfgji11xdh",
		"/" + strings.Repeat("d", 31): "/" + strings.Repeat("d", 31) + "/store/7fm6",
	} {
		p, err := newPrefix(dir, "/nix/store")
		require.NoError(t, err, dir)
		text, ok := p.text(m)
		require.True(t, ok)
		assert.Equal(t, Text{Off: 7, From: modelPath[:43], To: want}, text)
		assert.Len(t, text.To, len(text.From))
		at := p.absolute(modelPath + "/share/m")
		assert.Equal(t, strings.ReplaceAll(want, "///", "/")+"-model-1.0/share/m", at)
	}
	for dir, why := range map[string]string{
		"opt": "absolute path", "/": "absolute path", "/opt/": "absolute path", "/opt/../x": "absolute path", "/nix": "the store is there",
		"/nix/store/x": "the store is there", "/a b": "mean something else", "/$ORIGIN": "mean something else", "/" + strings.Repeat("d", 32): "32 are the most",
	} {
		_, err := newPrefix(dir, "/nix/store")
		require.ErrorContains(t, err, why, dir)
	}
	short := &Plan{prefix: &prefix{dir: "/x", storeDir: "/nix/store", digits: 4}, closure: &closure.Closure{StoreDir: "/nix/store", Mentions: []closure.Mention{
		{Path: modelPath}, {Path: "/nix/store/7fm6" + strings.Repeat("0", 28) + "-model-1.0"},
	}}}
	require.ErrorContains(t, short.checkDigests(), "would become one path")
	short.closure = &closure.Closure{StoreDir: "/nix/store", Objects: []*closure.Object{{Path: modelPath + "/lib/a.so"}}, Items: []*closure.Item{
		{Path: "/nix/store/7fm6" + strings.Repeat("0", 28) + "-model-1.0/lib"},
	}}
	require.ErrorContains(t, short.checkDigests(), "would become one path", "files without a mention meet, too")
}

// TestOpenedText: what dlopen is given has as many bytes as before, and leads there from bin/ and from lib/.
func TestOpenedText(t *testing.T) {
	const length = len("/nix/store/7fm66599n61nhkrb68cmphpfgji11xdh-x/lib/p.so")
	for _, holder := range []string{"bin/host", "lib/libhost.so", "libexec/host"} {
		got, ok := openedText(holder, "lib/p.so", length, false)
		require.True(t, ok)
		assert.Len(t, got, length)
		assert.Equal(t, "$ORIGIN/../lib/p.so", strings.ReplaceAll(got, strings.Repeat("/", length-len("$ORIGIN/../libp.so")), "/"))
	}
	got, ok := openedText("bin/host", "lib/p.so", length, true)
	require.True(t, ok)
	assert.Equal(t, "p.so"+strings.Repeat("\x00", length-4), got)
	_, ok = openedText("bin/host", "lib/p.so", 6, false)
	assert.False(t, ok)
}

// TestLauncherSetup: what a setup has is quoted, and a program that sees the same without one has none.
func TestLauncherSetup(t *testing.T) {
	assert.Nil(t, newSetup(&wrapper.Wrapper{Kind: wrapper.Shell, Argv0: wrapper.Argv0{Inherit: true}}))
	s := newSetup(&wrapper.Wrapper{Kind: wrapper.Shell, Target: "/x", Env: []wrapper.Change{{Op: wrapper.Set, Name: "A", Value: "%ROOT%/it's $(id)"}}})
	text := string(newLauncher("bin/a", "libexec/a", StrategyStub, "", &closure.Loader{}, s).text())
	assert.Contains(t, text, `A="$nixbundle_root"'it'\''s $(id)'`)
	assert.Contains(t, text, "\nexec \"$nixbundle_root\"'libexec/a' \"$@\"\n")
	assert.NotContains(t, text, "ARGV0", "argv[0] is the program's path")
}

// TestMeetingTexts: of two texts that share bytes one stays as it is, and is told.
func TestMeetingTexts(t *testing.T) {
	p, e := &Plan{}, &Entry{Object: &closure.Object{Path: "/x"}}
	const at = "/nix/store/7fm66599n61nhkrb68cmphpfgji11xdh-x/lib/p.so"
	for _, off := range []int64{100, 100, 100 + int64(len(at)) - 1, 100 + int64(len(at)), 100 - int64(len(at))} {
		p.replaceText(e, &closure.Wish{Name: at, Off: off}, "bin/host", "lib/p.so", false)
	}
	assert.Len(t, e.Texts, 3)
	assert.Len(t, p.Warnings, 1)
}

// TestRecord: a manifest's residue must stand where it says, as often as it says, and cover all that is there.
func TestRecord(t *testing.T) {
	found := []closure.Found{{Off: 5, Text: modelPath + "/a b"}, {Off: 90, Text: modelPath + "/a"}, {Off: 200, Text: toolPath}}
	good := []*Residue{{Path: modelPath + "/a", Off: 5, Count: 2}, {Path: toolPath, Off: 200, Count: 1}}
	assert.Empty(t, newRecord(good).disagrees(found))
	assert.Empty(t, newRecord(nil).disagrees(nil))
	for why, list := range map[string][]*Residue{
		"names " + toolPath + ", and":                 {good[0]},
		"at 3 places":                                 {{Path: modelPath + "/a", Off: 5, Count: 1}, good[1]},
		"does not have \"\" at 5":                     {good[0], good[1], {Path: "", Off: 5, Count: 1}},
		"does not have \"/nix/store/\" at 5":          {{Path: "/nix/store/", Off: 5, Count: 3}},
		"does not have \"" + modelPath + "/a\" at 6":  {{Path: modelPath + "/a", Off: 6, Count: 2}, good[1]},
		"does not have \"" + toolPath + "/x\" at 200": {good[0], {Path: toolPath + "/x", Off: 200, Count: 1}, good[1]},
	} {
		assert.Contains(t, newRecord(list).disagrees(found), why)
	}
}
