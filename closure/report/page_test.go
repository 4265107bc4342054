package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/nixbundle/nixbundle/closure"
	"github.com/nixbundle/nixbundle/closure/report"
)

// The page shows the graph and what was found, and search leads to an object with its facts and its chain.
func TestPageFindsObjects(t *testing.T) {
	b := open(t, written(t, reported(t, large(250), "/bin/sensor"), report.HTML), desktop)
	require.Equal(t, "sensor", eval[string](b, `document.getElementById("title").textContent`))
	require.Equal(t, 256, eval[int](b, `document.querySelectorAll("#graphs .node[data-node]").length`), "255 objects and the copy that is not kept")
	require.Contains(t, b.side(), "libmodel.so brings libprotobuf.so.32 of ")

	b.do(chromedp.SendKeys(chromedp.CSS("#search"), "part24"))
	require.Equal(t, 10, eval[int](b, `document.querySelectorAll("#hits li").length`))
	b.press(kb.Enter)
	side := b.side()
	for _, want := range []string{"libpart240.so.1", "part-120.0", "Retained", "run path", elfStore("part-120.0"), "Brought by", "Needed by ("} {
		require.Contains(t, side, want)
	}
	chain := eval[[]string](b, `[...document.querySelectorAll("#side .chain")[0].querySelectorAll("button")].map((b) => b.textContent)`)
	require.Greater(t, len(chain), 4)
	require.Equal(t, []string{"sensor", "libpart000.so.1"}, chain[:2])
	require.Equal(t, "libpart240.so.1", chain[len(chain)-1])
	require.Equal(t, len(chain)-1, eval[int](b, `document.querySelectorAll(".overlay .chain-line").length`))
	require.True(t, eval[bool](b, `document.querySelector(".graph.focus .node.near.selected text").textContent.startsWith("libpart240.so.1")`))
	require.True(t, eval[bool](b, inSight), "the graph has moved to it")

	// A link in the details leads on, and the way back to all findings is there.
	b.js(`[...document.querySelectorAll("#side .chain button")][1].click()`)
	require.Equal(t, "libpart000.so.1", eval[string](b, `document.querySelector("#side h2").textContent`))
	require.Contains(t, b.side(), "Needs (4)")
	b.click("#side .back")
	require.Equal(t, "Findings", eval[string](b, `document.querySelector("#side h2").textContent`))
	require.False(t, eval[bool](b, `document.querySelector(".graph").classList.contains("focus")`))
}

func elfStore(name string) string { return "-" + name + "/lib/" }

// inSight reports whether the selected node is within what the graph's frame shows.
const inSight = `(() => {
	const frame = document.getElementById("graphs").getBoundingClientRect();
	const node = document.querySelector("#graphs .selected").getBoundingClientRect();
	return node.top >= frame.top && node.bottom <= frame.bottom && node.left >= frame.left - 1 && node.left < frame.right;
})()`

// A clash is explained from the list, and by a click on the copy in the graph.
func TestPageExplainsClash(t *testing.T) {
	b := open(t, written(t, reported(t, sensor(), "/bin/sensor"), report.HTML), desktop)
	b.click(`#side .card`)
	side := b.side()
	for _, want := range []string{
		"same-soname", "kept", "wanted", "-protobuf-3.21.9/lib/", "-protobuf-3.21.12/lib/", "Whose references", "1 reference", "pb_create",
		"build both users against one protobuf", "What to do", "What it means", "The loader keeps the first for everybody",
	} {
		require.Contains(t, side, want)
	}
	require.Equal(t, [][]string{{"sensor", "libmodel.so", "libprotobuf.so.32"}, {"sensor", "libvision.so", "libprotobuf.so.32"}},
		eval[[][]string](b, `[...document.querySelectorAll("#side .chain")].map((c) => [...c.querySelectorAll("button")].map((b) => b.textContent))`))
	require.ElementsMatch(t, []string{"sensor", "libmodel.so", "libvision.so", "libprotobuf.so.32", "libprotobuf.so.32"},
		eval[[]string](b, `[...document.querySelectorAll(".node.near text")].map((t) => t.firstChild.textContent)`))

	b.click(`.node.ghost[data-node]`)
	require.Contains(t, b.side(), "wanted, not loaded")
	require.Contains(t, b.side(), "Wanted by")
	b.js(`document.querySelector("#side .card").click()`)
	require.Contains(t, b.side(), "build both users against one protobuf")
}

