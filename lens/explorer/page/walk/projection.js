// What the weights of a block make of x in one head, in float64: q, k and v as the projection has them, and normalised.

import { normalise } from "./norm.js";
import { turn } from "./rotation.js";

/**
 * By letter, q of the query and k and v of the key, each of its x: {x, raw, rows, biases, normed, entering}. `raw` is what
 * the projection makes of x, channel by channel with the weights `rows` and the `biases`, null where there are none;
 * `normed` what the norm makes of that, as of norm.js, null without one; `entering` what goes into the attention.
 */
export function project(model, layer, head, { query, key }) {
  const { qk_norm, epsilon, rope_theta } = model.config;
  const of = (part, { x, position }) => {
    const { raw, rows, biases } = multiply(model, layer, head, part, x);
    const gain = { weight: model.blocks[layer].gains[part] };
    const normed = qk_norm && part < 2 ? normalise(raw, gain, { centred: false, epsilon }) : null;
    const values = normed?.values ?? raw;
    return { x, raw, rows, biases, normed, entering: model.angles && part < 2 ? turn(values, position, rope_theta) : values };
  };
  return { q: of(0, query), k: of(1, key), v: of(2, key) };
}

const GIVEN = ["W_Q", "W_K", "W_V"];

/** As `project`, with the matrices that a worked example gives; null where it gives none. What they make is not normalised. */
export function projectGiven({ given, heads }, head, tokens) {
  const of = (name, { x }) => {
    const named = (wanted) => given.find((one) => one.name === wanted)?.rows;
    const matrix = named(`${name}, head ${head}`) ?? named(name) ?? named("W");
    if (!matrix || !x || matrix.length !== x.length) return null;
    const isShared = named(`W_Q, head ${head}`) || named("W"); // each head has all columns
    const width = isShared ? matrix[0].length : matrix[0].length / heads;
    const first = isShared ? 0 : head * width;
    const rows = Array.from({ length: width }, (_, c) => Float64Array.from(matrix, (row) => row[first + c]));
    const raw = Float64Array.from(rows, (row) => product(x, row));
    return { x, raw, rows, biases: null, normed: null, entering: raw };
  };
  const [q, k, v] = GIVEN.map((name, part) => of(name, part ? tokens.key : tokens.query));
  return q && k && v ? { q, k, v } : null;
}

function multiply({ sizes: { C, H, K, D }, blocks }, layer, head, part, x) {
  const { weight, bias } = blocks[layer]["attn.qkv"]; // the queries of all heads, then all keys, then all values
  const width = part < 2 ? K : D;
  const first = part * H * K + head * width;
  const rows = Array.from({ length: width }, (_, c) => weight.subarray((first + c) * C, (first + c + 1) * C));
  const biases = bias ? bias.subarray(first, first + width) : null;
  return { rows, biases, raw: Float64Array.from(rows, (row, c) => product(x, row) + (biases ? biases[c] : 0)) };
}

/** What the head writes into the stream: of each channel the weights of proj for its z (D), and their sum (C). */
export function written({ sizes: { C, D }, blocks }, layer, head, z) {
  const { weight } = blocks[layer]["attn.proj"];
  const rows = Array.from({ length: C }, (_, c) => weight.subarray(c * C + head * D, c * C + (head + 1) * D));
  return { rows, values: Float64Array.from(rows, (row) => product(z, row)) };
}

const product = (one, other) => one.reduce((sum, value, c) => sum + value * other[c], 0);

/** The largest difference between numbers. */
export const apart = (one, other) => one.reduce((max, value, c) => Math.max(max, Math.abs(value - other[c])), 0);
