// Random queries and keys, their scores, weights and gradients: what the widget about 1/√d_k measures.

import { softmax } from "../live/arithmetic.js";
import { generator } from "../live/sampling.js";

export const QUERIES = 200;
export const KEYS = 16; // of each query, its own
export const MAX_CHANNELS = 1024;
const VALUE_CHANNELS = 8;
const SEED = 1;

/** The numbers of channels that are measured: powers of two, and one between any two. */
export const CHANNELS = [1, 2];
for (let power = 2; power < MAX_CHANNELS; power *= 2) CHANNELS.push(1.5 * power, 2 * power);

/** A function that returns normal numbers, mean 0 and variance 1, for a seed always the same (Box and Muller 1958). */
export function normals(seed) {
  const random = generator(seed);
  let second = null;
  return () => {
    if (second !== null) {
      const kept = second;
      second = null;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    second = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

/**
 * Random q (channels, QUERIES) and k (channels, QUERIES, KEYS), flat, and their scores q · k (QUERIES, KEYS) over the
 * channels that `reach` has drawn: one channel after another, so with more of them the first ones stay the same.
 * slopes (QUERIES, KEYS): how the loss changes with each weight, v · g, where g is the gradient of the loss at the output.
 */
export function makeDraws(channels = MAX_CHANNELS) {
  const draws = {
    q: new Float32Array(channels * QUERIES), // rounded to float32 as they are drawn; all sums are float64
    k: new Float32Array(channels * QUERIES * KEYS),
    scores: new Float64Array(QUERIES * KEYS),
    slopes: drawSlopes(),
    reach,
  };
  const next = normals(SEED);
  let drawn = 0;

  function reach(count) {
    for (; drawn < count; drawn++) addChannel(draws, drawn, next);
  }

  return draws;
}

function addChannel({ q, k, scores }, c, next) {
  for (let i = 0; i < QUERIES; i++) q[c * QUERIES + i] = next();
  for (let at = 0; at < scores.length; at++) {
    k[c * scores.length + at] = next();
    scores[at] += q[c * QUERIES + Math.floor(at / KEYS)] * k[c * scores.length + at];
  }
}

function drawSlopes() {
  const next = normals(SEED + 1);
  const slopes = new Float64Array(QUERIES * KEYS);
  for (let i = 0; i < QUERIES; i++) {
    const g = Array.from({ length: VALUE_CHANNELS }, next);
    for (let j = 0; j < KEYS; j++) {
      slopes[i * KEYS + j] = g.reduce((sum, one) => sum + one * next(), 0);
    }
  }
  return slopes;
}

/** The same draws without and with 1/√d_k, at d_k = `channels`; they have reached no further. */
export function measureBoth(draws, channels) {
  draws.reach(channels);
  return { channels, ways: [measure(draws, channels, 1), measure(draws, channels, 1 / Math.sqrt(channels))] };
}

function measure(draws, channels, scale) {
  const scores = draws.scores.map((score) => score * scale);
  const weights = scores.slice();
  for (let i = 0; i < QUERIES; i++) softmax(rowOf(weights, i));
  const gradients = gradientsAt(draws, weights, channels, scale);
  return { scores, weights, gradients, ...summary(scores, weights, gradients) };
}

/** One query's row of numbers (QUERIES, KEYS). */
export const rowOf = (numbers, i) => numbers.subarray(i * KEYS, (i + 1) * KEYS);

/** The length of dL/dq of each query: scale · Kᵀ J slopes, where J is the softmax's derivative, diag(w) − w wᵀ. */
function gradientsAt({ k, slopes }, weights, channels, scale) {
  const felt = new Float64Array(QUERIES * KEYS); // J slopes: the slope of the loss in each score
  for (let i = 0; i < QUERIES; i++) {
    let mean = 0;
    for (let at = i * KEYS; at < (i + 1) * KEYS; at++) mean += weights[at] * slopes[at];
    for (let at = i * KEYS; at < (i + 1) * KEYS; at++) felt[at] = weights[at] * (slopes[at] - mean);
  }
  const squares = new Float64Array(QUERIES);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < QUERIES; i++) {
      let sum = 0;
      for (let at = i * KEYS; at < (i + 1) * KEYS; at++) sum += felt[at] * k[c * felt.length + at];
      squares[i] += sum * sum;
    }
  }
  return squares.map((square) => scale * Math.sqrt(square));
}

/** variance of the scores; of the rows of weights the mean entropy, in nats, and mean largest weight; of the gradients median and largest. */
function summary(scores, weights, gradients) {
  const rows = Array.from({ length: QUERIES }, (_, i) => rowOf(weights, i));
  const sorted = gradients.slice().sort();
  return {
    variance: varianceOf(scores),
    entropy: mean(rows.map(entropyOf)),
    largest: mean(rows.map((row) => Math.max(...row))),
    median: sorted[(QUERIES - 1) >> 1],
    extreme: sorted[QUERIES - 1],
  };
}

const mean = (numbers) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

function varianceOf(numbers) {
  const middle = mean(numbers);
  return numbers.reduce((sum, one) => sum + (one - middle) ** 2, 0) / (numbers.length - 1);
}

/** The entropy of weights that sum to 1, in nats: 0 where one has everything, ln of their count where all are equal. */
export const entropyOf = (weights) => -weights.reduce((sum, one) => sum + (one > 0 ? one * Math.log(one) : 0), 0);
