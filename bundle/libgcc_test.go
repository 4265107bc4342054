package bundle_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

const libgcc = "libgcc_s.so.1"

// trusting is ld.so as nixpkgs builds it: the directory of libgcc is compiled in behind its own.
func trusting() elftest.Image {
	im := elftest.Image{Soname: "ld-linux-x86-64.so.2"}
	im.Trailer = []byte("\x00" + libDir(glibcName) + "/\x00" + libDir("libgcc-13") + "/\x00\x00")
	return im
}

// packedLibraries are the entries of a plan below lib/, without the C library.
func packedLibraries(entries map[string]bundle.Entry) []string {
	var names []string
	for at, e := range entries {
		_, name, ok := strings.Cut(at, "/lib/")
		if ok && e.Object != nil && !strings.HasPrefix(name, "libc.so") && !strings.HasPrefix(name, "ld-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestLibgccTaken(t *testing.T) {
	trusted := map[string]elftest.File{
		glibcName + "/lib/ld-linux-x86-64.so.2": trusting(),
		"libgcc-13/lib/" + libgcc:               lib(libgcc),
		"app-1.0/bin/app":                       program(),
	}
	for _, test := range []struct {
		name, interp string
		more         map[string]elftest.File
		want         []string
	}{
		{"of_the_loaders_own_directory", "wrapper", nil, []string{libgcc}},
		{"not_beside_the_targets_glibc", "system", nil, nil},
		{"of_a_run_path", "wrapper", map[string]elftest.File{
			glibcName + "/lib/ld-linux-x86-64.so.2": elftest.Image{Soname: "ld-linux-x86-64.so.2"},
			"gcc-14-lib/lib/" + libgcc:              lib(libgcc), "app-1.0/bin/app": runPath(program(), "gcc-14-lib")}, []string{libgcc}},
		{"needed_anyway", "wrapper", map[string]elftest.File{
			"gcc-14-lib/lib/" + libgcc: lib(libgcc, ""), "app-1.0/bin/app": runPath(program(libgcc), "gcc-14-lib")}, []string{libgcc}},
		{"needs_more_than_there_is", "wrapper", map[string]elftest.File{"libgcc-13/lib/" + libgcc: lib(libgcc, "libother.so")}, nil},
		{"outside_the_store", "wrapper", map[string]elftest.File{"libgcc-13/lib/" + libgcc: elftest.Link("/usr/lib/" + libgcc)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := maps.Clone(trusted)
			maps.Copy(files, test.more)
			root := storeTree(t, files)
			require.Equal(t, test.want, packedLibraries(mustPlan(t, root, bundle.Options{Interp: test.interp}, "app-1.0/bin/app")))
		})
	}
}

// TestLibgccApart: a program that needs another one has it in lib/, so that what glibc opens for the
// other program is in a folder of its own, to which its DT_RPATH leads.
func TestLibgccApart(t *testing.T) {
	root := storeTree(t, map[string]elftest.File{
		glibcName + "/lib/ld-linux-x86-64.so.2": trusting(),
		"libgcc-13/lib/" + libgcc:               lib(libgcc),
		"gcc-14-lib/lib/" + libgcc:              lib(libgcc, ""),
		"cxx-1.0/bin/cxx":                       runPath(program(libgcc), "gcc-14-lib"),
		"app-1.0/bin/app":                       program(),
	})
	entries := mustPlan(t, root, bundle.Options{Interp: "wrapper"}, "cxx-1.0/bin/cxx", "app-1.0/bin/app")
	require.Equal(t, []string{libgcc, own("libgcc-13") + "/" + libgcc}, packedLibraries(entries))
	require.Equal(t, "$ORIGIN/../lib/"+own("libgcc-13")+":$ORIGIN/../lib", entries["cxx/libexec/app"].Edit.RunPath)
}
