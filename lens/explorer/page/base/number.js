// Numbers as they are printed: a minus as wide as a digit, powers of ten where digits would run on.

import { page } from "./data.js";
import { element } from "./dom.js";

const MIN_POWER = 1e6; // from here on a power of ten is shorter

/** With a minus as wide as a digit; what rounds to zero, as a sum may, has none. */
export function formatNumber(value, digits) {
  if (!Number.isFinite(value)) return value < 0 ? "−∞" : "∞";
  if (Math.abs(value) >= MIN_POWER) return power(value, digits);
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) ? `−${text}` : text;
}

/** A number as a power of ten, so tight that a sum around it stays clear: 4.1×10⁻⁷. */
export function power(value, digits) {
  const [mantissa, exponent] = value.toExponential(digits).split("e");
  const raised = Array.from(exponent.replace("+", ""), (sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign]));
  return `${mantissa.replace("-", "−")}×10${raised.join("")}`;
}

/** What is read at a glance, and all that the page carries. */
export const brief = (value) => formatNumber(value, page.digits.short);
export const whole = (value) => formatNumber(value, page.digits.full);

/** The largest absolute value of some numbers. */
export const extent = (values) => values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);

/** A number in a text: in brief, and whole under the pointer. */
export function figure(value) {
  return element("span", { class: "number", title: whole(value) }, brief(value));
}

/** The name of a vector or of one of its numbers: q with the index i. */
export function symbol(letter, index) {
  return element("var", {}, letter, element("sub", {}, index));
}
