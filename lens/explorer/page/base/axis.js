// What all curves have: their drawing, and axes of training steps and losses, both by their logarithm, with round numbers on them.

import { element, svg } from "./dom.js";

const MIN_LOSS = 1e-3; // nats: a logarithmic scale has no place for 0
const MIN_APART = 9; // shares of the width between two steps that are named
const TICKS = 4; // on a scale of losses, about

/** A drawing that stretches: its units are shares of the width and height. */
export const stretched = (...lines) => svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" }, ...lines);

/** The path of an SVG through points [x, y]. */
export const path = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");

/** Where a training step is, in shares of the width, in a run up to step `last`. */
export const stepPlace = (step, last) => (100 * Math.log1p(step)) / Math.log1p(last);

/** The step at a share of the width. */
export const stepAt = (share, last) => Math.expm1((share / 100) * Math.log1p(last));

/** The axis of steps: 0, powers of ten and the last one, as far as they have room. */
export function stepAxis(last) {
  const named = [0];
  for (let step = 1; stepPlace(step, last) < 100 - 2 * MIN_APART; step *= 10) {
    if (stepPlace(step, last) - stepPlace(named.at(-1), last) >= MIN_APART) named.push(step);
  }
  return element("div", { class: "ends" }, ...[...named, last].map((step) => {
    const tick = element("span", {}, step.toLocaleString("en"));
    tick.style.left = `${stepPlace(step, last)}%`;
    return tick;
  }));
}

/** A scale that holds losses, and a share more each way: a function to shares of the height from the top, and its `ticks`. */
export function lossScale(losses, more = 0.05) {
  const log = (value) => Math.log(Math.max(MIN_LOSS, value));
  const [min, max] = [log(Math.min(...losses)), log(Math.max(...losses))];
  const margin = max > min ? more * (max - min) : 0.1;
  const [bottom, top] = [min - margin, max + margin];
  const scale = (value) => 100 * (1 - (log(value) - bottom) / (top - bottom));
  return Object.assign(scale, { ticks: ticks(Math.exp(bottom), Math.exp(top)) });
}

/** Round numbers between two others: three or more, and no more than have room. */
function ticks(from, to) {
  for (const digits of [[1], [1, 2, 5]]) {
    const found = [];
    for (let power = Math.floor(Math.log10(from)); 10 ** power <= to; power++) found.push(...digits.map((digit) => Number(`${digit}e${power}`)));
    const within = found.filter((value) => value >= from && value <= to);
    if (within.length > 2) return within;
  }
  const rough = (to - from) / TICKS;
  const power = Math.floor(Math.log10(rough));
  const digit = [1, 2, 5].find((one) => one * 10 ** power >= rough) ?? 10;
  const first = Math.ceil(from / Number(`${digit}e${power}`));
  const count = Math.floor(to / Number(`${digit}e${power}`)) - first + 1;
  return Array.from({ length: count }, (_, index) => Number(`${(first + index) * digit}e${power}`));
}
