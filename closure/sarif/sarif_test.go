package sarif_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/sarif"
	"github.com/nixbundle/nixbundle/elfpatch/elftest"
)

const loader = "/lib64/ld-linux-x86-64.so.2"

// clash is a root in which a program's two libraries want one soname from two store paths.
func clash(program, model, first, second string) fs.FS {
	return elftest.Tree{
		program:                     elftest.Image{Interp: loader, Needed: []string{"libmodel.so", "libvision.so"}, RunPath: model + "/lib"},
		loader:                      elftest.Image{Soname: "ld-linux-x86-64.so.2"},
		model + "/lib/libmodel.so":  elftest.Image{Needed: []string{"libpb.so.1"}, RunPath: first + "/lib"},
		model + "/lib/libvision.so": elftest.Image{Needed: []string{"libpb.so.1"}, RunPath: second + "/lib"},
		first + "/lib/libpb.so.1":   elftest.Image{Soname: "libpb.so.1"},
		second + "/lib/libpb.so.1":  elftest.Image{Soname: "libpb.so.1", BuildID: []byte("another")},
	}.FS()
}

// log is what of a report is looked at.
type log struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Version string
				Rules   []struct{ ID, Name string }
			}
		}
		Results []result
	}
}

type result struct {
	RuleID, Level    string
	RuleIndex        int
	Message          struct{ Text string }
	Locations        []location
	RelatedLocations []location
	CodeFlows        []struct {
		ThreadFlows []struct{ Locations []struct{ Location location } }
	}
	PartialFingerprints map[string]string
	Suppressions        []struct{ Kind, Status, Justification string }
}

type location struct {
	PhysicalLocation struct {
		ArtifactLocation struct{ URI, URIBaseID string }
		Region           struct{ StartLine, StartColumn, EndLine, EndColumn int }
	}
	Message struct{ Text string }
}

// report writes the faults of a program.
func report(t *testing.T, root fs.FS, program string, edit func(*closure.Closure, *sarif.Report)) log {
	t.Helper()
	c, err := closure.Walk(root, []string{program}, closure.Options{})
	require.NoError(t, err)
	findings, err := closure.Judge(c)
	require.NoError(t, err)
	r := sarif.Report{Version: "v1.2.3"}
	for _, f := range findings {
		if f.Severity == closure.Error {
			r.Findings = append(r.Findings, f)
		}
	}
	if edit != nil {
		edit(c, &r)
	}
	var out bytes.Buffer
	require.NoError(t, sarif.Write(&out, c, r))
	var l log
	require.NoError(t, json.Unmarshal(out.Bytes(), &l))
	require.Len(t, l.Runs, 1)
	return l
}

func TestResult(t *testing.T) {
	model, first, second := elftest.StorePath("model-1"), elftest.StorePath("pb-3.21"), elftest.StorePath("pb-4.0")
	l := report(t, clash("/bin/app", model, first, second), "/bin/app", func(_ *closure.Closure, r *sarif.Report) {
		r.Place = func(file string) string {
			if file == "/bin/app" {
				return "result/bin/app"
			}
			return "/mnt" + file
		}
	})
	driver := l.Runs[0].Tool.Driver
	require.Equal(t, "v1.2.3", driver.Version)
	require.Len(t, l.Runs[0].Results, 1)
	r := l.Runs[0].Results[0]
	require.Equal(t, "same-soname", r.RuleID)
	require.Equal(t, "same-soname", driver.Rules[r.RuleIndex].ID)
	require.Equal(t, "SameSoname", driver.Rules[r.RuleIndex].Name)
	require.Equal(t, "error", r.Level)
	require.Contains(t, r.Message.Text, "libmodel.so brings libpb.so.1 of ")
	require.Contains(t, r.Message.Text, ". Hint: build both users against one pb ")
	require.Equal(t, "result/bin/app", r.Locations[0].PhysicalLocation.ArtifactLocation.URI)
	require.Equal(t, "%SRCROOT%", r.Locations[0].PhysicalLocation.ArtifactLocation.URIBaseID)
	require.Len(t, r.RelatedLocations, 2)
	require.Equal(t, "file:///mnt"+first+"/lib/libpb.so.1", r.RelatedLocations[0].PhysicalLocation.ArtifactLocation.URI)
	require.Empty(t, r.RelatedLocations[0].PhysicalLocation.ArtifactLocation.URIBaseID)
	require.Equal(t, "kept "+first+"/lib/libpb.so.1, by app -> libmodel.so -> libpb.so.1", r.RelatedLocations[0].Message.Text)
	require.True(t, strings.HasPrefix(r.RelatedLocations[1].Message.Text, "wanted "+second))
	require.Len(t, r.CodeFlows, 2)
	steps := r.CodeFlows[1].ThreadFlows[0].Locations
	require.Len(t, steps, 3)
	require.Equal(t, "app needs libvision.so: DT_RUNPATH of /bin/app", steps[0].Location.Message.Text)
	require.Equal(t, second+"/lib/libpb.so.1", steps[2].Location.Message.Text)
}

