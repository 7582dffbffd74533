// A likely next token: its name, marked where it is the true one, and its probability as a number and a bar.

import { cell, decimals, labelOf, write } from "../base/cells.js";
import { element } from "../base/dom.js";

/** {node, show(id, before, share, target)}: an element `name`; before: the token before it, target: the id of the true one. */
export function likely(name) {
  const [label, number] = [cell("bdi"), cell("span", { class: "number" })];
  const node = element(name, { class: "likely" }, label, number);

  function show(id, before, share, target) {
    write(label, (id === target ? "✓ " : "") + labelOf(id, before));
    write(number, decimals(share));
    node.classList.toggle("right", id === target);
    node.style.backgroundSize = `${100 * share}% 100%`;
  }
  return { node, show };
}