// All can be done without a pointer.
func TestPageKeyboard(t *testing.T) {
	b := open(t, written(t, reported(t, sensor(), "/bin/sensor"), report.HTML), desktop)
	focused := `document.activeElement.getAttribute("aria-label") || document.activeElement.textContent`
	b.press("/")
	require.Equal(t, "search", eval[string](b, `document.activeElement.id`))
	b.js(`document.getElementById("search").value = ""`) // the browser would not type what the page has taken, its driver does
	b.press("proto", kb.ArrowDown, kb.Enter)
	require.Equal(t, "libprotobuf.so.32", eval[string](b, focused), "the heading of the details")
	require.Contains(t, b.side(), "wanted, not loaded", "the second that was found")
	b.js(`document.querySelector(".graph [tabindex='0']").focus()`)
	require.Contains(t, eval[string](b, focused), "sensor, ")
	b.press(kb.ArrowRight, kb.ArrowRight)
	require.Regexp(t, `^libprotobuf.so.32, 2 kB, kept, error$`, eval[string](b, focused))
	require.Equal(t, 1, eval[int](b, `document.querySelectorAll(".graph [tabindex='0']").length`), "one stop for the tab key")
	b.press(kb.ArrowLeft)
	require.Contains(t, eval[string](b, focused), "libmodel.so, ")
	b.press(kb.Enter)
	require.Equal(t, "libmodel.so", eval[string](b, `document.querySelector("#side h2").textContent`))
	b.press(kb.Escape)
	require.Contains(t, eval[string](b, focused), "libmodel.so, ", "the focus is where it was")
}

// The treemap's areas are the sizes, and a cell leads to its object.
func TestPageSizes(t *testing.T) {
	b := open(t, written(t, reported(t, large(60), "/bin/sensor"), report.HTML), desktop)
	b.click("#tab-sizes")
	require.Equal(t, 65, eval[int](b, `document.querySelectorAll("#treemap .cell").length`))
	ratios := eval[[]float64](b, `squarify([{size: 6}, {size: 6}, {size: 4}, {size: 3}, {size: 2}, {size: 2}, {size: 1}], 0, 0, 6, 4)
		.map((b) => b.w * b.h / b.part.size).concat(Math.max(...squarify([{size: 6}, {size: 6}, {size: 4}, {size: 3}, {size: 2}, {size: 2}, {size: 1}], 0, 0, 6, 4).map((b) => Math.max(b.w / b.h, b.h / b.w))))`)
	for _, r := range ratios[:7] {
		require.InDelta(t, 1, r, 1e-9, "the example of the paper: area is size")
	}
	require.Less(t, ratios[7], 3.0, "none is a strip")
	require.Zero(t, eval[int](b, `(() => {
		const frame = document.getElementById("treemap").getBoundingClientRect();
		return [...document.querySelectorAll("#treemap .cell rect")].map((r) => r.getBoundingClientRect()).filter((r) =>
			r.left < frame.left - 1 || r.right > frame.right + 1 || r.top < frame.top - 1 || r.bottom > frame.bottom + 1).length;
	})()`), "cells outside the frame")
	b.click(`#treemap .cell[data-file$="libpart046.so.1"]`)
	require.Equal(t, "libpart046.so.1", eval[string](b, `document.querySelector("#side h2").textContent`))
}

// Who selects in the sizes and turns to the graph sees it there, in its program.
func TestPageTurnsToSelected(t *testing.T) {
	tree := large(250)
	tree["/bin/plain"] = tree["/lib64/ld-linux-x86-64.so.2"]
	b := open(t, written(t, reported(t, tree, "/bin/plain", "/bin/sensor"), report.HTML), desktop)
	b.click("#tab-sizes")
	b.js(`document.querySelector('#treemap .cell[data-file$="libpart240.so.1"]').dispatchEvent(new MouseEvent("click"))`)
	require.Equal(t, "libpart240.so.1", eval[string](b, `document.querySelector("#side h2").textContent`))
	b.click("#tab-graph")
	require.True(t, eval[bool](b, inSight))
	require.Equal(t, eval[float64](b, `Math.max(0.9, Math.min(1, document.getElementById("graphs").clientWidth / size().width))`), eval[float64](b, `scale`))
}

// Paper gets all of the graph and of the findings, and nothing that can only be clicked.
func TestPagePrints(t *testing.T) {
	for _, v := range []view{desktop, phone} {
		b := open(t, written(t, reported(t, large(250), "/bin/sensor"), report.HTML), v)
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		require.Empty(t, eval[[]string](b, `["body", "main", ".view", "#graphs", "aside"].filter((s) => {
			const e = document.querySelector(s);
			return getComputedStyle(e).overflow !== "visible" || e.scrollWidth > innerWidth || e.scrollHeight > e.clientHeight + 1;
		})`), "what is cut off")
		require.Empty(t, eval[[]string](b, `[".search", ".bar", ".skip", "kbd"].filter((s) => document.querySelector(s).checkVisibility())`))
		require.True(t, eval[bool](b, `document.querySelector("#side h2").checkVisibility()`))
	}
}

