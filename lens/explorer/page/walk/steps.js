// The steps from x to out: their names, a sentence on each, and its sum with the numbers of the chosen key put in.

import { element } from "../base/dom.js";
import { extent, figure } from "../base/number.js";
import { term } from "../base/terms.js";
import { phrase, t } from "../base/words.js";
import { ofKey, ofQuery } from "./names.js";
import { saysOfNorm } from "./norm.js";
import { result } from "./sums.js";

export const TITLES = {
  x: "x",
  qkv: "Q, K, V",
  norm: t("norm"),
  rope: t("rotation"),
  score: t("score"),
  scale: t("scale"),
  mask: t("mask"),
  softmax: "softmax",
  values: t("weighted sum of V"),
  proj: "proj",
};

/** The steps that there are numbers for, in order; `full` as from fullOf. */
export function stepsOf(prompt, full) {
  const absent = { x: !full.x, norm: !prompt.qkNorm, rope: prompt.position !== "rope", mask: !prompt.causal, proj: !full.out };
  return Object.keys(TITLES).filter((step) => !absent[step]);
}

const PLACES = {
  learned: () => t("Its position was encoded before the first layer: pe, a learned vector for each position, was added to the embedding of the token."),
  sinusoidal: () => t("Its position was encoded before the first layer: pe, sines and cosines of the position, was added to the embedding of the token."),
  rope: () => phrase("No pe was added to it: {rope} encodes positions by rotating q and k, further down.", { rope: term("rope") }),
};

/** A few sentences on each step, as nodes; `row` as from computeRow, `model` null where the page does not carry the weights. */
export const SAYS = {
  x: ({ position, given }, row, model) => {
    if (given.length) {
      const added = given.some(({ name }) => name === "pe");
      return [added ? t("What a position brings to the attention: X + pe, so that each token says where it stands.") : t("What a position brings to the attention.")];
    }
    const norm = model ? [" ", saysOfNorm(model.config.norm === "layernorm")] : [];
    const what = phrase("What a position brings to this layer’s attention: x, which the {norm} before it makes of the {stream}.", { norm: term("norm"), stream: term("stream") });
    return [...what, ...norm, " ", PLACES[position]?.() ?? ""].flat();
  },
  qkv: ({ given, qkNorm, position }, row, model) => {
    const what = t("A position has three vectors in this head: q, what it looks for; k, what it is matched by; v, what it gives.");
    if (given.some(({ name }) => /^W(_Q|$)/.test(name))) return [what, " ", t("Each channel is the dot product of x and a column of its matrix W.")];
    if (given.length) return [what];
    const how = phrase("One learned matrix, {qkv}, makes them of its x: each channel is the dot product of x and a row of the matrix.", { qkv: term("qkv") });
    return [what, " ", ...how, " ", madeOf(qkNorm, position, model)];
  },
  norm: ({ position }, row, model) => {
    const why = phrase("Before they meet, q and k go through a {norm}, so that their length says nothing (qk-norm).", { norm: term("norm") });
    if (model) return [...why, " ", t("Each is divided by the root of the mean square of its channels, and each channel multiplied by a learned gain.")];
    return [...why, " ", position === "rope"
      ? t("The page does not carry its gains here: q and k are shown after the norm and before the rotation, computed back.")
      : t("The page does not carry its gains here: q and k are shown after the norm.")];
  },
  rope: (prompt, { q: { length } }, model) => {
    const what = t("rope rotates each channel c together with channel c + {half}, by an angle that grows with the position.", { half: length / 2 });
    return model ? [what] : [what, " ", t("q and k were logged after the rotation; what they were before it is computed back here.")];
  },
  score: () => [t("q of the query and k of the key are multiplied channel by channel and added up: the more they point the same way, the larger.")],
  scale: ({ scale }, { q: { length } }) => {
    if (scale === 1 && length > 1) return [t("No scale: this attention takes the scores as they are.")];
    if (Math.abs(scale - length ** -0.5) > 1e-6) return phrase("The scores are multiplied by {scale}.", { scale: figure(scale) });
    return phrase("The more channels, the wider such sums spread, and the softmax would saturate; {formula}, here {numbers}, makes up for their number.", {
      formula: together("key_dim ** −0.5"), numbers: together(`${length} ** −0.5 = `, figure(scale)),
    });
  },
  mask: () => [
    t("No position may see a later one: −∞ is added to the scores of the keys after the query, 0 to the others. A masked key has a score, but it will never count."),
  ],
  softmax: ({ causal }, { shift }) => [
    causal ? t("exp makes each score positive, and −∞ exactly 0; divided by their sum they become weights that add up to 1.")
      : t("exp makes each score positive; divided by their sum they become weights that add up to 1."),
    ...(shift ? [" ", ...phrase("Here the largest, {largest}, is subtracted from all of them first: exp would leave the range in which a computer adds well. The weights stay the same.", { largest: figure(shift) })] : []),
  ],
  values: () => phrase("Each key adds its v times its weight; the sum is {z}, this head’s answer for the query.", { z: element("var", {}, "z") }),
  proj: ({ heads, given }, row, model) => {
    const out = element("var", {}, "out");
    const what = heads > 1 ? phrase("The answers of all {heads} heads, one after the other, are mixed by the matrix {proj} into {out}.", { heads: String(heads), proj: term("proj"), out })
      : phrase("The answer goes through the matrix {proj} and becomes {out}.", { proj: term("proj"), out });
    if (given.length) return what;
    if (!model) return [...what, " ", t("That is added to the stream. It is shown as it was logged: the page does not carry the matrix here.")];
    return [...what, " ", t("That is added to the stream. Each head has its own columns of proj: what they make of its z is what the head writes.")];
  },
};

