// Search: what is typed stands somewhere in an object's name, path or package.

let hits = []; // indices of nodes
let active = 0;
const mostHits = 30;

function find(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const rank = (n) => (n.name.toLowerCase().startsWith(wanted) ? 0 : n.name.toLowerCase().includes(wanted) ? 1 : 2);
  return here().nodes.map((n, i) => ({ n, i }))
    .filter(({ n }) => (n.name + "\n" + n.path + "\n" + n.store).toLowerCase().includes(wanted))
    .sort((a, b) => rank(a.n) - rank(b.n) || a.i - b.i)
    .map(({ i }) => i);
}

function showHits() {
  const input = $("search");
  $("hits").hidden = !input.value.trim();
  input.setAttribute("aria-expanded", !$("hits").hidden);
  const listed = hits.slice(0, mostHits).map((i, k) => {
    const n = nodeAt(i);
    const item = h("li", { role: "option", id: "hit-" + k, "aria-selected": k === active }, n.name,
      h("small", null, [n.store, n.role, n.kind === "missing" ? "" : bytes(n.size)].filter(Boolean).join(" · ")));
    item.addEventListener("pointerdown", (e) => e.preventDefault());
    item.addEventListener("click", () => take(i));
    return item;
  });
  if (!listed.length) listed.push(h("li", { role: "option", "aria-disabled": "true" }, "No object has this in its name or path"));
  if (hits.length > mostHits) listed.push(h("li", { role: "option", "aria-disabled": "true" }, "and " + (hits.length - mostHits) + " more"));
  $("hits").replaceChildren(...listed);
  if (hits.length) input.setAttribute("aria-activedescendant", "hit-" + active);
  else input.removeAttribute("aria-activedescendant");
}

function take(i) {
  $("search").value = "";
  hits = [];
  showHits();
  selectTab("graph");
  selectNode(i);
}

function setUpSearch() {
  const input = $("search");
  input.addEventListener("input", () => {
    hits = find(input.value);
    active = 0;
    showHits();
    highlight(hits, []);
    if (hits.length) bringIntoView(hits.slice(0, 1));
  });
  input.addEventListener("keydown", (e) => {
    const last = Math.min(hits.length, mostHits) - 1;
    if (e.key === "Enter" && hits.length) {
      take(hits[active]);
    } else if ((e.key === "ArrowDown" || e.key === "ArrowUp") && hits.length) {
      e.preventDefault();
      active = Math.min(last, Math.max(0, active + (e.key === "ArrowDown" ? 1 : -1)));
      showHits();
      $("hit-" + active).scrollIntoView({ block: "nearest" });
    } else if (e.key === "Escape") {
      input.value = "";
      hits = [];
      showHits();
    }
  });
  input.addEventListener("blur", () => { $("hits").hidden = true; });
  input.addEventListener("focus", showHits);
}
