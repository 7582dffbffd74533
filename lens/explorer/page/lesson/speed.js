// Two loops over pairs against one product over flat arrays: the same numbers, timed on this computer.

import { element } from "../base/dom.js";
import { power } from "../base/number.js";
import { t } from "../base/words.js";
import { button } from "./field.js";
import { dot, softmax } from "./matrices.js";
import { tidy } from "./sums.js";

const [TOKENS, CHANNELS, TIMES] = [200, 64, 5];

export function speed() {
  const result = element("p", { class: "measured", "aria-live": "polite" });
  const measure = button(t("Time both here"), () => {
    const { loops, product, apart } = race();
    result.textContent = t("Two loops took {loops} ms, the product {product} ms: {ratio} times as long, and the numbers differ by {apart} at most. In PyTorch, where every call of a loop costs far more than its arithmetic, the gap is much wider: the code of this chapter measures it.", {
      loops: tidy(loops), product: tidy(product), ratio: tidy(loops / product, 1), apart: apart ? power(apart, 0) : "0",
    });
  });
  return element("div", { class: "speed" },
    element("p", {}, t("Two loops over all pairs, or one matrix product? {tokens} words of {channels} channels:", { tokens: TOKENS, channels: CHANNELS }), " ", measure),
    result,
  );
}

/** The shortest time of each way in milliseconds, and the largest difference of their results. */
export function race() {
  const flat = Float64Array.from({ length: TOKENS * CHANNELS }, () => Math.random() - 0.5);
  const rows = Array.from({ length: TOKENS }, (_, at) => Array.from(flat.subarray(at * CHANNELS, (at + 1) * CHANNELS)));
  const [one, other] = [timed(() => byLoops(rows)), timed(() => byProduct(flat, TOKENS, CHANNELS))];
  const apart = one.made.reduce((most, row, at) => row.reduce((far, value, channel) => Math.max(far, Math.abs(value - other.made[at * CHANNELS + channel])), most), 0);
  return { loops: one.time, product: other.time, apart };
}

function timed(way) {
  let [time, made] = [Infinity, null];
  for (let turn = 0; turn < TIMES; turn++) {
    const start = performance.now();
    made = way();
    time = Math.min(time, performance.now() - start);
  }
  return { time: Math.max(time, 0.1), made }; // a browser's clock is not finer
}

/** A new vector at each step, as one writes it first. */
export function byLoops(rows) {
  const contexts = [];
  for (const query of rows) {
    const scores = [];
    for (const key of rows) scores.push(dot(query, key));
    let context = query.map(() => 0);
    softmax(scores).forEach((weight, at) => {
      context = context.map((value, channel) => value + weight * rows[at][channel]);
    });
    contexts.push(context);
  }
  return contexts;
}

/** All in flat arrays that are made once. */
export function byProduct(flat, tokens, channels) {
  const [weights, contexts] = [new Float64Array(tokens), new Float64Array(tokens * channels)];
  for (let query = 0; query < tokens; query++) {
    let sum = 0;
    for (let key = 0; key < tokens; key++) {
      let score = 0;
      for (let channel = 0; channel < channels; channel++) score += flat[query * channels + channel] * flat[key * channels + channel];
      sum += weights[key] = Math.exp(score);
    }
    for (let key = 0; key < tokens; key++) {
      const weight = weights[key] / sum;
      for (let channel = 0; channel < channels; channel++) contexts[query * channels + channel] += weight * flat[key * channels + channel];
    }
  }
  return contexts;
}
