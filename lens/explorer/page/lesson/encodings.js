// Three ways of telling a token its position, on one query and one key, in double precision.

import { turn } from "../walk/rotation.js";
import { normals } from "./draws.js";
import { dot } from "./matrices.js";

export const CHANNELS = 8;
export const POSITIONS = 64;
export const THETA = 10000;
const ROWS = 48; // of the learned table: it ends where the longest text of training ends

const next = normals(2);
const randomVector = () => Array.from({ length: CHANNELS }, next);

export const QUERY = randomVector();
export const KEY = randomVector();

/** The learned table as it is before training: random. */
export const TABLE = Array.from({ length: ROWS }, randomVector);

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
