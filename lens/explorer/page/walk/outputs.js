// What the weights give: this head's output, the outputs of all heads side by side, and what proj makes of them.

import { element } from "../base/dom.js";
import { change } from "../base/state.js";
import { vectorOf } from "./names.js";
import { computeRow } from "./recompute.js";
import { CELL, MAX_PRINTED, largest, vector } from "./vector.js";

/** The chosen key's weight * v_j, and z_i: the sum of all keys'. */
export function headOutput(host) {
  const part = vector(element("span", {}, "weight × ", vectorOf("v", "j")), "weight times v of the key");
  const whole = vector(vectorOf("z", "i"), "z of the query");
  host.append(part.node, whole.node);
  return ({ row: { weighted, z }, j }) => {
    const max = Math.max(largest(weighted), largest(z));
    part.show(weighted.subarray(j * z.length, (j + 1) * z.length), max);
    whole.show(z, max);
  };
}

/** z_i of every head, each computed as this one's; then out_i. */
export function allOutputs(host) {
  const answers = vector(element("span", {}, "all ", vectorOf("z", "i")), "z of all heads");
  const out = vector(vectorOf("out", "i"), "out of the query");
  const owners = element("div", { class: "owners" });
  host.append(answers.node, owners, out.node);
  return ({ prompt, full, row, layer, head, i }) => {
    const D = row.z.length;
    const all = new Float64Array(prompt.heads * D);
    for (let other = 0; other < prompt.heads; other++) {
      all.set(other === head ? row.z : computeRow(full, prompt, layer, other, i).z, other * D);
    }
    answers.show(all);
    out.show(full.out.at(layer, i));
    if (owners.children.length !== prompt.heads) {
      owners.replaceChildren(...Array.from({ length: prompt.heads }, (_, other) => owner(other)));
    }
    owners.hidden = prompt.heads === 1;
    owners.style.width = all.length > MAX_PRINTED ? "" : `${all.length * CELL}px`;
    Array.from(owners.children).forEach((button, other) => button.setAttribute("aria-pressed", other === head));
  };
}

function owner(head) {
  return element("button", { type: "button", onclick: () => change({ head }) }, element("span", {}, "head "), String(head));
}
