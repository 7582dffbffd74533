// Attention as the chapters write it, in double precision. A matrix is an array of its rows.

export const transposed = (matrix) => matrix[0].map((_, column) => matrix.map((row) => row[column]));

export const dot = (left, right) => left.reduce((sum, one, at) => sum + one * right[at], 0);

export function product(left, right) {
  const columns = transposed(right);
  return left.map((row) => columns.map((column) => dot(row, column)));
}

/** Shares that add up to 1; minus infinity gets none. */
export function softmax(scores) {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((total, one) => total + one, 0);
  return powers.map((one) => one / sum);
}

export const causal = (query, key) => key <= query;

/** {scores, weights, output} of queries (Tq, K), keys (Tk, K) and values (Tk, D); `sees(query, key)`: the mask. */
export function attend(queries, keys, values, { scale = keys[0].length ** -0.5, sees = () => true } = {}) {
  const scores = product(queries, transposed(keys));
  const masked = scores.map((row, query) => row.map((score, key) => (sees(query, key) ? score * scale : -Infinity)));
  const weights = masked.map(softmax);
  return { scores, weights, output: product(weights, values) };
}

export const largestDifference = (left, right) =>
  left.reduce((most, row, i) => Math.max(most, ...row.map((one, j) => Math.abs(one - right[i][j]))), 0);
