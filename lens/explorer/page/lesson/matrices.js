// Attention on small matrices, each an array of rows, in double precision.

export const dot = (one, other) => one.reduce((sum, value, at) => sum + value * other[at], 0);

/** A row of `size` numbers, 1 at one place and 0 elsewhere. */
export const oneHot = (size, at) => Array.from({ length: size }, (_, place) => (place === at ? 1 : 0));

export const transpose = (rows) => rows[0].map((_, column) => rows.map((row) => row[column]));

/** The matrix product. */
export function times(one, other) {
  const columns = transpose(other);
  return one.map((row) => columns.map((column) => dot(row, column)));
}

export const plus = (one, other) => one.map((row, at) => row.map((value, column) => value + other[at][column]));

export const scaled = (rows, factor) => rows.map((row) => row.map((value) => value * factor));

/** Shares of 1 from the scores of one row. */
export function softmax(scores) {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
