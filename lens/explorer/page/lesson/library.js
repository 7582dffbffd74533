// Chapter 6: a library's call beside ours. It takes query, value, key, and does not scale unless told to.

import { signedShade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { attend, largestDifference } from "./attention.js";
import { toggle } from "./field.js";
import { softmax, times, transpose } from "./matrices.js";
import { fixed, matrix } from "./matrix.js";

/** What layers.Attention()([query, value, key]) of Keras computes. */
const kerasAttention = ([query, value, key]) => times(times(query, transpose(key)).map(softmax), value);

const ORDERS = ["[query, key, value]", "[query, value, key]"];
const SCALES = ["scale=None", "scale=1.0"]; // 1/√d_k, and none

/** {node, draw(pixels)}: the rows of a 3x3 picture, given as nine tokens, are three queries, three keys and three values. */
export function library() {
  const chosen = { order: 0, scale: 0 };
  let pixels = null;
  const row = ["0", "1", "2"];
  const code = (text) => element("code", {}, text);
  const tables = ["layers.Attention()([…])", "attend(query, key, value)"].map((call) => matrix(code(call), { write: fixed(2), colour: (one) => signedShade(one, 3) }));
  const choice = (name, options, label) => toggle(label, options.map((text, at) => [at, code(text)]), chosen[name], (at) => {
    chosen[name] = at;
    draw(pixels);
  }).node;
  const apart = element("p", { class: "same", role: "status" });
  const node = element("section", { class: "library" },
    element("p", { class: "lead" }, t("A library’s call: find the settings that give the same numbers.")),
    element("p", { class: "note" }, t("The rows of the picture are the queries, the keys and the values.")),
    element("div", { class: "side-by-side" }, choice("order", ORDERS, t("What the library is given")), choice("scale", SCALES, t("The scale of ours"))),
    element("div", { class: "side-by-side" }, ...tables.map((one) => one.node)), apart,
  );

  function draw(tokens) {
    pixels = tokens;
    const [query, key, value] = [0, 3, 6].map((from) => tokens.slice(from, from + 3));
    const theirs = kerasAttention(chosen.order === 1 ? [query, value, key] : [query, key, value]);
    const ours = attend(query, key, value, chosen.scale === 1 ? { scale: 1 } : {}).output;
    [theirs, ours].forEach((values, at) => tables[at].show(values, row, [...row, "3"]));
    const difference = largestDifference(theirs, ours);
    apart.replaceChildren(...(difference < 1e-12
      ? phrase("The same numbers: this library takes the value before the key, and does not scale by default.", {})
      : phrase("Off by up to {difference}, and no error.", { difference: element("b", {}, formatNumber(difference, 3)) })));
  }

  return { node, draw };
}
