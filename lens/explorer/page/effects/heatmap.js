// A matrix of signed numbers, one for each part of the model: layers down, heads and the MLP across.

import { signedLegend, tint, write } from "../base/cells.js";
import { cellTable } from "../base/celltable.js";
import { signedShade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { brief } from "../base/number.js";
import { change, shownPrompt, state } from "../base/state.js";
import { term } from "../base/terms.js";
import { t } from "../base/words.js";

const ROOMY = 4; // heads a layer up to which cells are wide
const READABLE = 8; // and up to which numbers fit into them

/** `look(place)` is called with the cell under the pointer or the focus, {row, column}: layer and part, or null when it has left. */
export function heatmap(label, look) {
  const table = cellTable("heat", t("{name}; arrow keys move, Enter chooses a head", { name: label }), { look, choose });
  const legend = signedLegend();
  const node = element("div", { class: "wide-matrix" }, table.node, legend.node);

  function choose({ row, column }) {
    if (column < shownPrompt().heads) change({ layer: row, head: column });
  }

  function build(layers, heads) {
    const names = Array.from({ length: heads }, (_, head) => (heads > READABLE ? head : t("head {head}", { head })));
    table.build(Array.from({ length: layers }, (_, layer) => t("layer {layer}", { layer })), [...names, term("MLP")]);
    node.classList.toggle("roomy", heads <= ROOMY);
    node.classList.toggle("dense", heads > READABLE);
  }

  /** `values`: layer by layer, of each the heads and then the MLP; `max`: the largest of them, either sign. */
  function draw(values, max) {
    const { layers, heads } = shownPrompt();
    if (table.cells.length !== layers || table.cells[0].length !== heads + 1) build(layers, heads);
    table.cells.forEach((line, layer) => line.forEach((one, part) => {
      const value = values[layer * (heads + 1) + part];
      write(one, brief(value));
      tint(one, signedShade(value, max));
    }));
    table.stand({ row: state.layer, column: state.head });
    legend.draw([brief(-max), "0", brief(max)]);
  }

  /** Lights one cell, or none. */
  function light(place) {
    node.querySelector(".lit-cell")?.classList.remove("lit-cell");
    if (place) table.cells[place.row]?.[place.column]?.classList.add("lit-cell");
  }

  return { node, draw, light };
}
