package closure_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// itemStore is a store of data.
func itemStore() elftest.Tree {
	return elftest.Tree{
		model + "/share/models/face.onnx":  elftest.Data("onnx"),
		model + "/share/models/.hidden":    elftest.Data("h"),
		model + "/share/models/run":        elftest.Script("#!/bin/sh\n"),
		model + "/share/models/deep/a.txt": elftest.Data("a"),
		model + "/share/models/deep/b.txt": elftest.Data("b"),
		model + "/share/models/near":       elftest.Link("deep/a.txt"),
		model + "/share/models/self":       elftest.Link("."),
		model + "/share/models/far":        elftest.Link(zlib + "/lib"),
		model + "/share/models/far2":       elftest.Link("../../../" + zlib[11:] + "/lib"),
		model + "/share/models/out":        elftest.Link("/etc/passwd"),
		model + "/share/models/above":      elftest.Link("../../../../../../../../etc/passwd"),
		model + "/share/models/none":       elftest.Link("nothing"),
		model + "/share/models/round":      elftest.Link("round"),
		model + "/share/current":           elftest.Link("models"),
		model + "/share/secret":            elftest.Link("/etc"),
		model + "/share/empty":             elftest.Dir{},
		zlib + "/lib/libz.so":              elftest.Data("z"),
		alone:                              elftest.Data("alone"),
		"etc/passwd":                       elftest.Data("x"),
		"home/result":                      elftest.Link(model),
		"home/file":                        elftest.Data("x"),
	}
}

// itemRoots are the same store in memory and on the disk.
func itemRoots(t *testing.T) map[string]fs.FS {
	t.Helper()
	root, err := closure.OpenRoot(elftest.WriteTree(t, itemStore()))
	require.NoError(t, err)
	return map[string]fs.FS{"memory": itemStore().FS(), "disk": root}
}

// TestReadItem: a folder is all that is in it, in order, with its links as links.
func TestReadItem(t *testing.T) {
	for name, root := range itemRoots(t) {
		t.Run(name, func(t *testing.T) {
			item, err := closure.ReadItem(root, model+"/share/models", closure.Options{})
			require.NoError(t, err)
			var got []string
			for _, e := range item.Entries {
				line := e.Mode.Type().String()[:1] + " " + e.Name
				if e.Link != "" {
					line += " " + e.Link + " = " + e.Target
				}
				got = append(got, line)
				if e.Mode.IsRegular() {
					f, err := e.Object.Open()
					require.NoError(t, err)
					b := make([]byte, e.Object.Size)
					_, err = f.ReadAt(b, 0)
					require.NoError(t, err)
					require.NoError(t, f.Close())
					if e.Name == "face.onnx" {
						assert.Equal(t, "onnx", string(b))
					}
				}
			}
			models := model + "/share/models"
			assert.Equal(t, []string{
				"d .", "- .hidden", "L above ../../../../../../../../etc/passwd = /etc/passwd", "d deep", "- deep/a.txt", "- deep/b.txt",
				"- face.onnx", "L far " + zlib + "/lib = " + zlib + "/lib", "L far2 ../../../" + zlib[11:] + "/lib = " + zlib + "/lib",
				"L near deep/a.txt = " + models + "/deep/a.txt", "L none nothing = ", "L out /etc/passwd = /etc/passwd",
				"L round round = ", "- run", "L self . = " + models,
			}, got)
			assert.Equal(t, int64(4+1+10+1+1), item.Size)
			assert.Equal(t, []string{zlib + "/lib"}, item.Leads)
			assert.Equal(t, []string{"above", "out"}, item.Outside)
			assert.Equal(t, []string{"none", "round"}, item.Dangling)
			for _, e := range item.Entries {
				if e.Name == "run" || e.Name == "face.onnx" {
					assert.Equal(t, e.Name == "run", e.Mode&0o111 != 0)
				}
			}
		})
	}
}

