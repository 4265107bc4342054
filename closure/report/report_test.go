package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/report"
)

func TestFormatOf(t *testing.T) {
	for file, want := range map[string]report.Format{
		"a.svg": report.SVG, "b/A.SVG": report.SVG, "a.dot": report.DOT, "a.gv": report.DOT,
		"a.mmd": report.Mermaid, "a.mermaid": report.Mermaid, "a.html": report.HTML, "a.htm": report.HTML,
	} {
		got, err := report.FormatOf(file)
		require.NoError(t, err, file)
		require.Equal(t, want, got, file)
	}
	for _, file := range []string{"", "svg", "a.png", "a.svg/b"} {
		_, err := report.FormatOf(file)
		require.Error(t, err, file)
	}
	_, err := report.ParseFormat("png")
	require.ErrorContains(t, err, `format "png"`)
	require.Error(t, reported(t, sensor(), "/bin/sensor").Write(io.Discard, "png"))
}

// Every format has both copies, tells them apart, and has the reference that goes astray.
func TestClashIsDrawn(t *testing.T) {
	r := reported(t, sensor(), "/bin/sensor")
	svg := written(t, r, report.SVG)
	require.Contains(t, svg, `<g class="node object error kept" data-node="3">`)
	require.Contains(t, svg, `<g class="node ghost absent error" data-node="5">`)
	require.Contains(t, svg, `<g class="edge astray error" data-from="2" data-to="3"><title>1 reference of libvision.so to pb_create reaches /nix/store/`)
	require.Contains(t, svg, ">protobuf-3.21.9, kept<")
	require.Contains(t, svg, ">protobuf-3.21.12, wanted, not loaded<")
	require.Contains(t, svg, "5 objects")

	dot := written(t, r, report.DOT)
	require.Contains(t, dot, `p0n5 [label="libprotobuf.so.32\nprotobuf-3.21.12\nwanted, not loaded\n`)
	require.Contains(t, dot, `p0n2 -> p0n5 [color="#d92d20", style=dashed];`)
	require.Contains(t, dot, `p0n2 -> p0n3 [color="#d92d20", penwidth=2, constraint=false, label="1 reference"`)

	mermaid := written(t, r, report.Mermaid)
	require.Contains(t, mermaid, "p0n2 -.->|wants| p0n5\n")
	require.Contains(t, mermaid, "p0n2 ==>|\"1 reference\"| p0n3\n")
}

// A finding that is accepted, or only worth knowing, colours nothing.
func TestNotesColourNothing(t *testing.T) {
	c, err := closure.Walk(sensor().FS(), []string{"/bin/sensor"}, closure.Options{})
	require.NoError(t, err)
	svg := written(t, report.New(c, nil), report.SVG)
	require.NotContains(t, svg, `class="node ghost`)
	require.NotContains(t, svg, `<g class="edge`)
	findings, err := closure.Judge(c)
	require.NoError(t, err)
	require.NotEmpty(t, findings)
	for i := range findings {
		findings[i].Severity = closure.Note
	}
	svg = written(t, report.New(c, findings), report.SVG)
	require.NotContains(t, svg, `class="node ghost`)
	require.NotContains(t, svg, `<g class="edge`)
}

// What nothing answers, what is opened at run time, and what cannot be opened have nodes too.
func TestMissingAndOpened(t *testing.T) {
	tree := sensor()
	delete(tree, "/lib64/ld-linux-x86-64.so.2")
	c, err := closure.Walk(tree.FS(), []string{"/bin/sensor"}, closure.Options{
		Opened: []closure.Opened{{Name: "libnowhere.so"}, {Name: "/extra/libplug.so"}},
	})
	require.NoError(t, err)
	svg := written(t, report.New(c, nil), report.SVG)
	require.Contains(t, svg, `class="node missing`)
	require.Contains(t, svg, ">libnowhere.so<")
	require.Contains(t, svg, "not found")
}

