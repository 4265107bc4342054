"use strict";
// What is selected, and what is shown of it. All text comes from names of files, which anybody may have chosen: it is
// only ever set as text.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const svgNS = "http://www.w3.org/2000/svg";
let program = 0; // index of the one shown
let origin = null; // what had the focus before details were shown

const here = () => data.programs[program];
const nodeAt = (i) => here().nodes[i];

// h makes an element. Children are elements, or text.
function h(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick") e.addEventListener("click", value);
    else if (value !== null) e.setAttribute(name, value);
  }
  for (const c of children.flat(Infinity)) {
    if (c !== null && c !== "") e.append(c);
  }
  return e;
}

function bytes(n) {
  if (n >= 1e9) return (n / 1e9).toFixed(1) + " GB";
  if (n >= 1e7) return Math.round(n / 1e6) + " MB";
  if (n >= 1e5) return (n / 1e6).toFixed(1) + " MB";
  return Math.ceil(n / 1e3) + " kB";
}

const counted = (n, one, more) => n + " " + (n === 1 ? one : more);

function link(i, text) {
  if (i < 0) return h("span", null, text);
  return h("button", { class: "link", onclick: () => selectNode(i) }, text || nodeAt(i).name);
}

function chainList(chain) {
  return h("ol", { class: "chain" }, chain.map((i) => h("li", null, link(i))));
}

// chainTo is how the loader came to an object: who brought it first, and so on up to the program.
function chainTo(i) {
  const chain = [];
  for (; i >= 0; i = nodeAt(i).parent) chain.unshift(i);
  return chain;
}

function show(...content) {
  $("side").replaceChildren(...content.flat(Infinity).filter((c) => c !== null));
  $("side").scrollTop = 0;
}

// showFindings is what stands at the side when nothing is selected.
function showFindings() {
  const all = here().findings.map((f, i) => ({ f, i }));
  const faults = all.filter(({ f }) => f.severity !== "note");
  const notes = all.filter(({ f }) => f.severity === "note");
  const card = ({ f, i }) =>
    h("button", { class: "card", "data-finding": i, onclick: () => selectFinding(i) },
      h("span", { class: "chip " + f.severity }, f.severity), h("span", { class: "chip" }, f.kind),
      h("b", null, f.name), h("span", { class: "what" }, f.what));
  show(
    h("h2", null, "Findings"),
    h("p", { class: "clear" }, "This is what the loader, ld.so, puts into the process when " + here().name + " starts. ",
      all.length ? "Choose a finding to read what happens and what to do, or an object to see who needs it." : "Choose an object to see who needs it."),
    faults.length ? h("p", { class: "clear" }, "An error keeps a program from starting, or gives it a copy that it was not linked with. A warning is likely a mistake.") : null,
    faults.length ? faults.map(card) : h("p", { class: "clear" }, "No errors and no warnings."),
    notes.length ? h("details", faults.length ? null : { open: "" },
      h("summary", null, counted(notes.length, "note", "notes") + ": worth knowing"), notes.map(card)) : null,
  );
}

function back() {
  return h("button", { class: "back", onclick: clear }, "← All findings");
}

function clear() {
  highlight([], []);
  markSelected(-1);
  showFindings();
  if (origin && origin.isConnected) origin.focus({ preventScroll: true });
  origin = null;
}

// reveal puts the focus on what was just shown: readers of the screen hear it, phones scroll to it.
function reveal() {
  const heading = $("side").querySelector("h2");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
  if (getComputedStyle(document.querySelector("main")).display === "block") $("side").scrollIntoView({ block: "start" });
}

function remember() {
  if (!$("side").contains(document.activeElement)) origin = document.activeElement;
}

function fact(name, value, wide) {
  if (value === "" || value === undefined) return null;
  return h("div", wide ? { class: "wide" } : null, h("dt", null, name), h("dd", wide ? { class: "path" } : { class: "num" }, value));
}

// needRows lists needs by the object at their other end.
function needRows(title, needs, end) {
  if (!needs.length) return null;
  const rows = needs.map((n) => h("li", null, link(n[end]), h("span", null, n.rule)));
  const list = h("ul", { class: "rows" }, rows);
  if (rows.length <= 12) return [h("h3", null, title + " (" + rows.length + ")"), list];
  return h("details", null, h("summary", null, title + " (" + rows.length + ")"), list);
}

// searchPath lists the directories of a run path.
function searchPath(title, path) {
  if (!path) return null;
  const parts = path.split(":");
  return h("details", parts.length > 4 ? null : { open: "" },
    h("summary", null, title + " (" + counted(parts.length, "directory", "directories") + ")"), h("p", { class: "path lines" }, parts.join("\n")));
}