/** What the page knows of q and k as the projection makes them. */
function madeOf(qkNorm, position, model) {
  if (model) return t("Choose a channel by a click or the arrow keys: it is multiplied out below.");
  if (qkNorm) return t("What it makes of q and k goes through a norm first, and cannot be computed back: the page does not carry the weights here.");
  return position === "rope" ? t("q and k were logged after their rotation; what they were before it is computed back here.") : "";
}

/** The sum of each step for the key j, as nodes. */
export const SUMS = {
  score: ({ q: { length: K }, score }, j) => [
    ofQuery("q"), " · ", ofKey("k"), " = ", ...(K > 1 ? [t("sum of the {count} products", { count: K }), " = "] : []), result(score[j]),
  ],
  scale: ({ score, scaled }, j, { scale }) => [figure(score[j]), " × ", scale === 1 ? "1" : figure(scale), " = ", result(scaled[j])],
  mask: ({ scaled, mask, seen }, j) => [figure(scaled[j]), j < seen ? " + 0 = " : " + (−∞) = ", result(scaled[j] + mask[j])],
  softmax: ({ scaled, seen, shift, exp, total, weight }, j) => {
    const less = shift ? [shift < 0 ? " + " : " − ", figure(Math.abs(shift))] : [];
    const powered = () => exact(j < seen, exp[j]);
    return phrase("{first}, and {second}", {
      first: ["exp(", j < seen ? figure(scaled[j]) : "−∞", ...less, ") = ", powered()],
      second: [powered(), " ÷ ", figure(total), " = ", j < seen ? result(weight[j]) : "0"],
    });
  },
  values: ({ v, z, weight, weighted, seen }, j) => {
    const D = z.length;
    const values = v.subarray(j * D, (j + 1) * D);
    const max = extent(values);
    const c = values.findIndex((value) => Math.abs(value) === max); // where this key has most to give
    return phrase("channel {channel}: {product}, part of {whole}", {
      channel: String(c),
      product: [exact(j < seen, weight[j]), " × ", figure(values[c]), " = ", exact(j < seen, weighted[j * D + c])],
      whole: [ofQuery("z"), `[${c}] = `, result(z[c])],
    });
  },
};

/** A number that the mask has made exactly 0, or not. */
const exact = (seen, value) => (seen ? figure(value) : "0");

/** What stays on one line. */
const together = (...children) => element("span", { class: "together" }, ...children);