// Where no script may run the page says so, and what to do.
func TestPageWithoutScripts(t *testing.T) {
	html := written(t, reported(t, sensor(), "/bin/sensor"), report.HTML)
	parent := browser()
	if parent == nil {
		need(t, "Chromium")
	}
	ctx, cancel := chromedp.NewContext(parent)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, []byte(html), 0o644))
	b.do(chromedp.Navigate("file://"+file), chromedp.WaitVisible(chromedp.CSS(".noscript")))
	require.Contains(t, eval[string](b, `document.querySelector(".noscript").innerText`), "nixbundle conflicts")
	require.True(t, eval[bool](b, `document.querySelector("#graphs svg .node").checkVisibility()`))
	require.True(t, eval[bool](open(t, html, desktop), `document.querySelector(".noscript") === null`), "with scripts it is not said")
}

// Several programs are chosen from a list.
func TestPageChoosesPrograms(t *testing.T) {
	tree := sensor()
	tree["/bin/plain"] = tree["/lib64/ld-linux-x86-64.so.2"]
	r := reported(t, tree, "/bin/sensor", "/bin/plain")
	b := open(t, written(t, r, report.HTML), desktop)
	require.Equal(t, []string{"sensor", "plain"}, eval[[]string](b, `[...document.querySelectorAll("#program option")].map((o) => o.textContent)`))
	b.js(`(() => { const p = document.getElementById("program"); p.value = 1; p.dispatchEvent(new Event("change")); })()`)
	require.Equal(t, "plain", eval[string](b, `document.getElementById("title").textContent`))
	require.Contains(t, b.side(), "No errors and no warnings.")
	require.Equal(t, []bool{true, false}, eval[[]bool](b, `[...document.querySelectorAll("#graphs svg")].map((s) => s.hasAttribute("hidden"))`))
}

// A page of nothing says so.
func TestPageOfNothing(t *testing.T) {
	b := open(t, written(t, report.New(&closure.Closure{}, nil), report.HTML), desktop)
	require.Equal(t, "No program", b.side())
}

// On a phone nothing stands beside the screen, whatever is selected.
func TestPageFitsPhones(t *testing.T) {
	for name, r := range map[string]*report.Report{
		"large": reported(t, large(250), "/bin/sensor"), "hostile": reported(t, hostile(), "/bin/</script><script>alert(3)</script>"),
	} {
		b := open(t, written(t, r, report.HTML), phone)
		fits := func(when string) {
			t.Helper()
			require.Equal(t, []int{390, 390, 390}, eval[[]int](b, `[document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]`), "%s: %s", name, when)
		}
		fits("at first")
		require.Empty(t, eval[[]string](b, `(() => {
			const wide = [];
			const look = (what) => { if (document.documentElement.scrollWidth > 390) wide.push(what); };
			here().findings.slice(0, 30).forEach((f, i) => { selectFinding(i); look("finding " + i); });
			here().nodes.slice(0, 30).forEach((n, i) => { selectNode(i); look("node " + i); });
			clear();
			document.querySelectorAll("details").forEach((d) => { d.open = true; });
			look("notes");
			return wide;
		})()`), name)
		b.click("#tab-sizes")
		fits("the sizes")
	}
}

// Text can be read in the light and in the dark: a contrast of 4.5 to 1 (WCAG 2.2, 1.4.3).
func TestPageContrast(t *testing.T) {
	for _, v := range []view{desktop, {1280, 800, true}, phone, {390, 844, true}} {
		b := open(t, written(t, reported(t, sensor(), "/bin/sensor"), report.HTML), v)
		for _, state := range []string{
			`clear()`, `document.querySelectorAll("details").forEach((d) => d.open = true)`, `selectFinding(0)`, `selectNode(3); highlight([], [])`,
			`selectTab("sizes")`, `document.getElementById("search").focus(); document.getElementById("search").value = "lib"; document.getElementById("search").dispatchEvent(new Event("input")); highlight([], [])`,
		} {
			b.js(state)
			seen := eval[contrasts](b, contrastOf)
			require.Greater(t, seen.Texts, 10, state)
			require.Empty(t, seen.Poor, "%v after %s", v, state)
		}
		paper := eval[string](b, `getComputedStyle(document.body).backgroundColor`)
		require.Equal(t, v.dark, paper == "rgb(16, 21, 31)", "dark mode is dark: %s", paper)
	}
}

type contrasts struct {
	Texts int
	Poor  []string
}

