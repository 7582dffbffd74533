// Three ways of telling a token its position, on one query and one key, in double precision.

import { turn } from "../walk/rotation.js";
import { normals } from "./draws.js";
import { dot } from "./matrices.js";

export const CHANNELS = 8;
export const POSITIONS = 200;
export const THETA = 10000;
const ROWS = 176; // of the learned table, block_size in configs/small.yaml: no text of training is longer

/** Those that the code of chapter 7 draws. */
export const QUERY = [1.842330, 0.518887, -1.711921, -1.701379, 2.019419, -0.268614, -0.130718, -1.437414];
export const KEY = [0.390768, -0.018968, -1.352687, -0.730818, 0.987922, -0.419408, -0.584896, -0.782335];

const next = normals(2);

/** The learned table as it is before training: random. */
export const TABLE = Array.from({ length: ROWS }, () => Array.from({ length: CHANNELS }, next));

/** By how many radians a pair of channels turns from one position to the next. */
export const speed = (pair, channels = CHANNELS) => THETA ** ((-2 * pair) / channels);

/** The sinusoidal encoding of a position: first the cosines of all pairs, then their sines. */
export function sinusoid(position, channels = CHANNELS) {
  const angles = Array.from({ length: channels / 2 }, (_, pair) => position * speed(pair, channels));
  return [...angles.map(Math.cos), ...angles.map(Math.sin)];
}

export const added = (one, other) => one.map((value, at) => value + other[at]);

/** The query or the key, turned by its position. */
export const turned = (vector, position) => [...turn(vector, position, THETA)];

/** The score of the query at position i with the key at j; NaN where the learned table has no row. */
export const SCORES = {
  learned: (i, j) => (Math.max(i, j) < ROWS ? dot(added(QUERY, TABLE[i]), added(KEY, TABLE[j])) : NaN),
  sinusoidal: (i, j) => dot(added(QUERY, sinusoid(i)), added(KEY, sinusoid(j))),
  rope: (i, j) => dot(turned(QUERY, i), turned(KEY, j)),
};
