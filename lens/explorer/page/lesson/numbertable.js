// A small matrix as a table: the pointer, a tap and the arrow keys look at one of its cells.

import { MOVES, element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";

/**
 * {node, draw(values, colourOf)}: `rows` and `columns` are the names of the lines, look(row, column) is told which cell is
 * pointed at, colourOf(value) gives a background and an ink, as `shade` does. A value that is null is masked. Without `digits`
 * the colours alone are to be seen.
 */
export function numberTable(title, rows, columns, look = () => {}, digits = 2) {
  const cells = rows.map(() => columns.map(() => element("td", { role: "gridcell", tabindex: -1 })));
  cells[0][0].tabIndex = 0;
  const heads = columns.map((name) => element("th", { scope: "col" }, name));
  const lines = cells.map((line, row) => element("tr", {}, element("th", { scope: "row" }, rows[row]), ...line));
  const table = element("table", { class: digits === null ? "cells squares" : "cells", role: "grid" }, element("thead", {}, element("tr", {}, element("td"), ...heads)), element("tbody", {}, ...lines));
  table.setAttribute("aria-label", title.textContent ?? title);
  const node = element("figure", { class: "matrix" }, element("figcaption", {}, title), element("div", { class: "scrolled" }, table));

  cells.forEach((line, row) => line.forEach((cell, column) => {
    for (const event of ["pointerenter", "focus", "click"]) cell.addEventListener(event, () => look(row, column));
    cell.addEventListener("keydown", (event) => {
      const [down, right] = MOVES[event.key] ?? [];
      const next = cells[row + down]?.[column + right];
      if (!next) return;
      event.preventDefault();
      cell.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }));

  function draw(values, colourOf) {
    cells.forEach((line, row) => line.forEach((cell, column) => {
      const value = values[row][column];
      const { background, ink } = (value !== null && colourOf?.(value)) || { background: "", ink: "" };
      Object.assign(cell.style, { background, color: ink });
      cell.classList.toggle("hatched", value === null);
      if (digits === null) cell.setAttribute("aria-label", value === null ? t("masked") : formatNumber(value, 4));
      else cell.textContent = value === null ? "" : formatNumber(value, digits);
    }));
  }

  return { node, draw, cells, heads };
}