// contrastOf computes for each visible text the contrast of its colour and of what is behind it. In a picture that is
// the shape before it in its group, the panel or the paper: the worst counts.
const contrastOf = `(() => {
	const parse = (c) => (c.match(/[\d.]+/g) || []).map(Number);
	const solid = (c) => { const p = parse(c); return p.length >= 3 && (p.length < 4 || p[3] > 0.99); };
	const light = (c) => { const [r, g, b] = parse(c).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (solid(c)) return c; } return "rgb(255, 255, 255)"; };
	const fills = (e) => {
		const group = e.closest(".cell, .node");
		const shapes = group ? [...group.querySelectorAll("rect")].map((r) => getComputedStyle(r).fill).filter(solid) : [];
		if (shapes.length) return shapes;
		const panels = [...e.closest("svg").querySelectorAll(".panel, .part")].map((r) => getComputedStyle(r).fill).filter(solid);
		return [behind(e.closest("svg")), ...panels];
	};
	const result = { texts: 0, poor: [] };
	for (const e of document.querySelectorAll("body *")) {
		const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
		if (!own || /SCRIPT|STYLE|TITLE|OPTION/i.test(e.tagName) || !e.checkVisibility() || e.closest(".unseen, .skip")) continue;
		const style = getComputedStyle(e);
		const drawn = e instanceof SVGElement;
		const worst = Math.min(...(drawn ? fills(e).map((f) => ratio(style.fill, f)) : [ratio(style.color, behind(e))]));
		result.texts++;
		if (worst < 4.5) result.poor.push(e.tagName + "." + (e.getAttribute("class") || "") + " " + e.textContent.slice(0, 40) + ": " + worst.toFixed(2));
	}
	return result;
})()`

// An object takes few elements, with sizes and notes and all, and keys and clicks are answered at once.
func TestPageStaysFluid(t *testing.T) {
	b := open(t, written(t, reported(t, large(250), "/bin/sensor"), report.HTML), desktop)
	b.js(`selectTab("sizes"); selectTab("graph")`)
	require.Less(t, eval[int](b, `document.querySelectorAll("*").length`), 255*25)
	took := eval[float64](b, `(() => {
		const start = performance.now();
		const search = document.getElementById("search");
		for (const text of ["l", "li", "lib", "libp", "part1"]) { search.value = text; search.dispatchEvent(new Event("input")); document.body.getBoundingClientRect(); }
		for (const i of [0, 1, 100, 200, 254]) { nodeNow(i).dispatchEvent(new MouseEvent("click", { bubbles: true })); document.body.getBoundingClientRect(); }
		return performance.now() - start;
	})()`)
	t.Logf("five keys and five clicks: %.0f ms", took)
	require.Less(t, took, 1000.0)
}

// No name runs, is markup, or leaves the page: it stands there as text.
func TestPageHostileNames(t *testing.T) {
	for _, program := range []string{"/bin/evil", "/bin/</script><script>alert(3)</script>"} {
		b := open(t, written(t, reported(t, hostile(), program), report.HTML), desktop)
		require.Equal(t, 2, eval[int](b, `document.scripts.length`))
		b.js(`here().nodes.forEach((n, i) => selectNode(i)); here().findings.forEach((f, i) => selectFinding(i))`)
		b.js(`selectTab("sizes")`)
		b.do(chromedp.SendKeys(chromedp.CSS("#search"), "alert(1)"))
		require.Equal(t, evil[0], eval[string](b, `document.querySelector("#hits li").firstChild.textContent`))
		require.Zero(t, eval[int](b, `document.querySelectorAll("#side script, #graphs script, #hits script, #treemap script").length`))
		names := eval[[]string](b, `here().nodes.map((n) => n.name)`)
		require.Contains(t, names, `lib\x1b[31mred\x1b[0m.so`)
		require.Contains(t, names, evil[1])
	}
}

// The policy holds: a script or an image that somebody puts into the page does not run or load. This is the test of the
// tests: their listening hears it.
func TestPagePolicy(t *testing.T) {
	html := written(t, reported(t, sensor(), "/bin/sensor"), report.HTML)
	html = strings.Replace(html, "<main>", `<script>document.title = "taken"</script><img src="https://nixbundle.invalid/x.png" onerror="document.title = 'taken'"><main>`, 1)
	b := open(t, html, desktop)
	require.Equal(t, "sensor – nixbundle", eval[string](b, `document.title`))
	b.mu.Lock()
	defer b.mu.Unlock()
	require.NotEmpty(t, b.wrong, "that it was stopped is heard")
	require.Contains(t, strings.Join(b.wrong, "\n"), "Content Security Policy")
	b.wrong, b.requests = nil, b.requests[:1]
}
