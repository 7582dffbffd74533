// A matrix of signed numbers, one for each part of the model: layers down, heads and the MLP across.

import { cell, tint, write } from "../base/cells.js";
import { gradient, signedShade } from "../base/colour.js";
import { page } from "../base/data.js";
import { MOVES, element } from "../base/dom.js";
import { brief } from "../base/number.js";
import { change, shownPrompt, state } from "../base/state.js";
import { term } from "../base/terms.js";
import { t } from "../base/words.js";

const ROOMY = 4; // heads a layer up to which cells are wide
const READABLE = 8; // and up to which numbers fit into them

/** `onHover(place)` is called with the cell under the pointer or the focus, {layer, part}, or null when it has left. */
export function heatmap(label, onHover) {
  const [heading, body] = [element("tr"), element("tbody")];
  const table = element("table", { class: "heat", role: "grid", "aria-label": t("{name}; arrow keys move, Enter chooses a head", { name: label }) },
    element("thead", {}, heading), body);
  const bar = element("div");
  const ticks = [cell("span"), element("span", {}, "0"), cell("span")];
  const range = element("div", { class: "range" }, bar, element("div", {}, ...ticks));
  const node = element("div", { class: "wide-matrix" }, table, range);
  let cells = []; // by layer and part

  function placeOf(target) {
    const td = target.closest("td");
    return td && { layer: td.parentNode.sectionRowIndex, part: td.cellIndex - 1 };
  }

  function choose({ layer, part }) {
    if (part < shownPrompt().heads) change({ layer, head: part });
  }

  table.addEventListener("pointerover", ({ target }) => onHover(placeOf(target)));
  table.addEventListener("pointerleave", () => onHover(null));
  table.addEventListener("focusin", ({ target }) => onHover(placeOf(target)));
  table.addEventListener("focusout", () => onHover(null));
  body.addEventListener("click", ({ target }) => placeOf(target) && choose(placeOf(target)));
  body.addEventListener("keydown", (event) => {
    const { layer, part } = placeOf(event.target);
    if (event.key === "Enter" || event.key === " ") choose({ layer, part });
    else if (event.key in MOVES) cells[layer + MOVES[event.key][0]]?.[part + MOVES[event.key][1]]?.focus();
    else return;
    event.preventDefault();
  });

  function build(layers, heads) {
    cells = Array.from({ length: layers }, () => Array.from({ length: heads + 1 }, () => cell("td", { role: "gridcell" })));
    const names = Array.from({ length: heads }, (_, head) => (heads > READABLE ? head : t("head {head}", { head })));
    heading.replaceChildren(element("th"), ...[...names, term("MLP")].map((name) => element("th", { scope: "col" }, name)));
    body.replaceChildren(...cells.map((row, layer) => element("tr", {}, element("th", { scope: "row" }, t("layer {layer}", { layer })), ...row)));
    node.classList.toggle("roomy", heads <= ROOMY);
    node.classList.toggle("dense", heads > READABLE);
  }

  /** `values`: layer by layer, of each the heads and then the MLP; `max`: the largest of them, either sign. */
  function draw(values, max) {
    const { layers, heads } = shownPrompt();
    if (cells.length !== layers || cells[0].length !== heads + 1) build(layers, heads);
    cells.forEach((row, layer) => row.forEach((one, part) => {
      const value = values[layer * (heads + 1) + part];
      write(one, brief(value));
      tint(one, signedShade(value, max));
      const chosen = layer === state.layer && part === state.head;
      one.setAttribute("aria-selected", chosen);
      one.tabIndex = chosen ? 0 : -1;
    }));
    bar.style.background = gradient(page.signed);
    write(ticks[0], brief(-max));
    write(ticks[2], brief(max));
  }

  /** Lights one cell, or none. */
  function light(place) {
    table.querySelector(".lit-cell")?.classList.remove("lit-cell");
    if (place) cells[place.layer]?.[place.part]?.classList.add("lit-cell");
  }

  return { node, draw, light };
}
