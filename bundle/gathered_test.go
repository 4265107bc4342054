package bundle_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// wrappedRoot is a store with a wrapped program that has a model, a helper on PATH, libraries in LD_LIBRARY_PATH and
// one that it opens by its path.
func wrappedRoot(t *testing.T, more map[string]elftest.File) fs.FS {
	model, tool, plug := elftest.StorePath("model-1"), elftest.StorePath("tool-2"), elftest.StorePath("plug-3")
	inner := runPath(program("libnet.so"), "net-1")
	inner.Rodata = []byte("x\x00" + plug + "/lib/opened.so\x00" + elftest.StorePath("docs-1") + "/share/model/a.bin\x00/nix/store/" + strings.Repeat("0", 32) + "-gone/x.c\x00")
	files := map[string]elftest.File{
		"app-1/bin/app": elftest.Script("#!" + elftest.StorePath("bash-5") + "/bin/bash -e\nexport MODEL='" + model + "/share/model/a.bin'\n" +
			"export PATH='" + tool + "/bin'\nexport LD_LIBRARY_PATH='" + plug + "/lib'\nexec -a \"$0\" \"" + elftest.StorePath("app-1") + "/bin/.app-wrapped\"  \"$@\" \n"),
		"app-1/bin/.app-wrapped":     inner,
		"app-1/bin/alias":            elftest.Link("app"),
		"net-1/lib/libnet.so":        lib("libnet.so"),
		glibcName + "/lib/libm.so.6": elftest.Image{Soname: "libm.so.6", Needed: []string{"libc.so.6"}},
		"bash-5/bin/sh":              elftest.Link("bash"),
		"bash-5/bin/bash":            runPath(program()),
		"tool-2/bin/helper":          runPath(program("libnet.so"), "net-1"),
		"model-1/share/model/a.bin":  elftest.Data("weights of " + elftest.StorePath("net-1") + "/lib/libnet.so\n"),
		"model-1/share/model/b.bin":  elftest.Link("a.bin"),
		"docs-1/share/model/a.bin":   elftest.Data("others\n"),
		"plug-3/lib/opened.so":       runPath(lib("opened.so", "libnet.so"), "net-1"),
		"plug-3/lib/spare.so":        runPath(lib("spare.so.1", "libnet.so", "libm.so.6"), "net-1"),
	}
	for at, f := range more {
		files[at] = f
	}
	return storeTree(t, files)
}

// gathered plans and proves the bundle of programs, given as NAME/bin/PROGRAM, with what they use.
func gathered(t testing.TB, root fs.FS, follow closure.Follow, opts bundle.Options, programs ...string) (*bundle.Plan, error) {
	t.Helper()
	var paths []string
	for _, p := range programs {
		name, rest, _ := strings.Cut(p, "/")
		paths = append(paths, elftest.StorePath(name)+"/"+rest)
	}
	if opts.Prefix != "" {
		follow.Data, follow.Wrappers = true, true
	}
	c, err := closure.Gather(root, paths, closure.Options{}, follow)
	if err != nil {
		return nil, err
	}
	p, err := bundle.NewPlan(c, opts)
	if err != nil {
		return nil, err
	}
	return p, p.Prove()
}

// TestOpenedByPrograms: what every program opens is not what a library opens that is walked by itself.
func TestOpenedByPrograms(t *testing.T) {
	opened := closure.Options{Opened: []closure.Opened{{Name: "libm.so.6"}, {By: "libnet.so", Name: "libm.so.6"}}}
	c, err := closure.Gather(wrappedRoot(t, nil), []string{elftest.StorePath("app-1") + "/bin/app"}, opened, closure.Follow{})
	require.NoError(t, err)
	require.NotEmpty(t, c.Libraries)
	require.Len(t, c.LinkMaps[0].Opened, 3) // one is in its text
	for _, m := range c.Libraries {
		for _, o := range m.Opened {
			require.NotEmpty(t, o.By, m.Asked)
		}
	}
	p, err := bundle.NewPlan(c, bundle.Options{})
	require.NoError(t, err)
	require.NoError(t, p.Prove())
}

