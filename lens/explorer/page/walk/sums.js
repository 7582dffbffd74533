// Numbers as they stand in a sum that is written out.

import { figure, power } from "../base/number.js";
import { phrase } from "../base/words.js";

/** Within a sum a negative number stands in brackets. */
export function factor(value) {
  const node = figure(value);
  if (node.textContent.startsWith("−")) node.textContent = `(${node.textContent})`;
  return node;
}

export function result(value) {
  const node = figure(value);
  node.classList.add("result");
  return node;
}

/** What stands behind a number that was computed: the one that was logged, null if none was, and how far they are apart. */
export function loggedAs(logged, computed) {
  if (logged === null) return [];
  const difference = Math.abs(logged - computed);
  return phrase("; logged: {number}, {difference} apart", { number: figure(logged), difference: difference ? power(difference, 0) : "0" });
}