// GitHub draws no chart of more than 500 edges or 50000 characters (mermaid's maxEdges and maxTextSize): of a larger graph
// what is wrong is drawn, and the rest is counted.
func TestMermaidIsDrawn(t *testing.T) {
	arrow := regexp.MustCompile(`(?m)^    p0n\d+ (-->|==>|-\.->)`)
	more := regexp.MustCompile(`"(\d+) more objects?"`)
	for _, n := range []int{1, 400, 1000, 3000} {
		r := reported(t, large(n), "/bin/sensor")
		text := written(t, r, report.Mermaid)
		require.LessOrEqual(t, len(arrow.FindAllString(text, -1)), 500)
		require.LessOrEqual(t, len(text), 50000)
		require.Regexp(t, `(?m)^    p0n2 ==>\|"1 reference"\| p0n\d+$`, text)
		require.Regexp(t, `(?m)^    p0n2 -\.->\|wants\| p0n\d+$`, text)
		sum := len(regexp.MustCompile(`(?m)^    p0n\d+\[`).FindAllString(text, -1))
		for _, m := range more.FindAllStringSubmatch(text, -1) {
			k, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			sum += k
		}
		require.Equal(t, n+6, sum, "every object is drawn or counted")
		if n <= 400 {
			require.NotContains(t, text, "more object")
		}
	}
}

// Whose references go astray is drawn, however far from the program it stands.
func TestMermaidHasUsers(t *testing.T) {
	c, err := closure.Walk(large(1000).FS(), []string{"/bin/sensor"}, closure.Options{})
	require.NoError(t, err)
	m := c.LinkMaps[0]
	far := m.Loaded[len(m.Loaded)-1]
	text := written(t, report.New(c, []closure.Finding{{
		Kind: closure.KindInterposed, Severity: closure.Error, Program: m.Program().Path,
		Copies: []closure.Copy{{Object: m.Loaded[1].Object, Path: m.Loaded[1].Path, Kept: true}, {Object: m.Loaded[2].Object, Path: m.Loaded[2].Path}},
		Users:  []closure.User{{From: far, References: 3, Names: "x"}},
	}}), report.Mermaid)
	require.Contains(t, text, "more objects")
	require.Regexp(t, `(?m)^    p0n\d+ ==>\|"3 references"\| p0n1$`, text)
}

// Two programs are two graphs in one picture, each with its own numbers.
func TestSeveralPrograms(t *testing.T) {
	tree := sensor()
	tree["/bin/other"] = tree["/bin/sensor"]
	r := reported(t, tree, "/bin/sensor", "/bin/other")
	require.Equal(t, 2, strings.Count(written(t, r, report.SVG), `<text class="name"`))
	require.Equal(t, 2, strings.Count(written(t, r, report.DOT), "subgraph cluster_"))
	require.Contains(t, written(t, r, report.Mermaid), "p1n2 ==>")
	require.Equal(t, 2, strings.Count(written(t, r, report.HTML), `<svg class="graph"`))
}

// Programs of one name are told apart, what starts another says so, and no title is cut off.
func TestTitles(t *testing.T) {
	tree := sensor()
	tree["/opt/bin/sensor"] = tree["/lib64/ld-linux-x86-64.so.2"]
	long := "/bin/" + strings.Repeat("W", 70)
	tree[long] = tree["/lib64/ld-linux-x86-64.so.2"]
	svg := written(t, reported(t, tree, "/bin/sensor", "/opt/bin/sensor", long), report.SVG)
	for _, want := range []string{">/bin/sensor</text>", ">/opt/bin/sensor</text>", "WWW…WWW"} {
		require.Contains(t, svg, want)
	}
	html := written(t, reported(t, tree, "/bin/sensor", "/opt/bin/sensor"), report.HTML)
	require.Contains(t, html, `{"name":"/opt/bin/sensor","path":"/opt/bin/sensor"`)
	require.Contains(t, written(t, reported(t, sensor(), "/bin/sensor"), report.SVG), ">sensor</text>")

	before, after, _ := strings.Cut(svg, "<style>")
	_, after, _ = strings.Cut(after, "</style>")
	b := open(t, written(t, reported(t, sensor(), "/bin/sensor"), report.HTML), desktop) // it has the same style
	require.Empty(t, eval[[]string](b, `(() => {
		document.body.innerHTML = `+fmt.Sprintf("%q", before+after)+`;
		const right = document.querySelector("svg").viewBox.baseVal.width;
		return [...document.querySelectorAll("svg text")].filter((e) => e.getBBox().x + e.getBBox().width > right).map((e) => e.textContent);
	})()`), "what is cut off")
}

