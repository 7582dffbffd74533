// A table of cells: the pointer, the focus and the arrow keys look at one of them, a click or Enter chooses one.

import { cell } from "./cells.js";
import { MOVES, element } from "./dom.js";

/** look(place) is called with {row, column}, or null where a cell is left; choose(place) with a place. `cells` are by row and column. */
export function cellTable(name, label, { look, choose }) {
  const [heading, body] = [element("tr"), element("tbody")];
  const node = element("table", { class: name, role: "grid", "aria-label": label }, element("thead", {}, heading), body);
  const table = { node, cells: [], build, stand };

  function placeOf({ target }) {
    const td = target.closest("td");
    return td && { row: td.parentNode.sectionRowIndex, column: td.cellIndex - 1 };
  }

  for (const name of ["pointerover", "focusin"]) node.addEventListener(name, (event) => look(placeOf(event)));
  for (const name of ["pointerleave", "focusout"]) node.addEventListener(name, () => look(null));
  body.addEventListener("click", (event) => placeOf(event) && choose(placeOf(event)));
  body.addEventListener("keydown", (event) => {
    const { row, column } = placeOf(event);
    const [down, right] = MOVES[event.key] ?? [];
    if (event.key === "Enter" || event.key === " ") choose({ row, column });
    else if (down !== undefined) table.cells[row + down]?.[column + right]?.focus();
    else return;
    event.preventDefault();
  });

  /** New cells, all empty, under the names of their rows and columns. */
  function build(rows, columns) {
    table.cells = rows.map(() => columns.map(() => cell("td", { role: "gridcell" })));
    heading.replaceChildren(element("th"), ...columns.map((name) => element("th", { scope: "col" }, name)));
    body.replaceChildren(...table.cells.map((line, row) => element("tr", {}, element("th", { scope: "row" }, ...[rows[row]].flat()), ...line)));
  }

  /** Puts the keyboard's way in at a cell, which is the chosen one or not. */
  function stand({ row, column }, isChosen = true) {
    table.cells.forEach((line, down) => line.forEach((one, right) => {
      const here = down === row && right === column;
      one.tabIndex = here ? 0 : -1;
      one.setAttribute("aria-selected", here && isChosen);
    }));
  }

  return table;
}
