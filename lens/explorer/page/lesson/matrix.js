// A matrix as a table: its cells are pointed at, tapped or gone through by the arrow keys, or hold numbers to be changed.

import { shade } from "../base/colour.js";
import { MOVES, element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";
import { numberField, setNumber } from "./field.js";
import { tidy } from "./sums.js";

/**
 * {node, show, light}. look(place) is called with {row, column} when a cell is pointed at or gets the focus; with
 * edit(place, value) the cells are fields, and it is called with each number typed. `fixed`: zeros at the end of a number stay.
 */
export function matrix(label, { look = () => {}, edit = null, digits = 4, fixed = false, shaded = false } = {}) {
  const [heading, body] = [element("tr"), element("tbody")];
  const table = element("table", { class: "editable", role: "grid", "aria-label": label }, element("thead", {}, heading), body);
  const node = element("div", { class: "matrix-box" }, table);
  let [cells, fields, shape] = [[], [], ""];

  for (const name of ["pointerover", "focusin", "click"]) {
    body.addEventListener(name, ({ target }) => {
      const td = target.closest("td");
      if (td) look({ row: td.parentNode.sectionRowIndex, column: td.cellIndex - 1 });
    });
  }
  body.addEventListener("keydown", (event) => {
    const [down, right] = MOVES[event.key] ?? [];
    if (down === undefined || event.target.tagName !== "TD") return;
    event.preventDefault();
    const next = cells[event.target.parentNode.sectionRowIndex + down]?.[event.target.cellIndex - 1 + right];
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  /** values: rows of numbers, or null where they are not there yet. */
  function show(values, rows, columns) {
    if (shape !== `${rows} ${columns}`) build(rows, columns);
    cells.forEach((line, row) => line.forEach((td, column) => {
      const value = values?.[row][column];
      if (edit) return setNumber(fields[row][column], value);
      td.textContent = value === undefined ? "·" : (fixed ? formatNumber : tidy)(value, digits);
      const { background, ink } = shaded && value !== undefined ? shade(value, 1, "absolute") : { background: "", ink: "" };
      Object.assign(td.style, { background, color: ink });
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
    heading.replaceChildren(element("td"), ...columns.map((name) => element("th", { scope: "col" }, name)));
    body.replaceChildren(...cells.map((line, row) => element("tr", {}, element("th", { scope: "row" }, rows[row]), ...line)));
  }

  /** Marks the cells of which isLit(row, column) is true. */
  function light(isLit) {
    cells.forEach((line, row) => line.forEach((td, column) => td.classList.toggle("lit-cell", isLit(row, column))));
  }

  return { node, show, light };
}
