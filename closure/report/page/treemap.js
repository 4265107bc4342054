// Sizes: a treemap of the store paths, and in each of its objects.

// squarify cuts a rectangle into parts of given sizes, the largest first, each as near to a square as can be
// (Bruls, Huizing, van Wijk: Squarified Treemaps).
function squarify(parts, x, y, w, h) {
  const placed = [];
  let rest = parts.reduce((sum, p) => sum + p.size, 0);
  for (let at = 0; at < parts.length && rest > 0;) {
    const side = Math.min(w, h);
    const area = w * h / rest;
    let row = 0;
    let end = at;
    let worst = Infinity;
    for (; end < parts.length; end++) {
      const sum = row + parts[end].size;
      const thick = sum * area / side;
      const stretch = ({ size }) => { // of one part in a row of this thickness
        const long = size * area / thick;
        return Math.max(long / thick, thick / long);
      };
      const ratio = Math.max(stretch(parts[at]), stretch(parts[end]));
      if (end > at && !(ratio <= worst)) break;
      worst = ratio;
      row = sum;
    }
    const thick = row * area / side;
    let along = 0;
    for (; at < end; at++) {
      const long = row ? parts[at].size / row * side : 0;
      placed.push(w >= h ? { part: parts[at], x, y: y + along, w: thick, h: long } : { part: parts[at], x: x + along, y, w: long, h: thick });
      along += long;
    }
    rest -= row;
    if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
  }
  return placed;
}

// label is as much of a text as there is room for.
function label(text, x, y, room, kind) {
  const letters = Math.floor(room / 6.8);
  if (letters < 4) return null;
  const e = svgElement("text", { class: kind, x, y });
  e.textContent = text.length > letters ? text.slice(0, letters - 1) + "…" : text;
  return e;
}

function cell(object, box) {
  const at = object.nodes[program];
  const n = at >= 0 ? nodeAt(at) : null;
  const severity = n && n.severity !== "note" ? n.severity : "";
  const e = svgElement("g", { class: "cell " + severity, role: "button", tabindex: -1, "data-file": object.file });
  e.setAttribute("aria-label", object.name + ", " + bytes(object.size) + (severity && ", " + severity));
  const title = svgElement("title", {});
  title.textContent = object.file + "\n" + bytes(object.size);
  e.append(title, svgElement("rect", { x: box.x, y: box.y, width: Math.max(0, box.w), height: Math.max(0, box.h) }));
  if (box.h > 18) e.append(label(object.name, box.x + 6, box.y + 15, box.w - 10, "") || "");
  if (box.h > 36 && box.w > 66) e.append(label(bytes(object.size), box.x + 6, box.y + 30, box.w - 10, "head") || "");
  e.addEventListener("click", () => takeObject(object));
  return e;
}

// takeObject selects an object, in the first program that has it where this one has not.
function takeObject(object) {
  if (object.nodes[program] < 0) selectProgram(object.nodes.findIndex((i) => i >= 0));
  selectNode(object.nodes[program]);
}

function drawSizes() {
  const svg = $("treemap");
  if ($("sizes").hidden) return;
  const style = getComputedStyle($("sizes"));
  const w = $("sizes").clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const height = $("sizes").clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
  svg.setAttribute("viewBox", `0 0 ${w} ${height}`);
  const content = [];
  for (const { part, x, y, w: wide, h: high } of squarify(data.parts, 0, 0, w, height)) {
    content.push(svgElement("rect", { class: "part", x: x + 0.5, y: y + 0.5, width: Math.max(0, wide - 1), height: Math.max(0, high - 1), rx: 4 }));
    const head = high > 44 && wide > 60 ? 17 : 0;
    if (head) content.push(label(part.name, x + 6, y + 13, wide - 10, "head"));
    const inset = wide > 40 && high > 40 ? 2 : 0;
    for (const box of squarify(part.objects, x + inset, y + inset + head, wide - 2 * inset, high - 2 * inset - head)) {
      content.push(cell(box.part, box));
    }
  }
  svg.replaceChildren(...content.filter(Boolean));
  const cells = [...svg.querySelectorAll(".cell")];
  if (cells.length) cells[0].setAttribute("tabindex", 0);
  svg.onkeydown = (e) => cellKey(e, cells);
}

function cellKey(e, cells) {
  const at = cells.indexOf(e.target.closest(".cell"));
  if (at < 0) return;
  if (e.key === "Enter" || e.key === " ") {
    e.preventDefault();
    cells[at].dispatchEvent(new MouseEvent("click"));
    return;
  }
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
  const to = cells[at + step];
  if (!to) return;
  e.preventDefault();
  cells[at].setAttribute("tabindex", -1);
  to.setAttribute("tabindex", 0);
  to.focus();
}