// A closure without programs is an empty picture.
func TestNoPrograms(t *testing.T) {
	for _, c := range []*closure.Closure{{}, {LinkMaps: []*closure.LinkMap{{Asked: "/bin/none"}}}} {
		for _, f := range report.Formats() {
			require.NotContains(t, written(t, report.New(c, nil), f), "none\"", f)
		}
	}
}

// Whatever files are called, each format stays what it is.
func TestHostileNames(t *testing.T) {
	for _, program := range []string{"/bin/evil", "/bin/</script><script>alert(3)</script>"} {
		r := reported(t, hostile(), program)
		for _, f := range report.Formats() {
			text := written(t, r, f)
			require.NotContains(t, text, "\x1b", f)
			require.NotContains(t, text, "\u202e", f)
			if f == report.SVG || f == report.HTML {
				require.NotContains(t, text, "<script>alert", f)
			}
		}
		checkXML(t, written(t, r, report.SVG))
		html := written(t, r, report.HTML)
		require.Equal(t, 2, strings.Count(html, "</script>"), "of the data and of the script")
		checkXML(t, html[strings.Index(html, "<svg class=\"graph\""):strings.Index(html, "</svg>")+6])
		for _, line := range strings.Split(written(t, r, report.Mermaid), "\n") {
			require.Regexp(t, `^(flowchart LR|  .*|)$`, line, "a line of the chart")
			if i := strings.Index(line, `["`); i >= 0 {
				text, _, ok := strings.Cut(line[i+2:], `"]`)
				require.True(t, ok, line)
				require.NotRegexp(t, "[\"`<>&|{}\\[\\]\\\\*_]", strings.ReplaceAll(text, "<br/>", ""), line)
			}
		}
	}
}

func checkXML(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict = true
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else {
			require.NoError(t, err)
		}
	}
}

// Graphviz itself reads what is written for it, finds every node once and draws names as they are.
func TestGraphvizReadsDOT(t *testing.T) {
	if _, err := exec.LookPath("dot"); err != nil {
		need(t, "dot of Graphviz")
	}
	for name, r := range map[string]*report.Report{
		"sensor": reported(t, sensor(), "/bin/sensor"), "hostile": reported(t, hostile(), "/bin/evil"),
	} {
		c := exec.Command("dot", "-Tsvg")
		c.Stdin = strings.NewReader(written(t, r, report.DOT))
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
		require.NotContains(t, string(out), "Warning", name)
		require.Equal(t, strings.Count(written(t, r, report.SVG), "data-node="), strings.Count(string(out), `class="node"`), name)
		checkXML(t, string(out))
		if name == "hostile" {
			require.Contains(t, string(out), `lib\N\&quot;];`, "a backslash is one")
		}
	}
}

// need skips a test that lacks a tool, which CI must have.
func need(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("CI has no %s", what)
	}
	t.Skipf("no %s here", what)
}

// The same closure gives the same bytes, however many processors there are.
func TestDeterministic(t *testing.T) {
	first := map[report.Format]string{}
	for _, procs := range []int{1, 8} {
		before := runtime.GOMAXPROCS(procs)
		for range 3 {
			r := reported(t, large(250), "/bin/sensor")
			for _, f := range report.Formats() {
				text := written(t, r, f)
				if first[f] == "" {
					first[f] = text
				}
				require.True(t, first[f] == text, "%s differs", f)
			}
		}
		runtime.GOMAXPROCS(before)
	}
}

// failing is a writer that takes so many bytes and no more.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("full")
	}
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	r := reported(t, large(250), "/bin/sensor")
	for _, f := range report.Formats() {
		require.EqualError(t, r.Write(&failing{5000}, f), "full", f)
	}
}
