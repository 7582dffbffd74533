// A table of how much of a difference comes back, a cell for each place that something was put in, filled row by row.

import { signedLegend, tint, write } from "../base/cells.js";
import { cellTable } from "../base/celltable.js";
import { signedShade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";

const DENSE = 8; // columns of a layer up to which numbers fit into the cells

/**
 * look(place) is called with the cell under the pointer or the focus, {row, column}, or where there is none with the one
 * chosen last, or null; choose(place) where one is chosen.
 */
export function shares(label, { look, choose }) {
  const table = cellTable("heat shares", label, { look: (place) => look(place ?? chosen), choose: stay });
  const node = element("div", { class: "shares-box" }, table.node);
  let values = []; // of each cell, null until it is known
  let chosen = null;

  function stay(place) {
    chosen = place;
    table.stand(place);
    choose(place);
    look(place);
  }

  /** Rows and columns by their names; all cells are empty. */
  function build(rows, columns) {
    chosen = null;
    values = rows.map(() => columns.map(() => null));
    table.build(rows, columns);
    table.stand({ row: rows.length - 1, column: 0 }, false);
    node.classList.toggle("dense", columns.length > DENSE + 1);
    look(null);
  }

  function set(row, line) {
    values[row] = line;
    line.forEach((value, column) => {
      write(table.cells[row][column], formatNumber(value, 2));
      tint(table.cells[row][column], signedShade(value, 1));
    });
  }

  /** Empties all cells. */
  function clear() {
    values.forEach((line, row) => line.forEach((_, column) => {
      line[column] = null;
      write(table.cells[row][column], "");
      table.cells[row][column].removeAttribute("style");
    }));
  }

  /** Draws what is there in the colours of now. */
  const repaint = () => values.forEach((line, row) => line[0] !== null && set(row, line));

  return { node, build, set, clear, repaint };
}

/** What the colours mean. */
export function sharesLegend() {
  const legend = signedLegend();
  const words = t("0: nothing comes back. 1: all of it. Below 0 the answer moves further away; it may be beyond −1 and 1, where the colour goes no further.");
  const node = element("div", {}, legend.node, element("p", { class: "note" }, words));
  return { node, draw: () => legend.draw(["−1", "0", "1"]) };
}
