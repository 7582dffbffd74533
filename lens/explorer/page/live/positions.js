// How a token knows where it stands: angles of position, rotation by them, and the n-grams that end at it.

/** Cosines and sines of position * theta ** (-2 i / channels): (positions, channels / 2) each. */
export function angles(positions, channels, theta) {
  const half = channels / 2;
  const [cos, sin] = [new Float32Array(positions * half), new Float32Array(positions * half)];
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * theta ** ((-2 * i) / channels);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** Turns channel i with channel i + K/2 of each row (T, H, K), in place; the first of T stands at position `start`. */
export function rotate(rows, { cos, sin }, H, K, start) {
  const half = K / 2;
  for (let row = 0; row < rows.length / K; row++) {
    const at = row * K;
    const angle = (start + Math.floor(row / H)) * half;
    for (let i = 0; i < half; i++) {
      const first = rows[at + i];
      const second = rows[at + half + i];
      const c = cos[angle + i];
      const s = sin[angle + i];
      rows[at + i] = first * c - second * s;
      rows[at + half + i] = second * c + first * s;
    }
  }
}

/**
 * The rows in the table of n-grams of those that end at a position: of length 2, 3, … to `ngram`; see model/ngrams.py.
 *
 * The hash is below 2 ** 31, so its product with a number below 2 ** 20 is exact in 53 bits.
 */
export function ngramRows(ids, position, { ngram, ngram_rows }) {
  let hash = ids[position] + 1;
  return Array.from({ length: ngram - 1 }, (_, back) => {
    const earlier = position > back ? ids[position - back - 1] + 1 : 0;
    hash = (hash * 1_000_003 + earlier) % (2 ** 31 - 1);
    return back * ngram_rows + (hash % ngram_rows);
  });
}