// TestOpenedByOneProgram: what one program opens by a library, another library that needs that one does not open
// when it is walked by itself, neither before nor in the bundle.
func TestOpenedByOneProgram(t *testing.T) {
	app := elftest.StorePath("app-1") + "/bin/app"
	opened := closure.Options{Opened: []closure.Opened{{By: "libnet.so", Name: "libm.so.6", Program: app}}}
	c, err := closure.Gather(wrappedRoot(t, nil), []string{app}, opened, closure.Follow{})
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(c.Libraries, func(m *closure.LinkMap) bool {
		return slices.ContainsFunc(m.Loaded, func(l *closure.Loaded) bool { return l.Object.Info.Soname == "libnet.so" })
	}), "no library needs the one that opens")
	for _, m := range c.Libraries {
		require.Empty(t, m.Opened, m.Asked)
	}
	p, err := bundle.NewPlan(c, bundle.Options{})
	require.NoError(t, err)
	require.NoError(t, p.Prove())
}

// layoutOf are the files and links of a plan, below its folder.
func layoutOf(p *bundle.Plan) map[string]string {
	list := map[string]string{}
	for _, e := range p.Entries {
		if rel := strings.TrimPrefix(e.Path, p.Name+"/"); !e.Mode.IsDir() {
			list[rel] = e.Link
		}
	}
	return list
}

// TestGathered: helpers on PATH, folders in LD_LIBRARY_PATH, data and what is opened come along, and the setup
// names their places.
func TestGathered(t *testing.T) {
	follow := closure.Follow{Data: true, Env: []wrapper.Change{{Op: wrapper.Set, Name: "CONF", Value: "%ROOT%/share/conf"}}}
	p, err := gathered(t, wrappedRoot(t, nil), follow, bundle.Options{Interp: "wrapper"}, "app-1/bin/app")
	require.NoError(t, err)
	have := layoutOf(p)
	for _, at := range []string{
		"bin/app", "libexec/app", "share/model/a.bin", "store/" + own("model-1") + "/share/model/a.bin",
		"store/" + own("tool-2") + "/bin/helper", "libexec/store/" + own("tool-2") + "/bin/helper",
		"store/" + own("plug-3") + "/lib/opened.so", "store/" + own("plug-3") + "/lib/spare.so", "lib/libnet.so",
	} {
		assert.Contains(t, have, at)
	}
	env := map[string]string{}
	for _, c := range p.Programs[0].Setup.Env {
		env[c.Name] = c.Value
	}
	assert.Equal(t, map[string]string{
		"MODEL": "%ROOT%/store/" + own("model-1") + "/share/model/a.bin", "PATH": "%ROOT%/store/" + own("tool-2") + "/bin",
		"LD_LIBRARY_PATH": "%ROOT%/store/" + own("plug-3") + "/lib", "CONF": "%ROOT%/share/conf",
	}, env)
	assert.Equal(t, "app/store/"+own("tool-2")+"/bin/helper", p.Programs[1].Entry)
	assert.Equal(t, elftest.StorePath("plug-3")+"/lib/opened.so", p.Entries[slices.IndexFunc(p.Entries, func(e bundle.Entry) bool { return e.Path == "app/libexec/app" })].Texts[0].From)
	for _, e := range p.Entries {
		for _, text := range e.Texts {
			assert.Len(t, text.To, len(text.From))
			assert.Regexp(t, `^\$ORIGIN/\.\./store/`+own("plug-3")+`/lib/+opened\.so$`, text.To)
		}
	}
	first := pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})
	again, err := gathered(t, wrappedRoot(t, nil), follow, bundle.Options{Interp: "wrapper"}, "app-1/bin/app")
	require.NoError(t, err)
	assert.Equal(t, sha(first), sha(pack(t, again, bundle.PackOptions{Format: bundle.FormatTar, Workers: 1})))
	v := verify(t, written(t, "x.tar", first))
	require.Empty(t, v.Findings)
	assert.Equal(t, 2, v.Programs)
	assert.Equal(t, [2]int{2, 2}, [2]int{v.Naming, v.Looking})
}

