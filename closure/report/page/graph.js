// The graph: it is drawn already; here it is made to answer.

let scale = 1;
const graphNow = () => document.querySelectorAll("#graphs svg")[program];
const nodeNow = (i) => graphNow().querySelector('[data-node="' + i + '"]');

function svgElement(tag, attributes) {
  const e = document.createElementNS(svgNS, tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  return e;
}

// setUpGraphs gives each node a place to click that is as wide as its label, a name, and its keys.
function setUpGraphs() {
  document.querySelectorAll("#graphs svg").forEach((svg, p) => {
    svg.querySelectorAll(".node[data-node]").forEach((e) => {
      const n = data.programs[p].nodes[e.dataset.node];
      const state = [n.role, n.severity === "note" ? "" : n.severity].filter(Boolean).join(", ");
      e.setAttribute("role", "button");
      e.setAttribute("tabindex", e.dataset.node === "0" ? 0 : -1);
      e.setAttribute("aria-label", n.name + ", " + bytes(n.size) + (state && ", " + state));
      const box = { class: "hit", x: n.x - 17, y: n.y - 10, width: n.right - n.x + 18, height: 20, rx: 10 };
      const pill = e.querySelector(".pill");
      e.insertBefore(svgElement("rect", box), pill ? pill.nextSibling : e.firstChild);
    });
    svg.insertBefore(svgElement("g", { class: "overlay" }), svg.querySelector(".node"));
    svg.addEventListener("click", (e) => {
      const node = e.target.closest("[data-node]");
      const edge = e.target.closest("[data-from]");
      if (node) selectNode(Number(node.dataset.node));
      else if (edge) selectNode(Number(edge.dataset.from));
    });
    svg.addEventListener("keydown", (e) => graphKey(e));
  });
  $("zoom-in").addEventListener("click", () => zoom(scale * 1.25));
  $("zoom-out").addEventListener("click", () => zoom(scale / 1.25));
  $("zoom-fit").addEventListener("click", () => zoom(fit()));
  $("graphs").addEventListener("wheel", (e) => {
    if (!e.ctrlKey) return;
    e.preventDefault();
    zoom(scale * Math.exp(-e.deltaY / 300), e.clientX, e.clientY);
  }, { passive: false });
  setUpDrag($("graphs"));
}

// graphKey moves along the tree: left to who brought it, right to what it brought, up and down to the next row.
function graphKey(e) {
  const at = e.target.closest("[data-node]");
  if (!at) return;
  const i = Number(at.dataset.node);
  const nodes = here().nodes;
  let to = -1;
  if (e.key === "Enter" || e.key === " ") {
    e.preventDefault();
    selectNode(i);
  } else if (e.key === "ArrowLeft") {
    to = nodes[i].parent;
  } else if (e.key === "ArrowRight") {
    to = nodes.findIndex((n) => n.parent === i);
  } else if (e.key === "ArrowUp" || e.key === "ArrowDown") {
    to = nextRow(i, e.key === "ArrowDown" ? 1 : -1);
  }
  if (to < 0) return;
  e.preventDefault();
  at.setAttribute("tabindex", -1);
  nodeNow(to).setAttribute("tabindex", 0);
  nodeNow(to).focus({ preventScroll: true });
  bringIntoView([to]);
}

// nextRow is the nearest node above or below, of those that stand about in the same column.
function nextRow(i, way) {
  const nodes = here().nodes;
  const cost = (n) => (n.y - nodes[i].y) * way + 3 * Math.abs(n.x - nodes[i].x);
  let best = -1;
  nodes.forEach((n, k) => {
    if ((n.y - nodes[i].y) * way > 1 && (best < 0 || cost(n) < cost(nodes[best]))) best = k;
  });
  return best;
}

function setUpDrag(box) {
  let from = null;
  let moved = false;
  box.addEventListener("pointerdown", (e) => {
    if (e.pointerType === "mouse" && e.button === 0) from = { x: e.clientX + box.scrollLeft, y: e.clientY + box.scrollTop };
    moved = false;
  });
  addEventListener("pointermove", (e) => {
    if (!from || !e.buttons) return;
    const x = from.x - e.clientX;
    const y = from.y - e.clientY;
    moved = moved || Math.hypot(x - box.scrollLeft, y - box.scrollTop) > 4;
    if (!moved) return;
    box.classList.add("drag");
    box.scrollTo(x, y);
  });
  addEventListener("pointerup", () => {
    from = null;
    box.classList.remove("drag");
  });
  box.addEventListener("click", (e) => {
    if (moved) e.stopPropagation();
  }, true);
}

const size = () => graphNow().viewBox.baseVal;
const fit = () => Math.min(1, $("graphs").clientWidth / size().width, $("graphs").clientHeight / size().height);

// zoom keeps the point of the picture that is under x and y, or in the middle, where it is.
function zoom(to, x, y) {
  const box = $("graphs");
  const edge = box.getBoundingClientRect();
  const dx = x === undefined ? box.clientWidth / 2 : x - edge.left;
  const dy = y === undefined ? box.clientHeight / 2 : y - edge.top;
  to = Math.min(3, Math.max(0.1, to));
  const left = (box.scrollLeft + dx) * to / scale - dx;
  const top = (box.scrollTop + dy) * to / scale - dy;
  scale = to;
  graphNow().setAttribute("width", size().width * scale);
  graphNow().setAttribute("height", size().height * scale);
  box.scrollTo(left, top);
}

let started = -1; // the program whose graph has been shown

// showGraph shows the graph that was hidden, and in it what was selected meanwhile.
function showGraph() {
  if (started !== program) startGraph();
  const selected = graphNow().querySelector(".node.selected");
  if (selected) bringIntoView([Number(selected.dataset.node)]);
}

// startGraph shows the whole width where that can be read, and what is wrong, or else the program.
function startGraph() {
  started = $("graphs").hidden ? -1 : program; // what is hidden has no width
  if (started < 0) return;
  scale = 1;
  zoom(Math.max(0.9, Math.min(1, $("graphs").clientWidth / size().width)));
  const wrong = here().findings.filter((f) => f.severity !== "note").flatMap((f) => f.copies.map((c) => c.node)).filter((n) => n >= 0);
  $("graphs").scrollTo(0, 0);
  bringIntoView(wrong.length ? wrong.slice(0, 1) : [0]);
}

// bringIntoView scrolls the graph, and only that, so that nodes are seen.
function bringIntoView(indices) {
  if (!indices.length || $("graphs").hidden) return;
  const box = $("graphs");
  const top = size().y;
  const nodes = indices.map(nodeAt);
  const low = (key) => Math.min(...nodes.map((n) => n[key])) * scale;
  const high = (key) => Math.max(...nodes.map((n) => n[key])) * scale;
  const along = (start, end, at, length) => {
    if (start >= at + 30 && end <= at + length - 30) return at;
    return end - start > length - 60 ? start - 30 : (start + end - length) / 2;
  };
  box.scrollTo(
    along(low("x") - 14, high("right"), box.scrollLeft, box.clientWidth),
    along(low("y") - top * scale - 12, high("y") - top * scale + 12, box.scrollTop, box.clientHeight));
}

// highlight makes all but some nodes faint and draws edges among them. The tree's lines from one node stay.
function highlight(near, edges, of) {
  const svg = graphNow();
  const set = new Set(near);
  svg.classList.toggle("focus", set.size > 0);
  svg.querySelectorAll(".node[data-node]").forEach((e) => e.classList.toggle("near", set.has(Number(e.dataset.node))));
  svg.querySelectorAll("[data-from]").forEach((e) =>
    e.classList.toggle("near", set.has(Number(e.dataset.from)) && set.has(Number(e.dataset.to))));
  svg.querySelectorAll(".line").forEach((e) => e.classList.toggle("near", e.dataset.of === String(of)));
  svg.querySelector(".overlay").replaceChildren(...edges.map(([from, to, kind]) => {
    const line = nodeAt(to).parent === from && treeLine(svg, from, to);
    return svgElement("path", { class: kind, d: line ? line.getAttribute("d") : bend(nodeAt(from), nodeAt(to)) });
  }));
}

// treeLine is the tree's own line from a node to another, or to the panel that it is in.
function treeLine(svg, from, to) {
  const lines = `.line[data-of="${from}"]`;
  return svg.querySelector(`${lines}[data-to="${to}"]`) || svg.querySelector(`${lines}[data-to="-1"]`);
}

// bend is the way of an edge from one label's end to another node.
function bend(a, b) {
  const x1 = a.right + 4;
  const x2 = b.x - 16;
  if (x2 > x1) {
    const half = Math.max(20, (x2 - x1) / 2);
    return `M${x1} ${a.y}C${x1 + half} ${a.y} ${x2 - half} ${b.y} ${x2} ${b.y}`;
  }
  const out = Math.max(x1, b.right) + 20 + Math.min(80, Math.abs(b.y - a.y) / 5);
  return `M${x1} ${a.y}C${out} ${a.y} ${out} ${b.y} ${b.right + 4} ${b.y}`;
}

function markSelected(i) {
  document.querySelectorAll(".selected").forEach((e) => e.classList.remove("selected"));
  if (i < 0) return;
  nodeNow(i).classList.add("selected");
  document.querySelectorAll("#treemap .cell").forEach((e) => {
    if (e.dataset.file === nodeAt(i).file) e.classList.add("selected");
  });
}