function selectNode(i) {
  remember();
  const n = nodeAt(i);
  const needs = here().needs.filter((e) => e.from === i);
  const by = here().needs.filter((e) => e.to === i);
  const chain = chainTo(i);
  show(
    back(),
    n.severity && n.severity !== "note" ? h("span", { class: "chip " + n.severity }, n.severity) : null,
    h("span", { class: "chip" }, n.role || n.kind),
    h("h2", null, n.name),
    h("dl", { class: "facts" },
      fact("Size", n.kind === "missing" ? "" : bytes(n.size)),
      fact("Retained: with what it alone brings", n.retained ? bytes(n.retained) : ""),
      fact("Package", n.store), fact("Soname", n.soname), fact("Found by", n.why),
      fact("Path", n.path, true), fact("File", n.file === n.path ? "" : n.file, true)),
    chain.length > 1 ? [h("h3", null, n.kind === "ghost" || n.kind === "missing" ? "Wanted by" : "Brought by"), chainList(chain)] : null,
    n.findings.length ? [h("h3", null, "Findings"), n.findings.map((f) =>
      h("button", { class: "card", onclick: () => selectFinding(f) },
        h("span", { class: "chip " + here().findings[f].severity }, here().findings[f].severity), h("b", null, here().findings[f].name),
        h("span", { class: "what" }, here().findings[f].what)))] : null,
    h("p", { class: "overlay-key" }, h("span", null, h("i"), "needs"), h("span", { class: "by" }, h("i"), "needed by")),
    needRows("Needs", needs, "to"),
    needRows("Needed by", by, "from"),
    searchPath("Run path", n.runPath), searchPath("RPath", n.rpath),
  );
  highlight([i, ...chain, ...needs.map((e) => e.to), ...by.map((e) => e.from)], [
    ...by.filter((e) => e.from !== n.parent).map((e) => [e.from, i, "by"]),
    ...needs.filter((e) => nodeAt(e.to).parent !== i).map((e) => [i, e.to, "need"]), // the tree's own lines show the others
    ...chain.slice(1).map((to, k) => [chain[k], to, "chain-line"]),
  ], i);
  markSelected(i);
  bringIntoView([i]);
  reveal();
}

// labels tell what a copy's label means.
const labels = { kept: "kept: all get this one", wanted: "wanted, not loaded" };

function selectFinding(i) {
  remember();
  const f = here().findings[i];
  const kind = data.kinds.find((k) => k.kind === f.kind) || { what: "", help: "" };
  const advice = f.advice || kind.help;
  show(
    back(),
    h("span", { class: "chip " + f.severity }, f.severity), h("span", { class: "chip" }, f.kind),
    h("h2", null, f.name),
    h("p", { class: "lead" }, f.what),
    kind.what ? [h("h3", null, "What it means: " + kind.title), h("p", null, kind.what)] : null,
    f.copies.map((c) => h("div", { class: "card" },
      h("span", { class: "chip " + (c.kept ? f.severity : "") }, labels[c.label] || c.label), c.node >= 0 ? link(c.node) : null,
      h("p", { class: "path" }, c.path),
      c.chains.map(chainList),
      c.tried.map((t) => h("p", { class: "path" }, "tried " + t)))),
    f.users.length ? [h("h3", null, "Whose references"), h("ul", { class: "rows" }, f.users.map((u) =>
      h("li", null, link(u.node, u.name), h("span", null, counted(u.references, "reference", "references"), h("br"), u.names))))] : null,
    advice ? [h("h3", null, "What to do"), h("p", { class: "hint" }, advice)] : null,
  );
  const chains = f.copies.flatMap((c) => c.chains);
  const near = [...f.copies.map((c) => c.node), ...f.users.map((u) => u.node), ...chains.flat()].filter((n) => n >= 0);
  highlight(near, chains.flatMap((c) => c.slice(1).map((to, k) => [c[k], to, "chain-line"])));
  markSelected(-1);
  bringIntoView(f.copies.map((c) => c.node).filter((n) => n >= 0));
  reveal();
}

function selectProgram(i) {
  program = i;
  origin = null;
  $("program").value = i;
  $("title").textContent = here().name;
  $("title").title = here().path;
  $("summary").textContent = here().summary;
  document.querySelectorAll("#graphs svg").forEach((svg, k) => svg.toggleAttribute("hidden", k !== i));
  clear();
  startGraph();
  drawSizes();
}

function selectTab(name) {
  for (const tab of ["graph", "sizes"]) {
    const on = tab === name;
    $("tab-" + tab).setAttribute("aria-selected", on);
    $("tab-" + tab).tabIndex = on ? 0 : -1;
    $($("tab-" + tab).getAttribute("aria-controls")).hidden = !on;
  }
  $("zoom").hidden = name !== "graph";
  if (name === "graph") showGraph();
  drawSizes();
}

function start() {
  if (!data.programs.length) return show(h("h2", null, "No program"));
  data.programs.forEach((p, i) => $("program").append(h("option", { value: i }, p.name)));
  $("pick").hidden = data.programs.length < 2;
  $("program").addEventListener("change", () => selectProgram(Number($("program").value)));
  for (const name of ["graph", "sizes"]) {
    $("tab-" + name).addEventListener("click", () => selectTab(name));
    $("tab-" + name).addEventListener("keydown", (e) => {
      if (e.key !== "ArrowRight" && e.key !== "ArrowLeft") return;
      const other = name === "graph" ? "sizes" : "graph";
      selectTab(other);
      $("tab-" + other).focus();
    });
  }
  document.addEventListener("keydown", (e) => {
    if (e.key === "/" && !/INPUT|SELECT/.test(document.activeElement.tagName)) {
      e.preventDefault();
      $("search").focus();
    } else if (e.key === "Escape") {
      clear();
    }
  });
  setUpGraphs();
  setUpSearch();
  addEventListener("resize", drawSizes);
  selectProgram(0);
}

document.addEventListener("DOMContentLoaded", start);
