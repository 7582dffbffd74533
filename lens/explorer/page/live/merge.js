// Byte pairs, merged by rank.

/**
 * The ids of a word's bytes, a string of one character per byte: of all neighbours that are a token together, those of the
 * lowest id become that token, the leftmost of equals first, until there are none. ids: a Map from such strings.
 */
export function merge(word, ids) {
  const { length } = word;
  if (ids.has(word)) return [ids.get(word)];
  const next = Int32Array.from({ length: length + 1 }, (_, i) => i + 1); // where the part that begins at i ends
  const before = Int32Array.from({ length: length + 1 }, (_, i) => i - 1); // where the part before it begins
  const ranks = new Float64Array(length).fill(-1); // of the part at i with the next one, -1 where they are no token
  const waiting = new Queue(); // rank and place in one number
  const look = (i) => {
    const end = next[i];
    ranks[i] = end < length ? ids.get(word.slice(i, next[end])) ?? -1 : -1;
    if (ranks[i] >= 0) waiting.push(ranks[i] * PLACES + i);
  };
  for (let i = 0; i < length; i++) look(i);
  while (waiting.size) {
    const lowest = waiting.pop();
    const i = lowest % PLACES;
    if (ranks[i] !== (lowest - i) / PLACES) continue; // one of the two has become another part since
    const second = next[i];
    ranks[second] = -1;
    next[i] = next[second];
    before[next[i]] = i;
    look(i);
    if (i > 0) look(before[i]);
  }
  const result = [];
  for (let i = 0; i < length; i = next[i]) result.push(ids.get(word.slice(i, next[i])));
  return result;
}

const PLACES = 2 ** 30; // more than a string has characters

/** Numbers, of which the least comes out first: a binary heap. */
const Queue = class {
  heap = [];

  get size() {
    return this.heap.length;
  }

  push(number) {
    const { heap } = this;
    let i = heap.push(number) - 1;
    for (let up = (i - 1) >> 1; i > 0 && heap[up] > number; up = (i - 1) >> 1) {
      heap[i] = heap[up];
      i = up;
    }
    heap[i] = number;
  }

  pop() {
    const { heap } = this;
    const [least] = heap;
    const number = heap.pop();
    if (!heap.length) return least;
    let i = 0;
    for (let down = 1; down < heap.length; down = 2 * i + 1) {
      if (heap[down + 1] < heap[down]) down++;
      if (heap[down] >= number) break;
      heap[i] = heap[down];
      i = down;
    }
    heap[i] = number;
    return least;
  }
};