// TestReadItemPaths: what a path means, and what it may not.
func TestReadItemPaths(t *testing.T) {
	for _, test := range []struct {
		path, at, target string
		why              string // in the error
	}{
		{alone, alone, alone, ""},
		{model + "/share/current", model + "/share/current", model + "/share/models", ""},
		{model + "/share/current/near", model + "/share/current/near", model + "/share/models/deep/a.txt", ""},
		{model + "/share/../share/empty/", model + "/share/empty", model + "/share/empty", ""},
		{"/home/result", model, model, ""},
		{"/home/result/share/empty", model + "/share/empty", model + "/share/empty", ""},
		{zlib + "/none", "", "", "no such file"},
		{gone, "", "", "no such file"},
		{alone + "/x", "", "", "not a directory"},
		{"share/models", "", "", "not an absolute path"},
		{"", "", "", "not an absolute path"},
		{"/nix/store", "", "", "is the whole store"},
		{model + "/..", "", "", "is the whole store"},
		{"/", "", "", "is not in the store, /nix/store"},
		{"/etc/passwd", "", "", "is not in the store"},
		{"/home/file", "", "", "is not in the store"},
		{"/home/none", "", "", "no such file"},
		{model + "/../../../etc/passwd", "", "", "is not in the store"},
		{model + "/share/secret", "", "", "leads out of the store, to /etc"},
		{model + "/share/secret/passwd", "", "", "leads out of the store, to /etc/passwd"},
		{model + "/share/models/none", "", "", "no such file"},
		{model + "/share/models/round", "", "", "too many levels of symbolic links"},
	} {
		for name, root := range itemRoots(t) {
			item, err := closure.ReadItem(root, test.path, closure.Options{})
			if test.why != "" {
				var refused *closure.ItemError
				require.ErrorAs(t, err, &refused, "%s: %s", name, test.path)
				assert.ErrorContains(t, err, test.why)
				continue
			}
			require.NoError(t, err, "%s: %s", name, test.path)
			assert.Equal(t, []string{test.at, test.target}, []string{item.Path, item.Target}, test.path)
		}
	}
}

// TestReadItems: what patterns match.
func TestReadItems(t *testing.T) {
	share := model + "/share"
	digest := model[11:43]
	for _, test := range []struct {
		pattern string
		want    []string
		why     string
	}{
		{alone, []string{alone}, ""},
		{share + "/models/*.onnx", []string{share + "/models/face.onnx"}, ""},
		{share + "/models/deep/?.txt", []string{share + "/models/deep/a.txt", share + "/models/deep/b.txt"}, ""},
		{share + "/models/deep/[b-z].txt", []string{share + "/models/deep/b.txt"}, ""},
		{share + "/**/*.txt", []string{share + "/models/deep/a.txt", share + "/models/deep/b.txt"}, ""},
		{share + "/**/**/b.txt", []string{share + "/models/deep/b.txt"}, ""},
		{share + "/*/a.txt", nil, "nothing matches"},
		{share + "/cur*/deep/a.*", []string{share + "/current/deep/a.txt"}, ""},
		{share + "/m*", []string{share + "/models"}, ""},
		{share + "/models/deep/**", []string{share + "/models/deep"}, ""},
		{"/nix/store/" + digest + "-*/share/empty", []string{share + "/empty"}, ""},
		{"/nix/store/*/lib", []string{zlib + "/lib"}, ""},
		{"/home/result/share/e*", []string{share + "/empty"}, ""},
		{share + "/*.none", nil, "nothing matches"},
		{share + "/none/*", nil, "no such file"},
		{share + "/[", nil, "not a pattern: ["},
		{share + "/sec*/passwd", nil, "leads out of the store, to /etc/passwd"},
		{"/etc/*", nil, "is not in the store"},
		{"/*", nil, "is not in the store"},
		{"*", nil, "not an absolute path"},
		{share + "/none", nil, "no such file"},
	} {
		for name, root := range itemRoots(t) {
			items, err := closure.ReadItems(root, test.pattern, closure.Options{})
			if test.why != "" {
				var refused *closure.ItemError
				require.ErrorAs(t, err, &refused, "%s: %s", name, test.pattern)
				assert.ErrorContains(t, err, test.why)
				assert.Equal(t, test.why == "nothing matches", errors.Is(err, closure.ErrNoMatch))
				assert.Nil(t, items)
				continue
			}
			require.NoError(t, err, "%s: %s", name, test.pattern)
			var got []string
			for _, item := range items {
				got = append(got, item.Path)
			}
			assert.Equal(t, test.want, got, test.pattern)
		}
	}
}

// TestReadItemsLinks: links that match a pattern are followed where they can be, and else kept and named.
func TestReadItemsLinks(t *testing.T) {
	for name, root := range itemRoots(t) {
		items, err := closure.ReadItems(root, model+"/share/models/[nor]*", closure.Options{})
		require.NoError(t, err, name)
		var got []string
		for _, item := range items {
			state := item.Target
			if item.Entries[0].Link != "" {
				state = "kept: " + item.Entries[0].Link + strings.Join(item.Dangling, " dangling") + strings.Join(item.Outside, " outside")
			}
			got = append(got, filepath.Base(item.Path)+" "+state)
		}
		assert.Equal(t, []string{
			"near " + model + "/share/models/deep/a.txt", "none kept: nothing.", "out kept: /etc/passwd.", "round kept: round.",
			"run " + model + "/share/models/run",
		}, got)
	}
}

// TestReadItemDeep: folders in folders end at PATH_MAX.
func TestReadItemDeep(t *testing.T) {
	files := elftest.Tree{model + strings.Repeat("/d", 2100) + "/x": elftest.Data("x")}
	_, err := closure.ReadItem(files.FS(), model, closure.Options{})
	var refused *closure.ItemError
	require.ErrorAs(t, err, &refused)
}
