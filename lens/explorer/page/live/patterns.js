// Where the heads look, measured as lens/patterns.py does, in which each measure is defined.

const SHORTEST = 3; // tokens in a row that come again, for it to count as a repetition

/**
 * Of each layer and head the measures by name, to six decimals; those that a text does not have are absent.
 *
 * duplicate_token and induction look at the longest run of tokens that the text has twice; see `repeatOf`. Unlike in a
 * sequence of random tokens, previous_token is the mean over the whole text all the same. ids and layers: what
 * Model.forward was given and has recorded.
 */
export function metricsOf(ids, layers, { n_head: H, causal }) {
  const T = ids.length;
  const repeat = repeatOf(ids);
  return layers.map(({ weights }) => Array.from({ length: H }, (_, head) => {
    const measures = Object.entries(measuresOf(weights.subarray(head * T * T, (head + 1) * T * T), T, repeat, causal));
    return Object.fromEntries(measures.filter(([, value]) => value !== null).map(([name, value]) => [name, Number(value.toFixed(6))]));
  }));
}

/**
 * The longest run of at least three tokens that a text has twice, one after the other, the first that is complete of equally
 * long ones: {period, offset, length}, the `length` tokens from `offset` on come again `period` later; null for none.
 */
export function repeatOf(ids) {
  let best = { length: 0 };
  for (let period = SHORTEST; period < ids.length; period++) {
    let run = 0;
    for (let i = period; i < ids.length; i++) {
      run = ids[i] === ids[i - period] ? run + 1 : 0;
      const length = Math.min(run, period);
      if (length > best.length || (length === best.length && i < best.end)) best = { period, length, end: i };
    }
  }
  const { period, length, end } = best;
  return length < SHORTEST ? null : { period, offset: end + 1 - length - period, length };
}

function measuresOf(A, T, repeat, causal) {
  const alongDiagonal = (back, start, stop) => meanOf(start, stop, (i) => A[i * T + i - back]);
  const { period, offset, length } = repeat ?? {};
  const again = [offset + period, offset + period + length];
  return {
    entropy: T > 1 && causal ? meanOf(1, T, (i) => entropy(A.subarray(i * T, (i + 1) * T)) / Math.log(i + 1)) : null,
    previous_token: T > 1 ? alongDiagonal(1, 1, T) : null,
    first_token: T > 1 ? meanOf(1, T, (i) => A[i * T]) : null,
    duplicate_token: repeat ? alongDiagonal(period, ...again) : null,
    induction: repeat ? alongDiagonal(period - 1, ...again) : null,
    mean_distance: causal ? meanDistance(A, T) : null,
  };
}

function meanOf(start, stop, value) {
  let sum = 0;
  for (let i = start; i < stop; i++) sum += value(i);
  return sum / (stop - start);
}

const entropy = (row) => row.reduce((sum, weight) => (weight > 0 ? sum - weight * Math.log(weight) : sum), 0);

function meanDistance(A, T) {
  let [sum, all] = [0, 0];
  for (let i = 0; i < T; i++) {
    for (let j = 0; j < T; j++) {
      sum += A[i * T + j] * (i - j);
      all += A[i * T + j];
    }
  }
  return sum / all;
}
