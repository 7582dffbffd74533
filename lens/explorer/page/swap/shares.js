// A table of how much of a difference comes back, a cell for each place that something was put in, filled row by row.

import { cell, tint, write } from "../base/cells.js";
import { gradient, signedShade } from "../base/colour.js";
import { page } from "../base/data.js";
import { MOVES, element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";

const DENSE = 8; // columns of a layer up to which numbers fit into the cells

/**
 * look(place) is called with the cell under the pointer or the focus, {row, column}, or where there is none with the one
 * chosen last, or null; choose(place) where one is chosen.
 */
export function shares(label, { look, choose }) {
  const [heading, body] = [element("tr"), element("tbody")];
  const table = element("table", { class: "heat shares", role: "grid", "aria-label": label }, element("thead", {}, heading), body);
  const node = element("div", { class: "shares-box" }, table);
  let cells = [];
  let values = []; // of each cell, null until it is known
  let chosen = null;

  function placeOf(target) {
    const td = target.closest("td");
    return td && { row: td.parentNode.sectionRowIndex, column: td.cellIndex - 1 };
  }

  function stay(place) {
    if (!place) return;
    chosen = place;
    mark();
    choose(place);
    look(place);
  }

  table.addEventListener("pointerover", ({ target }) => look(placeOf(target) ?? chosen));
  table.addEventListener("pointerleave", () => look(chosen));
  table.addEventListener("focusin", ({ target }) => look(placeOf(target) ?? chosen));
  table.addEventListener("focusout", () => look(chosen));
  body.addEventListener("click", ({ target }) => stay(placeOf(target)));
  body.addEventListener("keydown", (event) => {
    const { row, column } = placeOf(event.target);
    if (event.key === "Enter" || event.key === " ") stay({ row, column });
    else if (event.key in MOVES) cells[row + MOVES[event.key][0]]?.[column + MOVES[event.key][1]]?.focus();
    else return;
    event.preventDefault();
  });

  function mark() {
    const { row, column } = chosen ?? { row: cells.length - 1, column: 0 };
    cells.forEach((line, at) => line.forEach((one, place) => {
      const here = at === row && place === column;
      one.tabIndex = here ? 0 : -1;
      one.setAttribute("aria-selected", here && chosen !== null);
    }));
  }

  /** Rows and columns by their names; all cells are empty. */
  function build(rows, columns) {
    chosen = null;
    values = rows.map(() => columns.map(() => null));
    cells = values.map((line) => line.map(() => cell("td", { role: "gridcell" })));
    heading.replaceChildren(element("th"), ...columns.map((name) => element("th", { scope: "col" }, name)));
    body.replaceChildren(...cells.map((line, row) => element("tr", {}, element("th", { scope: "row" }, ...rows[row]), ...line)));
    node.classList.toggle("dense", columns.length > DENSE + 1);
    mark();
    look(null);
  }

  function set(row, line) {
    values[row] = line;
    line.forEach((value, column) => {
      write(cells[row][column], formatNumber(value, 2));
      tint(cells[row][column], signedShade(value, 1));
    });
  }

  /** Empties all cells. */
  function clear() {
    values.forEach((line, row) => line.forEach((_, column) => {
      line[column] = null;
      write(cells[row][column], "");
      cells[row][column].removeAttribute("style");
    }));
  }

  /** Draws what is there in the colours of now. */
  const repaint = () => values.forEach((line, row) => line[0] !== null && set(row, line));

  return { node, build, set, clear, repaint };
}

/** What the colours mean. */
export function sharesLegend() {
  const bar = element("div");
  const ticks = element("div", {}, ...["−1", "0", "1"].map((text) => element("span", {}, text)));
  const words = t("0: nothing comes back. 1: all of it. Below 0 the answer moves further away; it may be beyond −1 and 1, where the colour goes no further.");
  const node = element("div", {}, element("div", { class: "range" }, bar, ticks), element("p", { class: "note" }, words));
  return { node, draw: () => (bar.style.background = gradient(page.signed)) };
}
