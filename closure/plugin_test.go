package closure_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

var (
	opensslPath = elftest.StorePath("openssl-3.0.13")
	qtPath      = elftest.StorePath("qtbase-6.6.2")
	qtSVGPath   = elftest.StorePath("qtsvg-6.6.2")
	pixbufPath  = elftest.StorePath("gdk-pixbuf-2.42.10")
	xkbPath     = elftest.StorePath("libxkbcommon-1.5.0")
	xkbDataPath = elftest.StorePath("xkeyboard-config-2.39")
	vaPath      = elftest.StorePath("libva-2.20.0")
	appPath     = elftest.StorePath("app-1.0")
)

// pluginTree is a program with libraries that have plugins.
func pluginTree(functions string) elftest.Tree {
	needs := []string{"libcrypto.so.3", "libQt6Core.so.6", "libgdk_pixbuf-2.0.so.0", "libxkbcommon.so.0", "libva.so.2"}
	var dirs []string
	for _, p := range []string{opensslPath, qtPath, pixbufPath, xkbPath, vaPath} {
		dirs = append(dirs, p+"/lib")
	}
	return elftest.Tree{
		x86Interp:            elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		appPath + "/bin/app": opening(runPath(program(elftest.Image{}, append(needs, "libc.so.6")...), strings.Join(append(dirs, "/lib"), ":")), functions),
		"/lib/libc.so.6":     lib("libc.so.6"),

		opensslPath + "/lib/libcrypto.so.3":         lib("libcrypto.so.3"),
		opensslPath + "/lib/ossl-modules/legacy.so": runPath(lib("", "libcrypto.so.3", "libextra.so.1"), "$ORIGIN/../extra"),
		opensslPath + "/lib/extra/libextra.so.1":    opening(lib("libextra.so.1"), "dlopen", "$ORIGIN/deep.so"),
		opensslPath + "/lib/extra/deep.so":          lib(""),
		opensslPath + "/lib/ossl-modules/README":    elftest.Data("text"),
		opensslPath + "/lib/engines-3/afalg.so":     lib(""),

		qtPath + "/lib/libQt6Core.so.6":                          lib("libQt6Core.so.6"),
		qtPath + "/lib/qt-6/plugins/platforms/libqxcb.so":        lib(""),
		qtPath + "/lib/qt-6/plugins/imageformats/libqjpeg.so":    lib(""),
		qtSVGPath + "/lib/qt-6/plugins/imageformats/libqsvg.so":  lib(""),
		qtSVGPath + "/lib/qt-6/plugins/imageformats/loop":        elftest.Link(".."),
		pixbufPath + "/lib/libgdk_pixbuf-2.0.so.0":               lib("libgdk_pixbuf-2.0.so.0"),
		pixbufPath + "/lib/gdk-pixbuf-2.0/2.10.0/loaders/png.so": lib(""),
		pixbufPath + "/lib/gdk-pixbuf-2.0/2.10.0/loaders.cache":  elftest.Data("cache"),

		xkbPath + "/lib/libxkbcommon.so.0":        opening(lib("libxkbcommon.so.0"), "", xkbDataPath+"/share/X11/xkb", "/nix/store/no"),
		xkbDataPath + "/share/X11/xkb/rules/base": elftest.Data("text"),

		vaPath + "/lib/libva.so.2":           lib("libva.so.2"),
		vaPath + "/lib/dri/iHD_drv_video.so": lib(""),
	}
}

// place puts each path where a bundle might.
func place(at string) string {
	_, rest, _ := closure.ParseStorePath("/nix/store", at)
	return "%ROOT%" + rest
}

// matchText is a match in a few words.
func matchText(p *closure.PluginMatch) string {
	var words []string
	for _, list := range [][]string{p.Folders, p.Files, p.Caches} {
		var names []string
		for _, at := range list {
			names = append(names, path.Base(at))
		}
		words = append(words, strings.Join(names, " "))
	}
	for _, c := range p.Changes(place) {
		words = append(words, string(c.Op)+" "+c.Name+" "+c.Value)
	}
	return p.Rule.Name + ": " + strings.Join(words, "|")
}

func TestPlugins(t *testing.T) {
	root := pluginTree("iconv_open").FS()
	c, err := closure.Walk(root, []string{appPath + "/bin/app"}, closure.Options{})
	require.NoError(t, err)
	matches, err := new(closure.Seeker).Plugins(root, c.LinkMaps[0], map[string]string{
		"QT_PLUGIN_PATH": qtSVGPath + "/lib/qt-6/plugins:relative:/nowhere", "OPENSSL_ENGINES": "/nowhere",
	})
	require.NoError(t, err)
	var got []string
	for i := range matches {
		got = append(got, matchText(&matches[i]))
	}
	assert.Equal(t, []string{
		"gconv: ||",
		"openssl-providers: ossl-modules|legacy.so||setDefault OPENSSL_MODULES %ROOT%/lib/ossl-modules",
		"openssl-engines: engines-3|afalg.so|",
		"openssl-conf: ||",
		"qt6-plugins: plugins plugins|libqjpeg.so libqxcb.so libqsvg.so||suffix QT_PLUGIN_PATH %ROOT%/lib/qt-6/plugins",
		"gdk-pixbuf: loaders|png.so|loaders.cache|setDefault GDK_PIXBUF_MODULE_FILE %ROOT%/lib/gdk-pixbuf-2.0/2.10.0/loaders.cache",
		"xkb: xkb|||setDefault XKB_CONFIG_ROOT %ROOT%/share/X11/xkb",
		"va-api: dri|iHD_drv_video.so||setDefault LIBVA_DRIVERS_PATH %ROOT%/lib/dri",
	}, got)
}

