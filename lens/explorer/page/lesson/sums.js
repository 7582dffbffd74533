// Arithmetic as one writes it.

import { formatNumber } from "../base/number.js";

/** A number with at most so many decimals, and none that are zeros at its end. */
export function tidy(value, digits = 2) {
  const text = formatNumber(value, digits);
  return text.includes(".") && !text.includes("×") ? text.replace(/\.?0+$/, "") : text;
}

/** A number as a factor: one below zero in brackets. */
const factor = (value, digits) => (value < 0 ? `(${tidy(value, digits)})` : tidy(value, digits));

/** The products whose sum is a dot product: 1·2 + 2·1 + 3·0. */
export function products(one, other, digits = 2) {
  return one.map((value, at) => `${factor(value, digits)}·${factor(other[at], digits)}`).join(" + ");
}
