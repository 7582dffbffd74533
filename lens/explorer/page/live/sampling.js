// The choice of the next token, as model/generation.py has it, in float32 as there.

import { likeliest, softmax } from "./distribution.js";

/**
 * The probabilities to draw the next token from, a Float32Array. Logits are divided by the temperature; the topK likeliest
 * are kept, then of those the smallest set whose probabilities sum to at least topP (null: all). Of equals at the edge the
 * smaller ids are kept. Temperature 0 leaves the likeliest.
 */
export function probabilities(logits, { temperature, topK = null, topP = null }) {
  if (temperature < 1e-8) {
    const p = new Float32Array(logits.length);
    p[likeliest(logits, 1)[0]] = 1;
    return p;
  }
  const divided = Float32Array.from(logits, (logit) => logit / Math.fround(temperature));
  if (topK !== null) keep(divided, topK, -Infinity);
  const p = softmax(divided);
  if (topP === null) return p;
  keep(p, nucleus(p, Math.fround(topP)), 0);
  const sum = p.reduce((before, share) => before + share, 0);
  return p.map((share) => share / sum);
}

/** Draws an id: the first up to which the probabilities sum to a random number, of a function such as from `generator`. */
export function draw(p, random) {
  const share = (1 - random()) * p.reduce((before, one) => before + one, 0); // above 0: nothing of probability 0 is drawn
  let sum = 0;
  const id = p.findIndex((one) => (sum += one) >= share);
  return id < 0 ? p.length - 1 : id; // of probabilities that are NaN, such as a model gives whose numbers overflow
}

/** A function that returns random numbers from 0 to below 1, for a seed always the same: Mulberry32 (T. Ettinger 2017). */
export function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Sets all numbers to `otherwise` except the `count` largest, of equal ones the first. */
function keep(numbers, count, otherwise) {
  if (count >= numbers.length) return;
  const edge = numbers.slice().sort()[numbers.length - count];
  let room = numbers.reduce((left, number) => left - (number > edge), count); // for those at the edge
  for (let i = 0; i < numbers.length; i++) {
    if (numbers[i] < edge || (numbers[i] === edge && room-- <= 0)) numbers[i] = otherwise;
  }
}

/** How many of the likeliest it takes until they sum to topP. */
function nucleus(p, topP) {
  let sum = 0;
  const after = p.slice().sort().reverse().findIndex((share) => {
    sum += share;
    const before = Math.fround(Math.fround(sum) - share); // the sum of the likelier ones, rounded as PyTorch does
    return before >= topP && before > 0;
  });
  return after < 0 ? p.length : after;
}