// A result is the same after a rebuild, which changes digests, and another after an update of a package.
func TestFingerprints(t *testing.T) {
	of := func(program, model, first, second string) map[string]string {
		return report(t, clash(program, model, first, second), program, nil).Runs[0].Results[0].PartialFingerprints
	}
	path := func(digest, name string) string { return "/nix/store/" + strings.Repeat(digest, 32) + "-" + name }
	one := of("/bin/app", path("a", "m-1"), path("b", "pb-3"), path("c", "pb-4"))
	require.Len(t, one, 2)
	require.Regexp(t, "^[0-9a-f]{32}$", one["acceptance/v1"])
	require.Equal(t, one["acceptance/v1"][:16]+":1", one["primaryLocationLineHash"])
	require.Equal(t, one, of("/usr/bin/app", path("d", "m-2"), path("f", "pb-3"), path("g", "pb-4")))
	require.NotEqual(t, one, of("/bin/app", path("a", "m-1"), path("b", "pb-3"), path("c", "pb-5")))
	require.NotEqual(t, one, of("/bin/app2", path("a", "m-1"), path("b", "pb-3"), path("c", "pb-4")))
}

// What is alike is told apart by a number: a code host takes two of one fingerprint for one.
func TestFingerprintsAreNumbered(t *testing.T) {
	l := report(t, clash("/bin/app", elftest.StorePath("m"), elftest.StorePath("pb-3"), elftest.StorePath("pb-4")), "/bin/app",
		func(_ *closure.Closure, r *sarif.Report) { r.Findings = append(r.Findings, r.Findings...) })
	first, second := l.Runs[0].Results[0].PartialFingerprints, l.Runs[0].Results[1].PartialFingerprints
	require.Equal(t, first["acceptance/v1"], second["acceptance/v1"])
	require.True(t, strings.HasSuffix(second["primaryLocationLineHash"], ":2"))
}

func TestAcceptedIsSuppressed(t *testing.T) {
	l := report(t, clash("/bin/app", elftest.StorePath("m"), elftest.StorePath("pb-3"), elftest.StorePath("pb-4")), "/bin/app",
		func(c *closure.Closure, r *sarif.Report) {
			r.Findings, r.Accepted, _ = c.Sift(r.Findings, []closure.Acceptance{c.Accept(&r.Findings[0], "looked at it")})
			require.Empty(t, r.Findings)
		})
	require.Len(t, l.Runs[0].Results, 1)
	require.Equal(t, []struct{ Kind, Status, Justification string }{{"external", "accepted", "looked at it"}}, l.Runs[0].Results[0].Suppressions)
}

// A missing file has no place, and so that of who asks; its chain ends there.
func TestMissing(t *testing.T) {
	root := elftest.Tree{"/bin/app": elftest.Image{Interp: loader, Needed: []string{"libnone.so"}}, loader: elftest.Image{Soname: "ld-linux-x86-64.so.2"}}.FS()
	r := report(t, root, "/bin/app", nil).Runs[0].Results[0]
	require.Equal(t, "missing", r.RuleID)
	require.Regexp(t, "^missing libnone.so, by app -> libnone.so; tried .*: no such file", r.RelatedLocations[0].Message.Text)
	require.Equal(t, "file:///bin/app", r.RelatedLocations[0].PhysicalLocation.ArtifactLocation.URI)
	require.Len(t, r.CodeFlows[0].ThreadFlows[0].Locations, 1)
}

// Names of files cannot make a link, a placeholder or another URI.
func TestHostileNames(t *testing.T) {
	const program = "/bin/a [click](1) {0}\n\x1b[2J<script>"
	l := report(t, clash(program, elftest.StorePath("m"), elftest.StorePath("pb-3"), elftest.StorePath("pb-4")), program, nil)
	r := l.Runs[0].Results[0]
	uri, err := url.Parse(r.Locations[0].PhysicalLocation.ArtifactLocation.URI)
	require.NoError(t, err)
	require.Equal(t, "file", uri.Scheme)
	require.Equal(t, program, uri.Path)
	for _, text := range []string{r.RelatedLocations[0].Message.Text, r.CodeFlows[0].ThreadFlows[0].Locations[0].Location.Message.Text} {
		require.Contains(t, text, `\[click\](1) {{0}}`)
		require.NotContains(t, strings.ReplaceAll(text, `\[`, ""), "[")
	}
}

// A relative place stays one, whatever it is called.
func TestRelativePlace(t *testing.T) {
	l := report(t, clash("/bin/app", elftest.StorePath("m"), elftest.StorePath("pb-3"), elftest.StorePath("pb-4")), "/bin/app",
		func(_ *closure.Closure, r *sarif.Report) { r.Place = func(string) string { return "http:x y" } })
	require.Equal(t, "./http:x%20y", l.Runs[0].Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI)
}
