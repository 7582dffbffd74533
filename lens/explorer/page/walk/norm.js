// A norm: of the stream before the attention, and of q and k.

import { element } from "../base/dom.js";
import { figure, power } from "../base/number.js";
import { t } from "../base/words.js";
import { factor, result } from "./sums.js";

/**
 * `values` without their mean where they are to be `centred`, divided by the root of their mean square and epsilon, times
 * the gain, plus the bias, an array or none: {from, values, mean, square, epsilon, gain, bias}.
 */
export function normalise(from, { weight: gain, bias }, { centred, epsilon }) {
  const mean = centred ? sum(from) / from.length : 0;
  const square = sum(from.map((value) => (value - mean) ** 2)) / from.length;
  const root = Math.sqrt(square + epsilon);
  const values = Float64Array.from(from, (value, c) => ((value - mean) / root) * gain[c] + (bias ? bias[c] : 0));
  return { from, values, mean, centred, square, epsilon, gain, bias };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** One channel of it with its numbers put in, as children of a line; `name` stands before them, `after` behind. */
export function normSum(name, { from, values, mean, centred, square, epsilon, gain, bias }, c, after = []) {
  const centre = centred ? ["(", figure(from[c]), mean < 0 ? " + " : " − ", figure(Math.abs(mean)), ")"] : [figure(from[c])];
  const under = element("span", { class: "number", title: `${square} + ${epsilon}` }, "√(", figure(square), ` + ${power(epsilon, 0)})`);
  return [
    ...name, " = ", ...centre, " ÷ ", under, " × ", factor(gain[c]), ...(bias ? [" + ", factor(bias[c])] : []), " = ", result(values[c]), ...after,
  ];
}

/** What a norm does to a vector, in words. */
export const saysOfNorm = (centred) => (centred
  ? t("The mean of its channels is subtracted, the rest divided by the root of its mean square, and each channel multiplied by a learned gain.")
  : t("It is divided by the root of the mean square of its channels, and each channel multiplied by a learned gain."));
