package report

// legend tells how to read the picture, and what is not in it.
func (s *svg) legend(g *graph) {
	y := g.height - 40
	s.f(`<g class="legend"><text x="%s" y="%s">Each object hangs below the one whose need brought it first%s.</text>`, num(margin), num(y), g.leftOut())
	x := margin + 8.0
	y += 22
	for _, item := range g.legendItems() {
		if item.radius > 0 {
			s.f(`<g class="%s"><circle cx="%s" cy="%s" r="%s"/></g>`, item.class, num(x), num(y-4), num(item.radius))
		} else {
			s.f(`<g class="%s"><path class="way" d="M%s %sh8"/><path class="head" d="M%s %sl-7 -4v8z"/></g>`,
				item.class, num(x-8), num(y-4), num(x+6), num(y-4))
		}
		s.f(`<text x="%s" y="%s">%s</text>`, num(x+14), num(y), item.text)
		x += 14 + width(item.text)*11 + 24
	}
	s.f("</g>\n")
}

// leftOut counts the needs that are not drawn.
func (g *graph) leftOut() string {
	if n := g.others(); n > 0 {
		return "; " + count(n, "more need is", "more needs are") + " not drawn"
	}
	return ""
}

// legendItem is one sign and what it means.
type legendItem struct {
	class  string
	radius float64 // of a circle; 0 is an arrow
	text   string
}

// legendItems are the signs that the graph has.
func (g *graph) legendItems() []legendItem {
	items := []legendItem{{"node", 5, "area: bytes"}}
	has := map[string]bool{}
	for _, n := range g.nodes {
		has[string(n.kind)] = true
		has[severityName(n.severity)] = true
		has["kept"] = has["kept"] || n.kept
	}
	for _, i := range []struct {
		key string
		legendItem
	}{
		{"error", legendItem{"node error", 5, "error"}},
		{"warning", legendItem{"node warning", 5, "warning"}},
		{string(isGhost), legendItem{"node absent", 5, "wanted, not loaded"}},
		{string(isMissing), legendItem{"node absent", 5, "not found"}},
		{string(isOpened), legendItem{"node opened", 5, "opened at run time"}},
	} {
		if has[i.key] {
			items = append(items, i.legendItem)
		}
	}
	if len(g.astray) > 0 {
		items = append(items, legendItem{"edge " + severityName(g.astray[0].severity), 0, "references astray: to a copy that they were not linked with"})
	}
	return items
}

// legendWidth is how much room the legend takes.
func (g *graph) legendWidth() float64 {
	w := 0.0
	for _, item := range g.legendItems() {
		w += 38 + width(item.text)*11
	}
	return max(w, 11*width("Each object hangs below the one whose need brought it first"+g.leftOut()+".")) + 2*margin
}
