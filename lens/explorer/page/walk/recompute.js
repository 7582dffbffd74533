// One row of attention, computed again in float64 from the q, k and v that the page carries.

import { page } from "../base/data.js";

const MAX_SCORE = 80; // exp(80) is 10 to the 35th: with larger scores the sums would lose their meaning, from 710 on be infinite

/**
 * What is computed of a query, in the order in which it is; each array has a number, or `width` of them, for each key:
 * products (width K), score, scaled, mask, exp, weight, weighted (width D). `total` is the sum of exp, `sum` that of the
 * weights, `z` (D) that of the weighted values; `shift` was subtracted from the scaled scores before exp, mostly 0.
 * The first `seen` keys are not masked. `full` as from fullOf.
 */
export function computeRow(full, { scale, causal }, layer, head, query) {
  const [q, k, v] = [full.q.at(layer, head, query), full.k.at(layer, head), full.v.at(layer, head)];
  const K = q.length;
  const keys = k.length / K;
  const D = v.length / keys;
  const seen = causal ? query + 1 : keys;
  const [score, scaled, mask, exp, weight] = Array.from({ length: 5 }, () => new Float64Array(keys));
  const products = new Float64Array(keys * K);
  const weighted = new Float64Array(keys * D);
  const z = new Float64Array(D);

  for (let j = 0; j < keys; j++) {
    for (let c = 0; c < K; c++) score[j] += products[j * K + c] = q[c] * k[j * K + c];
    scaled[j] = score[j] * scale;
    mask[j] = j < seen ? 0 : -Infinity;
  }
  const max = scaled.subarray(0, seen).reduce((one, other) => Math.max(one, other));
  const shift = Math.abs(max) > MAX_SCORE ? max : 0;
  let [total, sum] = [0, 0];
  for (let j = 0; j < keys; j++) total += exp[j] = Math.exp(scaled[j] + mask[j] - shift);
  for (let j = 0; j < seen; j++) {
    sum += weight[j] = exp[j] / total;
    for (let c = 0; c < D; c++) z[c] += weighted[j * D + c] = weight[j] * v[j * D + c];
  }
  return { q, k, v, keys, seen, products, score, scaled, mask, shift, exp, total, weight, sum, weighted, z, digits: page.digits.full };
}

/** `row` with the weights of a map, to `digits` decimals; all else is out of date and must not be shown. */
export function rowOfMap(row, weights, digits) {
  const weight = new Float64Array(row.keys);
  weight.set(weights);
  return { ...row, seen: weights.length, weight, sum: weight.reduce((one, other) => one + other), digits };
}

/** The columns of the table over the keys: each an array of the row, and the step that makes it. */
export const COLUMNS = [
  { name: "products", step: "score" },
  { name: "score", step: "score" },
  { name: "scaled", step: "scale" },
  { name: "mask", step: "mask" },
  { name: "exp", step: "softmax" },
  { name: "weight", step: "softmax" },
  { name: "weighted", step: "values" },
];

/** The columns in which a masked key has an exact 0. */
export const MASKED = ["exp", "weight", "weighted"];

/** How many numbers a column has for each key. */
export const widthOf = (row, name) => row[name].length / row.keys;

/** The largest difference between the weights computed here and the logged ones (of the keys that are seen). */
export function maxDifference(row, logged) {
  return logged.reduce((max, weight, j) => Math.max(max, Math.abs(weight - row.weight[j])), 0);
}
