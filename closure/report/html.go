package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"
)

// The parts of the page: what stands in it, how it looks, and what it does.
var (
	//go:embed page/page.html
	pageBody string
	//go:embed page/page.css
	pageStyle string
	//go:embed page/page.js
	pageScript string
	//go:embed page/graph.js
	graphScript string
	//go:embed page/search.js
	searchScript string
	//go:embed page/treemap.js
	treemapScript string
)

// WriteHTML writes one page that has all of the report: the graph of each program, what each store path and object
// weighs, and every object and finding explained. It is whole: nothing is loaded, and its Content Security Policy
// lets nothing be, nor any script or style run that is not the page's own.
func (r *Report) WriteHTML(w io.Writer) error {
	data, err := json.Marshal(r.page()) // <, > and & are escaped: a name cannot end the element
	if err != nil {
		return err
	}
	style := "\n" + graphStyle + pageStyle
	script := "\n" + pageScript + graphScript + searchScript + treemapScript
	return writing(w, func(out *bufio.Writer) {
		fmt.Fprintf(out, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<style>%s</style>
</head>
<body>
`, hashOf(style), hashOf(script), html.EscapeString(r.title()), style)
		before, after, _ := strings.Cut(pageBody, "<!--graphs-->")
		fmt.Fprint(out, before)
		for _, g := range r.graphs {
			(&svg{out}).inPage(g)
		}
		fmt.Fprint(out, after)
		fmt.Fprintf(out, "<script type=\"application/json\" id=\"data\">%s</script>\n<script>%s</script>\n</body>\n</html>\n", data, script)
	})
}

// hashOf names a script or style in a policy (CSP level 3, hash-source).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// title names the programs.
func (r *Report) title() string {
	var names []string
	for _, g := range r.graphs {
		names = append(names, g.title)
	}
	return short(strings.Join(names, ", "), 80) + " – nixbundle"
}

// inPage draws a graph without what the page around it says.
func (s *svg) inPage(g *graph) {
	top := titleSize - 8.0
	s.f(`<svg class="graph" viewBox="0 %s %s %s" width="%s" height="%s" role="group" aria-label="%s">`+"\n",
		num(top), num(g.width), num(g.height-top), num(g.width), num(g.height-top), "What "+g.title+" loads")
	s.body(g)
	s.f("</svg>\n")
}
