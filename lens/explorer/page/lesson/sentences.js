// The two sentences of the widget about the mask, each with other words for its end.

/** A longer sentence: its first three words and their vectors are those of the example, all else is invented. */
const MORE = ["with", "one", "step"];
const MORE_VECTORS = [[0.2, 0.6, 0.3], [0.9, 0.2, 0.1], [0.1, 0.9, 0.5]];

/** Words for the end, with invented vectors. */
const ENDS = {
  starts: { ends: [1.2, 0.1, 0.3], waits: [-0.4, 0.9, 0.2] },
  step: { leap: [1.4, 0.3, 0.9], song: [0.3, -0.8, 0.4] },
};

/** The sentences: `words`, their `rows`, and the `ends`, rows by word, of which the first is the sentence's own. */
export function sentencesFrom(words, rows) {
  return [withEnds(words, rows), withEnds([...words, ...MORE], [...rows, ...MORE_VECTORS])];
}

function withEnds(words, rows) {
  const last = words.at(-1);
  return { words, rows, ends: { [last]: rows.at(-1), ...ENDS[last] } };
}
