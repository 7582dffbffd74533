// A matrix as a table: its cells are pointed at, tapped or gone through by the arrow keys, or hold numbers to be changed.

import { MOVES, element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";
import { numberField, setNumber } from "./field.js";
import { tidy } from "./sums.js";

/** Writes a number with so many digits, zeros at its end too. */
export const fixed = (digits) => (value) => formatNumber(value, digits);

/**
 * {node, show, light, heads}. look(place) is called with {row, column} when a cell is pointed at or gets the focus; with
 * edit(place, value) the cells are fields, and it is called with each number typed. `write` makes a number text, or is null
 * where the colours alone are to be seen; colour(value) gives a background and an ink, as `shade` does. A value that is null
 * is `masked`, one that is undefined not there yet. `heads`: the names of the columns as they stand there.
 */
export function matrix(title, { look = () => {}, edit = null, write = (value) => tidy(value, 4), colour = () => ({ background: "", ink: "" }), masked = "" } = {}) {
  const [heading, body] = [element("tr"), element("tbody")];
  const table = element("table", { class: write ? "cells" : "cells squares", role: "grid", "aria-label": title.textContent ?? title }, element("thead", {}, heading), body);
  const node = element("figure", { class: "matrix" }, element("figcaption", {}, title), element("div", { class: "scrolled" }, table));
  const self = { node, show, light, heads: [] };
  let [cells, fields, shape] = [[], [], ""];

  const placeOf = (td) => ({ row: td.parentNode.sectionRowIndex, column: td.cellIndex - 1 });
  for (const name of ["pointerover", "focusin", "click"]) {
    body.addEventListener(name, ({ target }) => {
      const td = target.closest("td");
      if (td) look(placeOf(td));
    });
  }
  body.addEventListener("keydown", (event) => {
    const [down, right] = MOVES[event.key] ?? [];
    if (down === undefined || event.target.tagName !== "TD") return;
    event.preventDefault();
    const { row, column } = placeOf(event.target);
    const next = cells[row + down]?.[column + right];
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  /** values: rows of numbers, or null where none is there yet; `rows` and `columns` are the names of the lines. */
  function show(values, rows, columns) {
    if (shape !== `${rows} ${columns}`) build(rows, columns);
    cells.forEach((line, row) => line.forEach((td, column) => {
      const value = values?.[row][column];
      if (edit) return setNumber(fields[row][column], value);
      const isNumber = typeof value === "number";
      const { background, ink } = isNumber ? colour(value) : { background: "", ink: "" };
      Object.assign(td.style, { background, color: ink });
      td.classList.toggle("hatched", value === null);
      if (write) td.textContent = isNumber ? write(value) : value === null ? masked : "·";
      else td.setAttribute("aria-label", isNumber ? formatNumber(value, 4) : t("masked"));
    }));
  }

  function build(rows, columns) {
    shape = `${rows} ${columns}`;
    fields = rows.map(() => []);
    cells = rows.map((name, row) => columns.map((_, column) => {
      if (!edit) return element("td", { role: "gridcell", tabindex: row + column ? -1 : 0 });
      const label = t("{name}, channel {channel}", { name, channel: column + 1 });
      fields[row][column] = numberField(0, label, (value) => edit({ row, column }, value));
      return element("td", { role: "gridcell" }, fields[row][column]);
    }));
    self.heads = columns.map((name) => element("th", { scope: "col" }, name));
    heading.replaceChildren(element("td"), ...self.heads);
    body.replaceChildren(...cells.map((line, row) => element("tr", {}, element("th", { scope: "row" }, rows[row]), ...line)));
  }

  /** Marks the cells of which isLit(row, column) is true. */
  function light(isLit) {
    cells.forEach((line, row) => line.forEach((td, column) => td.classList.toggle("lit-cell", isLit(row, column))));
  }

  return self;
}
