// What the worker is asked about two texts that differ: generators, as those of answers.js, that return their answer. The first
// text is asked about as `ids`, the second as `other`, its ids; `about` is what Pair.question says.

import { likeliest } from "./distribution.js";
import { Pair, findChange, grouped, patchParts, patchStream } from "./patching.js";

const OFFERED = 8; // tokens for the place of one

/** The changes [{at, to}] of an example; none where no token can be changed. */
export function* example(model, tokenizer, { ids, silence }) {
  const isWord = (id) => /[\p{L}\p{N}]/u.test(tokenizer.decode([id]));
  const found = yield* findChange(model, ids, isWord, silence);
  return { changes: found ? [{ at: found.at, to: found.id }] : [] };
}

/**
 * What the two texts answer at a position, or where that is null at the one that says most. The second text is `other`, or
 * `text` as it is typed, of which the model does not read what stands before `from`. Answers its ids and text, what is not
 * in the vocabulary, and the two `lengths` where they are not the same; else what Pair says, with of each text the logits
 * and probabilities of target and against, the likeliest tokens at each place, and the positions in at most `most` groups.
 */
export function* compare(model, tokenizer, { ids, from, other, text, position, most, silence }) {
  const { ids: second, unknown } = text === undefined ? { ids: other, unknown: [] } : typed(tokenizer, ids, from, text);
  const answer = { ids: second, unknown, text: tokenizer.decode(second) };
  if (second.length !== ids.length) return { ...answer, lengths: [ids.length, second.length] };
  const pair = pairOf(model, ids, second, silence);
  const question = pair.question(position ?? pair.farthest());
  const asked = (numbers) => [numbers[question.target], numbers[question.against]];
  return {
    ...answer, question, changed: pair.changed, groups: grouped(pair.range(question), most), likely: likely(pair, tokenizer),
    both: pair.logits(question.position).map(asked), probabilities: pair.probabilities(question.position).map(asked),
  };
}

/** Rows of the stream's map, each as it is done; see patchStream. */
export function* stream(model, tokenizer, { ids, other, about, groups, silence }) {
  yield* patchStream(pairOf(model, ids, other, silence), about, groups);
  return true;
}

/** Rows of the map of heads and MLPs, each as it is done; see patchParts. */
export function* parts(model, tokenizer, { ids, other, about, positions, silence }) {
  yield* patchParts(pairOf(model, ids, other, silence), about, positions);
  return true;
}

let kept = { key: "", pair: null }; // of the texts asked about last

function pairOf(model, ids, other, silence) {
  const key = JSON.stringify([ids, other, silence]);
  if (kept.key !== key || kept.pair.model !== model) kept = { key, pair: new Pair(model, [ids, other], silence) };
  return kept.pair;
}

/** The second text of ids as they would be in the place of the first, which may begin with tokens that have no text. */
function typed(tokenizer, ids, from, text) {
  if (text === tokenizer.decode(ids)) return { ids, unknown: [] };
  const start = ids.findIndex((id) => tokenizer.bytes[id] !== "");
  const { ids: written, unknown } = tokenizer.encode(text.replace(/\r\n?/g, "\n"));
  return { ids: [...ids.slice(0, start), ...written], unknown };
}

/** Of each position the likeliest tokens that have a text, by what stands before it in the first text. */
function likely({ model, runs: [{ logits }], T }, { bytes }) {
  const { V } = model.sizes;
  return Array.from({ length: T }, (_, at) => (at === 0 ? [] : likeliest(logits.subarray((at - 1) * V, at * V), OFFERED + 1).filter((id) => bytes[id] !== "")));
}