// TestIncluded: what somebody wants at a place goes there, whatever else takes along the folder around it.
func TestIncluded(t *testing.T) {
	model := elftest.StorePath("model-1")
	for name, test := range map[string]struct {
		include []closure.Include
		data    bool
		want    []string
		err     string
	}{
		"share_layout":   {include: []closure.Include{{Pattern: model + "/share/model"}}, want: []string{"share/model/a.bin", "share/model/b.bin"}},
		"dest":           {include: []closure.Include{{Pattern: model + "/share/model", Dest: "etc/m"}}, want: []string{"etc/m/a.bin", "etc/m/b.bin"}},
		"dest_of_glob":   {include: []closure.Include{{Pattern: model + "/share/model/*.bin", Dest: "m"}}, want: []string{"m/a.bin", "m/b.bin"}},
		"dest_kept":      {include: []closure.Include{{Pattern: model + "/share/model/a.bin", Dest: "m/x"}, {Pattern: model + "/share"}}, want: []string{"m/x"}},
		"dest_kept_late": {include: []closure.Include{{Pattern: model + "/share"}, {Pattern: model + "/share/model/a.bin", Dest: "m/x"}}, want: []string{"m/x"}},
		"whole":          {include: []closure.Include{{Pattern: model}}, want: []string{"store/" + own("model-1") + "/share/model/a.bin"}},
		"dest_twice":     {include: []closure.Include{{Pattern: model, Dest: "a"}, {Pattern: model, Dest: "b"}}, err: "is wanted at a and at b"},
		"dest_taken": {include: []closure.Include{{Pattern: model, Dest: "a"}, {Pattern: elftest.StorePath("docs-1"), Dest: "a/b"}},
			err: "something else is there already"},
		"dest_out":      {include: []closure.Include{{Pattern: model, Dest: "../x"}}, err: "without .. in it"},
		"dest_abs":      {include: []closure.Include{{Pattern: model, Dest: "/x"}}, err: "without .. in it"},
		"dest_bin":      {include: []closure.Include{{Pattern: model, Dest: "bin/x"}}, err: "bin, lib and libexec are"},
		"dest_store":    {include: []closure.Include{{Pattern: model, Dest: "store/x"}}, err: "store is for"},
		"dest_manifest": {include: []closure.Include{{Pattern: model, Dest: "share/nixbundle"}}, err: "something else is there already"},
		"no_match":      {include: []closure.Include{{Pattern: model + "/*.none"}}, err: "*.none"},
		"absent":        {include: []closure.Include{{Pattern: model + "/none"}}, err: "no such file"},
	} {
		for _, prefix := range []string{"", "/opt/app"} {
			t.Run(name+prefix, func(t *testing.T) {
				p, err := gathered(t, wrappedRoot(t, nil), closure.Follow{Include: test.include}, bundle.Options{Prefix: prefix}, "tool-2/bin/helper")
				if test.err != "" && (prefix == "" || name != "dest_manifest") {
					require.ErrorContains(t, err, test.err)
					return
				}
				if test.err != "" {
					return
				}
				require.NoError(t, err)
				v := verify(t, written(t, "x.tar", pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})))
				require.Empty(t, v.Findings)
				for _, at := range test.want {
					if prefix == "" {
						assert.Contains(t, layoutOf(p), at)
					}
				}
				if prefix != "" && test.include[0].Dest != "" && name != "dest_of_glob" {
					assert.NotEmpty(t, layoutOf(p)[test.include[0].Dest], "a link leads from the wanted place")
				}
			})
		}
	}
}

// TestPrefixed: a prefix keeps every path, by which programs are asked for too.
func TestPrefixed(t *testing.T) {
	root := wrappedRoot(t, nil)
	p, err := gathered(t, root, closure.Follow{}, bundle.Options{Prefix: "/opt/app"}, "app-1/bin/app", "app-1/bin/app", "app-1/bin/alias", "bash-5/bin/sh")
	require.NoError(t, err)
	require.Len(t, p.Programs, 3)
	have := layoutOf(p)
	short := filepath.Base(elftest.StorePath("app-1"))[:28] + "-app-1"
	assert.Equal(t, "../store/"+short+"/bin/app", have["bin/app"])
	assert.Equal(t, "../store/"+short+"/bin/alias", have["bin/alias"])
	assert.Equal(t, "app", have["store/"+short+"/bin/alias"])
	data := pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})
	v := verify(t, written(t, "x.tar", data))
	require.Empty(t, v.Findings)
	assert.Zero(t, v.Looking)
	assert.NotContains(t, string(data), elftest.StorePath("plug-3")+"/lib/opened.so\x00")

	elsewhere := t.TempDir()
	run(t, "tar", "-C", elsewhere, "-xf", written(t, "y.tar", data))
	require.Empty(t, verify(t, elsewhere).Findings)
}

// TestStrictLeavesNothing: a bundle in which something may look into the store is refused, and no file appears.
func TestStrictLeavesNothing(t *testing.T) {
	p, err := gathered(t, wrappedRoot(t, nil), closure.Follow{}, bundle.Options{Strict: true}, "app-1/bin/app")
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range []string{"/x.tar.zst", "/x.tar", "/folder/"} {
		_, err = bundle.Create(t.Context(), dir+name, p, bundle.PackOptions{})
		var strict *bundle.StrictError
		require.ErrorAs(t, err, &strict)
		assert.Contains(t, err.Error(), "app/libexec/app: names "+elftest.StorePath("docs-1")+"/share/model/a.bin (data)")
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left, name)
	}
}