// TestGatherPlugins walks until nothing is new: the plugins, what they need, and what those open.
func TestGatherPlugins(t *testing.T) {
	root := pluginTree("").FS()
	c, err := closure.Gather(root, []string{appPath + "/bin/app"}, closure.Options{}, closure.Follow{})
	require.NoError(t, err)
	m := c.LinkMaps[0]
	var opened []string
	for _, o := range m.Opened {
		require.NoError(t, o.Err)
		require.NotNil(t, o.Need.To, o.Name)
		opened = append(opened, path.Base(o.Need.From.Path)+" "+path.Base(o.Name))
	}
	assert.Equal(t, []string{"libcrypto.so.3 legacy.so", "libQt6Core.so.6 libqjpeg.so", "libQt6Core.so.6 libqxcb.so",
		"libgdk_pixbuf-2.0.so.0 png.so", "libextra.so.1 deep.so"}, opened)
	assert.NoError(t, c.Missing())
	assert.False(t, slices.ContainsFunc(opened, func(o string) bool { return strings.Contains(o, "iHD_drv_video") }), "a driver of the machine")
	value, ok := wrapper.Variable(m.Setup.Env, "OPENSSL_MODULES", "", false)
	assert.True(t, ok)
	assert.Equal(t, opensslPath+"/lib/ossl-modules", value)
	value, _ = wrapper.Variable(m.Setup.Env, "OPENSSL_MODULES", "/own", true)
	assert.Equal(t, "/own", value, "what a user sets comes first")

	c, err = closure.Gather(root, []string{appPath + "/bin/app"}, closure.Options{}, closure.Follow{
		Plugins: []string{"openssl-engines", "-openssl-providers", "-qt6-plugins", "-gdk-pixbuf"},
	})
	require.NoError(t, err)
	require.Len(t, c.LinkMaps[0].Opened, 1)
	assert.Equal(t, opensslPath+"/lib/engines-3/afalg.so", c.LinkMaps[0].Opened[0].Name)

	_, err = closure.Gather(root, []string{appPath + "/bin/app"}, closure.Options{}, closure.Follow{Plugins: []string{"-nosuch"}})
	require.ErrorContains(t, err, `plugins "-nosuch": there is no rule of that name`)
}

// TestPluginRules holds the table to what its fields promise.
func TestPluginRules(t *testing.T) {
	names := map[string]bool{}
	for _, r := range closure.PluginRules() {
		assert.False(t, names[r.Name], r.Name)
		names[r.Name] = true
		assert.NotEmpty(t, r.What, r.Name)
		assert.NotEmpty(t, r.Source, r.Name)
		assert.NotEmpty(t, r.Sonames, r.Name)
		assert.Contains(t, []closure.PluginUse{closure.PluginTake, closure.PluginReport, closure.PluginHost}, r.Use, r.Name)
		for _, pattern := range slices.Concat(r.Sonames, r.Dirs, []string{r.Files}) {
			_, err := path.Match(pattern, "")
			assert.NoError(t, err, r.Name)
			assert.False(t, strings.HasPrefix(pattern, "/") || strings.HasSuffix(pattern, "/") || strings.Contains(pattern, ".."), r.Name)
		}
		for _, v := range r.Vars {
			assert.False(t, v.Adds && v.Sep == "", "%s: %s adds without a separator", r.Name, v.Name)
		}
		assert.True(t, r.Use != closure.PluginTake || r.Dirs != nil || r.Vars != nil, "%s takes nothing", r.Name)
	}
}

// TestPluginRulesFindTheirPlugins makes one plugin in the first folder of each rule, and finds it.
func TestPluginRulesFindTheirPlugins(t *testing.T) {
	concrete := strings.NewReplacer("[56]", "6", "[123]", "2", "*", "1")
	for _, r := range closure.PluginRules() {
		if r.Dirs == nil {
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			soname, store := concrete.Replace(r.Sonames[0]), elftest.StorePath(r.Name)
			at := store + "/" + concrete.Replace(r.Dirs[0])
			if r.Files != "" && path.Base(at) != r.Files {
				at += "/" + concrete.Replace(r.Files)
			}
			files := elftest.Tree{
				x86Interp:                elftest.Image{Soname: "ld-linux-x86-64.so.2"},
				store + "/bin/app":       opening(runPath(program(elftest.Image{}, soname), store+"/lib"), strings.Join(r.Imports, " ")),
				store + "/lib/" + soname: lib(soname),
				at:                       lib(""),
			}
			root := files.FS()
			c, err := closure.Walk(root, []string{store + "/bin/app"}, closure.Options{})
			require.NoError(t, err)
			matches, err := new(closure.Seeker).Plugins(root, c.LinkMaps[0], nil)
			require.NoError(t, err)
			i := slices.IndexFunc(matches, func(p closure.PluginMatch) bool { return p.Rule.Name == r.Name })
			require.GreaterOrEqual(t, i, 0, "no match")
			p := &matches[i]
			assert.Contains(t, slices.Concat(p.Files, p.Folders), found(p, at))
			for _, v := range r.Vars {
				assert.True(t, slices.ContainsFunc(p.Changes(place), func(c wrapper.Change) bool {
					return c.Name == v.Name && strings.HasPrefix(c.Value, "%ROOT%")
				}), v.Name)
			}
		})
	}
}

// found is at, or the folder of it where a rule has no plugins.
func found(p *closure.PluginMatch, at string) string {
	if p.Rule.Files == "" && len(p.Folders) > 0 {
		return p.Folders[0]
	}
	return at
}
