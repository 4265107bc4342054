package bundle_test

import (
	"archive/tar"
	"bytes"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/bundle"
	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/wrapper"
	"github.com/nixbundle/nixbundle/elfpatch"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

// ofSetup are forgeries of a bundle whose program is set up, with data, a helper and plugins.
var ofSetup = []spoil{
	{"launcher_sets_another", func(s *spoiled) { s.replace("app/bin/app", "MODEL", "MODEM") }, bundle.KindStart, "is not the launcher that nixbundle writes"},
	{"setup_gone", func(s *spoiled) { s.manifest.Programs[0].Setup = nil }, bundle.KindStart, "is not the launcher that nixbundle writes"},
	{"setup_of_many_lines", func(s *spoiled) { change(s).Value = "x'\nid\n'" }, bundle.KindStart, "is not the launcher that nixbundle writes"},
	{"setup_with_nul", func(s *spoiled) { change(s).Value = "a\x00b" }, bundle.KindStart, "has a NUL"},
	{"setup_of_the_shell", func(s *spoiled) { change(s).Name = "IFS" }, bundle.KindStart, "which shells have for themselves"},
	{"setup_with_argument", func(s *spoiled) {
		s.manifest.Programs[0].Setup.Args = []wrapper.Arg{{Text: `"$(id)"`, Shell: true}}
	}, bundle.KindStart, "is not the launcher that nixbundle writes"},
	{"helper_deleted", func(s *spoiled) { s.drop("libexec/store/" + own("tool-2") + "/bin/helper") }, bundle.KindManifest, "is no entry"},
	{"helper_starts_another", func(s *spoiled) { s.manifest.Programs[1].ELF = "app/libexec/app" }, bundle.KindStart, "/bin/helper is not the launcher"},
	{"library_deleted", func(s *spoiled) { s.drop("lib/libnet.so") }, closure.KindMissing, "libnet.so"},
	{"plugin_of_store", func(s *spoiled) {
		s.edit("spare.so", elfpatch.Edit{RunPath: elftest.StorePath("net-1") + "/lib"})
	}, bundle.KindStorePath, "/lib/spare.so"},
	{"plugin_leads_out", func(s *spoiled) {
		s.edit("spare.so", elfpatch.Edit{RunPath: "$ORIGIN/../../../../lib:$ORIGIN/../../../lib"})
	}, bundle.KindLeaves, "/lib/spare.so leads out of the bundle"},
	{"plugin_needs_of_machine", func(s *spoiled) {
		s.edit("spare.so", elfpatch.Edit{AddNeeded: []string{"/usr/lib/libz.so.1"}})
	}, bundle.KindLeaves, "/usr/lib/libz.so.1"},
	{"plugin_damaged", func(s *spoiled) { copy(s.member("spare.so").data[0x20:], strings.Repeat("\xff", 8)) }, bundle.KindObject, "spare.so cannot be read"},
	{"plugin_not_as_edited", func(s *spoiled) { s.edit("spare.so", elfpatch.Edit{RemoveRunPath: true}) }, bundle.KindManifest, "spare.so has the"},
	{"data_names_store", func(s *spoiled) {
		m := s.member("share/model/a.bin")
		m.data = append(m.data, elftest.StorePath("x-1")+"/y"...)
	}, bundle.KindManifest, "a.bin names " + elftest.StorePath("x-1") + "/y, and the manifest does not record it"},
	{"data_of_another", func(s *spoiled) { s.entry("share/model/a.bin").StorePath = elftest.StorePath("x-1") }, bundle.KindManifest, "which is not in its store path"},
	{"data_for_library", func(s *spoiled) { s.member("lib/libnet.so").data = []byte("text") }, bundle.KindObject, "lib/libnet.so is not an ELF file"},
	{"data_link_dangles", func(s *spoiled) {
		s.put(tar.Header{Name: "app/share/z", Typeflag: tar.TypeSymlink, Linkname: "model/none", Mode: 0o777}, "")
	}, bundle.KindLink, "app/share/z"},
	{"data_link_out", func(s *spoiled) {
		s.put(tar.Header{Name: "app/share/z", Typeflag: tar.TypeSymlink, Linkname: "../../etc", Mode: 0o777}, "")
	}, bundle.KindManifest, "app/share/z"},
	{"residue_untold", func(s *spoiled) { s.manifest.Residue = nil }, bundle.KindManifest, "the manifest does not record it"},
	{"residue_of_all", func(s *spoiled) {
		for i := range s.manifest.Residue {
			s.manifest.Residue[i].Path = ""
		}
	}, bundle.KindManifest, `does not have ""`},
	{"residue_invented", func(s *spoiled) {
		s.manifest.Residue = append(s.manifest.Residue, bundle.Residue{Kind: closure.MentionData, Entry: "app/lib/libnet.so", Path: elftest.StorePath("x-1"), Count: 1})
	}, bundle.KindManifest, "app/lib/libnet.so does not have"},
	{"residue_of_nothing", func(s *spoiled) {
		s.manifest.Residue = append(s.manifest.Residue, bundle.Residue{Kind: closure.MentionData, Entry: "app/none", Path: elftest.StorePath("x-1"), Count: 1})
	}, bundle.KindManifest, "app/none, which is no file"},
	{"residue_counted_wrong", func(s *spoiled) { s.manifest.Residue[0].Count++ }, bundle.KindManifest, "places, and the manifest says otherwise"},
}

func change(s *spoiled) *wrapper.Change { return &s.manifest.Programs[0].Setup.Env[0] }

// ofPrefix are forgeries of a bundle that has its place, /opt/app.
var ofPrefix = []spoil{
	{"prefix_unsaid", func(s *spoiled) { s.manifest.Prefix = "" }, bundle.KindStart, "is not its ELF file"},
	{"prefix_of_another", func(s *spoiled) { s.manifest.Prefix = "/srv/app" }, bundle.KindStart, "and the bundle is for /srv/app"},
	{"prefix_unclean", func(s *spoiled) { s.manifest.Prefix = "/opt/../app" }, bundle.KindManifest, "cannot be the place"},
	{"wrapper_starts_nothing", func(s *spoiled) { s.replace("-app-1/bin/app", "/bin/.app-wrapped", "/bin/nothing-here") }, bundle.KindStart, "app/bin/app does not start"},
	{"wrapper_does_more", func(s *spoiled) { s.replace("-app-1/bin/app", "export MODEL=", "id;ort MODEL=") }, bundle.KindStart, "runs a command"},
	{"wrapper_of_machine", func(s *spoiled) { wrapperText(s, "#!", "#!/usr/bin/bash -e\n#") }, bundle.KindLeaves, "which the machine decides"},
	{"wrapper_loads_of_machine", func(s *spoiled) { s.drop("-net-1/lib/libnet.so") }, closure.KindMissing, "libnet.so"},
	{"shell_deleted", func(s *spoiled) { s.drop("-bash-5/bin/bash") }, bundle.KindStart, "is a script for /opt/app/store/"},
	{"shell_not_executable", func(s *spoiled) { s.member("-bash-5/bin/bash").Mode = 0o644 }, bundle.KindStart, "which is no program"},
	{"shell_of_another_machine", func(s *spoiled) {
		s.member("-bash-5/bin/bash").data = elftest.Image{Machine: 183, Interp: "/lib/ld-linux-aarch64.so.1"}.Bytes()
	}, bundle.KindStart, "which is for arm64"},
	{"entry_of_another", func(s *spoiled) {
		s.member("app/bin/app").Linkname = strings.Replace(s.member("-tool-2/bin/helper").Name, "app/", "../", 1)
	}, bundle.KindStart, "and in the manifest app/store/"},
	{"setup_in_prefix", func(s *spoiled) {
		s.manifest.Programs[0].Setup = &wrapper.Wrapper{Env: []wrapper.Change{{Op: wrapper.Set, Name: "A"}}}
	}, bundle.KindStart, "nothing is set up in a bundle for /opt/app"},
	{"interp_of_machine", func(s *spoiled) {
		s.edit("bin/.app-wrapped", elfpatch.Edit{Interp: "/lib64/ld-linux-x86-64.so.2"})
	}, bundle.KindStart, "and the bundle is for /opt/app"},
	{"run_path_beside", func(s *spoiled) { s.edit("bin/.app-wrapped", elfpatch.Edit{RunPath: "/opt/app2/lib"}) }, bundle.KindLeaves, "/opt/app2/lib"},
	{"run_path_out", func(s *spoiled) { s.edit("bin/.app-wrapped", elfpatch.Edit{RunPath: "/opt/app/../lib"}) }, bundle.KindLeaves, "/opt/app/../lib"},
	{"run_path_of_platform", func(s *spoiled) { s.edit("bin/.app-wrapped", elfpatch.Edit{RunPath: "/opt/app/$LIB"}) }, bundle.KindLeaves, "/opt/app/$LIB"},
	{"needed_of_machine", func(s *spoiled) {
		s.edit("bin/.app-wrapped", elfpatch.Edit{AddNeeded: []string{"/lib/libz.so.1"}})
	}, bundle.KindLeaves, "/lib/libz.so.1"},
	{"plugin_leads_out", func(s *spoiled) { s.edit("spare.so", elfpatch.Edit{RunPath: "/opt/app2/lib:" + libOf(s, "libnet.so")}) }, bundle.KindLeaves, "spare.so leads to /opt/app2/lib"},
	{"store_in_script", func(s *spoiled) { wrapperText(s, "exec", "# "+elftest.StorePath("x-1")+"\nexec") }, bundle.KindManifest, "the manifest does not record it"},
}

// libOf is the folder of a library at the prefix.
func libOf(s *spoiled, end string) string { return "/opt/" + path.Dir(s.member(end).Name) }

// wrapperText changes the wrapper of the store.
func wrapperText(s *spoiled, from, to string) {
	m := s.member("-app-1/bin/app")
	m.data = bytes.Replace(m.data, []byte(from), []byte(to), 1)
}

func TestVerifySpoiledGathered(t *testing.T) {
	root := wrappedRoot(t, nil)
	p, err := gathered(t, root, closure.Follow{Data: true}, bundle.Options{Interp: "wrapper"}, "app-1/bin/app")
	require.NoError(t, err)
	checkSpoiled(t, pack(t, p, bundle.PackOptions{Format: bundle.FormatTar}), "setup", ofSetup, (*spoiled).seal)
	p, err = gathered(t, root, closure.Follow{}, bundle.Options{Prefix: "/opt/app"}, "app-1/bin/app")
	require.NoError(t, err)
	checkSpoiled(t, pack(t, p, bundle.PackOptions{Format: bundle.FormatTar}), "prefix", ofPrefix, (*spoiled).seal)
}

// TestVerifyPrefixAtTop: a prefix of one folder hides nothing from the proof.
func TestVerifyPrefixAtTop(t *testing.T) {
	p, err := gathered(t, wrappedRoot(t, nil), closure.Follow{}, bundle.Options{Prefix: "/app"}, "app-1/bin/app")
	require.NoError(t, err)
	checkSpoiled(t, pack(t, p, bundle.PackOptions{Format: bundle.FormatTar}), "top", []spoil{
		{"run_path_out", func(s *spoiled) { s.edit("-net-1/lib/libnet.so", elfpatch.Edit{RunPath: "/opt"}) }, bundle.KindLeaves, "libnet.so leads to /opt"},
	}, (*spoiled).seal)
}

// TestVerifyEnvironment: a folder of the machine in a launcher's LD_LIBRARY_PATH is told, and may be meant.
func TestVerifyEnvironment(t *testing.T) {
	follow := closure.Follow{Env: []wrapper.Change{{Op: wrapper.Prefix, Name: "LD_LIBRARY_PATH", Value: "/run/opengl-driver/lib:%ROOT%/share", Sep: ":"}}}
	p, err := gathered(t, wrappedRoot(t, nil), follow, bundle.Options{Interp: "wrapper"}, "tool-2/bin/helper")
	require.NoError(t, err)
	v := verify(t, written(t, "x.tar", pack(t, p, bundle.PackOptions{Format: bundle.FormatTar})))
	require.Len(t, v.Findings, 1)
	assert.Equal(t, [2]any{bundle.KindLeaves, closure.Warning}, [2]any{v.Findings[0].Kind, v.Findings[0].Severity})
	assert.Contains(t, v.Findings[0].What, "is started with LD_LIBRARY_PATH=/run/opengl-driver/lib")
}

// TestVerifyForeignData: a program for another machine, and what only looks like an ELF file, is data where data is.
func TestVerifyForeignData(t *testing.T) {
	root := wrappedRoot(t, map[string]elftest.File{
		"docs-1/all/foreign": elftest.Image{Machine: 183, Interp: "/nix/store/x/ld.so", RunPath: elftest.StorePath("x-1") + "/lib"},
		"docs-1/all/cut":     elftest.Data("\x7fELF\x02\x01"),
	})
	include := []closure.Include{{Pattern: elftest.StorePath("docs-1") + "/all"}}
	for _, opts := range []bundle.Options{{}, {Prefix: "/opt/helper"}} {
		p, err := gathered(t, root, closure.Follow{Include: include}, opts, "tool-2/bin/helper")
		require.NoError(t, err)
		require.Empty(t, verify(t, written(t, "x.tar", pack(t, p, bundle.PackOptions{Format: bundle.FormatTar}))).Findings)
	}
}
