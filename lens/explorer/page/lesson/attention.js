// Attention as the chapters write it, in double precision. A matrix is an array of its rows.

import { softmax, times, transpose } from "./matrices.js";

export const causal = (query, key) => key <= query;

/** Weights or scores (Tq, Tk), null where a query may not look. */
export const hideFuture = (values) => values.map((row, query) => row.map((value, key) => (causal(query, key) ? value : null)));

/** {scores, weights, output} of queries (Tq, K), keys (Tk, K) and values (Tk, D); `sees(query, key)`: the mask. */
export function attend(queries, keys, values, { scale = keys[0].length ** -0.5, sees = () => true } = {}) {
  const scores = times(queries, transpose(keys));
  const masked = scores.map((row, query) => row.map((score, key) => (sees(query, key) ? score * scale : -Infinity)));
  const weights = masked.map(softmax);
  return { scores, weights, output: times(weights, values) };
}

export const largestDifference = (left, right) =>
  left.reduce((most, row, i) => Math.max(most, ...row.map((one, j) => Math.abs(one - right[i][j]))), 0);
