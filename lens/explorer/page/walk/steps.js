// The steps from x to out: their names, a sentence on each, and its sum with the numbers of the chosen key put in.

import { element } from "../base/dom.js";
import { figure } from "../base/number.js";
import { term } from "../base/terms.js";
import { t } from "../base/words.js";
import { vectorOf } from "./names.js";
import { largest } from "./vector.js";

export const TITLES = {
  x: "x",
  qkv: "Q, K, V",
  score: "score",
  scale: "scale",
  mask: "mask",
  softmax: "softmax",
  values: "weighted sum of V",
  proj: "proj",
};

/** The steps that there are numbers for, in order; `full` as from fullOf. */
export function stepsOf(prompt, full) {
  const absent = { x: !full.x, mask: !prompt.causal, proj: !full.out };
  return Object.keys(TITLES).filter((step) => !absent[step]);
}

/** How the model knows where a position is. */
const PLACES = {
  learned: () => [t("Its position was encoded before the first layer: pe, a learned vector for each position, was added to the embedding of the token.")],
  sinusoidal: () => [t("Its position was encoded before the first layer: pe, sines and cosines of the position, was added to the embedding of the token.")],
  rope: () => [t("No pe was added to it: "), term("rope"), t(" encodes positions by rotating q and k, in the next step.")],
};

/** One sentence on each step, as nodes; `row` as from rowOf. */
export const SAYS = {
  x: ({ position, given }) => {
    if (!given.length) return [t("What a position brings to this layer’s attention: the "), term("stream"), t(", after the "), term("norm"), ". ", ...(PLACES[position]?.() ?? [])];
    const added = given.some(({ name }) => name === "pe") ? ": X + pe, so that each token says where it stands" : "";
    return [`What a position brings to the attention${added}.`];
  },
  qkv: ({ given }) => [
    "A position has three vectors in this head: q, what it looks for; k, what it is matched by; v, what it gives. ",
    ...(given.length ? [] : [t("One learned projection, "), term("qkv"), t(", computes them from its x; q and k are shown as they enter the dot product.")]),
  ],
  score: () => [
    vectorOf("q", "i"), " and ", vectorOf("k", "j"),
    " are multiplied channel by channel and added up: the more they point the same way, the larger.",
  ],
  scale: ({ scale }, { q: { length } }) => {
    if (scale === 1 && length > 1) return ["No scale: this attention takes the scores as they are."];
    if (Math.abs(scale - length ** -0.5) > 1e-6) return ["The scores are multiplied by ", figure(scale), "."];
    return [
      "The more channels, the wider such sums spread, and the softmax would saturate; ", together("key_dim ** −0.5"),
      ", here ", together(`${length} ** −0.5 = `, figure(scale)), ", makes up for their number.",
    ];
  },
  mask: () => [
    "No position may see a later one: −∞ is added to the scores of the keys after the query, 0 to the others. "
      + "A masked key has a score, but it will never count.",
  ],
  softmax: ({ causal }, { shift }) => {
    const why = ", is subtracted from all of them first: exp would leave the range in which a computer adds well. The weights stay the same.";
    return [
      `exp makes each score positive${causal ? ", and −∞ exactly 0" : ""}; divided by their sum they become weights that add up to 1.`,
      ...(shift ? [" Here the largest, ", figure(shift), why] : []),
    ];
  },
  values: () => ["Each key adds its v times its weight; the sum is ", vectorOf("z", "i"), ", this head’s output for the query."],
  proj: ({ heads, given }) => [
    ...(heads > 1
      ? [t("The outputs of all {heads} heads, one after the other, are mixed by ", { heads }), term("proj"), t(" into ")]
      : [t("The output goes through "), term("proj"), t(" and becomes ")]),
    vectorOf("out", "i"),
    given.length ? "." : ", which is added to the stream. It is shown as it was logged: the page does not carry the matrix of proj.",
  ],
};

/** The sum of each step for the key j, as nodes. */
export const SUMS = {
  score: ({ q: { length: K }, score }, j) => [
    vectorOf("q", "i"), " · ", vectorOf("k", "j"), K > 1 ? ` = sum of the ${K} products = ` : " = ", result(score[j]),
  ],
  scale: ({ score, scaled }, j, { scale }) => [figure(score[j]), " × ", scale === 1 ? "1" : figure(scale), " = ", result(scaled[j])],
  mask: ({ scaled, mask, seen }, j) => [figure(scaled[j]), j < seen ? " + 0 = " : " + (−∞) = ", result(scaled[j] + mask[j])],
  softmax: ({ scaled, seen, shift, exp, total, weight }, j) => {
    const less = shift ? [shift < 0 ? " + " : " − ", figure(Math.abs(shift))] : [];
    const powered = () => exact(j < seen, exp[j]);
    return [
      "exp(", j < seen ? figure(scaled[j]) : "−∞", ...less, ") = ", powered(),
      ", and ", powered(), " ÷ ", figure(total), " = ", j < seen ? result(weight[j]) : "0",
    ];
  },
  values: ({ v, z, weight, weighted, seen }, j) => {
    const D = z.length;
    const values = v.subarray(j * D, (j + 1) * D);
    const max = largest(values);
    const c = values.findIndex((value) => Math.abs(value) === max); // where this key has most to give
    return [
      `channel ${c}: `, exact(j < seen, weight[j]), " × ", figure(values[c]), " = ", exact(j < seen, weighted[j * D + c]),
      ", part of ", vectorOf("z", "i"), `[${c}] = `, result(z[c]),
    ];
  },
};

/** A number that the mask has made exactly 0, or not. */
const exact = (seen, value) => (seen ? figure(value) : "0");

/** What stays on one line. */
const together = (...children) => element("span", { class: "together" }, ...children);

function result(value) {
  const node = figure(value);
  node.classList.add("result");
  return node;
}
