// Three attention functions for the exercise, X the queries, keys and values alike: one is right, two let the future in.

import { attend, causal } from "./attention.js";
import { softmax, times, transpose } from "./matrices.js";

/** The mask reaches one token too far. */
function shifted(X) {
  return attend(X, X, X, { sees: (query, key) => key <= query + 1 });
}

function right(X) {
  return attend(X, X, X, { sees: causal });
}

/** The softmax is over all tokens; the weights on later ones are then set to 0. */
function late(X) {
  const weights = times(X, transpose(X)).map((row, query) =>
    softmax(row.map((score) => score * X[0].length ** -0.5)).map((weight, key) => (causal(query, key) ? weight : 0)));
  return { weights, output: times(weights, X) };
}

export const FUNCTIONS = { shifted, right, late };

/** The test that proves it: the largest change of an output before a token when that token and all later ones change. */
export function largestLeak(attention, X, other, from) {
  const changed = X.map((row, place) => (place < from ? row : other[place]));
  const [before, after] = [attention(X).output, attention(changed).output];
  const differences = before.slice(0, from).flatMap((row, place) => row.map((one, channel) => Math.abs(one - after[place][channel])));
  return Math.max(...differences);
}
