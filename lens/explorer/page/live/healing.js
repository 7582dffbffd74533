// A text is continued as a text is cut in training, not as one is that ends where it ends; see data/healing.py.
//
// "called Little " ends in the token " ", while in training that space is the beginning of the next word's token. So what may
// be the beginning of a longer token is taken off the text's end, and the model writes it again.

import { logSumExp } from "./distribution.js";

const TAIL = 32; // tokens at the end that are looked at; a longer token would have to be spelled in more than these
const FOLLOWING = ["a", "1", "!"]; // what may come next: a letter, a digit, another sign

/**
 * Of a text's ids, as from Tokenizer.begin: {ids, openings, own, pending}. ids: what the model reads of them; openings: what
 * it may write first, each a list of ids up to the one that completes the text, none where the text's own ids are the only
 * way; own: the opening that has these; pending: the end of the text, with which each opening begins.
 */
export function heal(tokenizer, ids) {
  const whole = { ids, openings: [], own: [], pending: "" };
  const tail = tokenizer.pattern && !same(ids, tokenizer.start) ? tailOf(tokenizer, ids) : [];
  if (!tail.length) return whole;
  const ways = waysToCut(tokenizer, tail);
  if (ways.length === 1) return whole;
  const certain = tail.findIndex((id, place) => ways.some((way) => way[place] !== id)); // so many ids are the same in all
  const own = tail.slice(certain);
  const kept = ids.slice(0, ids.length - own.length);
  const openings = ways.map((way) => way.slice(certain));
  return { ids: kept.length ? kept : tokenizer.start, openings, own, pending: tokenizer.decode(own) };
}

const same = (one, other) => one.length === other.length && one.every((id, i) => id === other[i]);

/** The last ids, TAIL of them or a few more: whole characters, cut into the same ids by themselves; [] for none. */
function tailOf(tokenizer, ids) {
  const begins = ids.length && tokenizer.bytes[ids[0]] === "" ? 1 : 0; // with what stands before texts
  for (let length = TAIL; length < 2 * TAIL; length++) {
    const tail = ids.slice(Math.max(begins, ids.length - length));
    if (same(tokenizer.encode(tokenizer.decode(tail)).ids, tail)) return tail;
  }
  return [];
}

/** All ways in which a text that begins with that of `tail` may be cut, each up to the id that reaches the end of it. */
function waysToCut(tokenizer, tail) {
  const end = tokenizer.decode(tail);
  const size = sizeOf(tokenizer, tail);
  const unstable = lastWord(tokenizer, tail, end); // its ids may become others
  const stable = tail.slice(0, tail.length - unstable.length);
  const bytes = unstable.map((id) => tokenizer.bytes[id]).join("");
  const certain = [tail, ...FOLLOWING.map((following) => reaching(tokenizer, tokenizer.encode(end + following).ids, size))];
  const ways = new Map(certain.map((way) => [way.join(), way]));
  for (let i = 0; i < bytes.length; i++) {
    for (const token of tokenizer.beginningWith(bytes.slice(i))) {
      const ids = i === 0 ? [tokenizer.ids.get(token)] : tokenizer.encodeBytes(bytes.slice(0, i) + token);
      const way = reaching(tokenizer, [...stable, ...ids], size);
      if (sizeOf(tokenizer, way) > size) ways.set(way.join(), way); // one that ends there is cut so only before some texts
    }
  }
  return [...ways.values()];
}

const sizeOf = (tokenizer, ids) => ids.reduce((sum, id) => sum + tokenizer.bytes[id].length, 0);

/** The first of the ids, up to the one with which they have so many bytes. */
function reaching(tokenizer, ids, size) {
  let count = 0;
  for (let length = 0; length < size; count++) length += tokenizer.bytes[ids[count]].length;
  return ids.slice(0, count);
}

/** The ids of the last word of `tail`, whose text is `end`; of white space those of all that stands there. */
function lastWord(tokenizer, tail, end) {
  const isSpace = (id) => /^[ \n\t]*$/.test(tokenizer.bytes[id]);
  let start = tail.length - tokenizer.word(tokenizer.split(end).at(-1)).length;
  while (start > 0 && isSpace(tail[start]) && isSpace(tail[start - 1])) start--;
  return tail.slice(start);
}

/**
 * How likely each first token makes it that the text begins with one of the openings: {weights, next}, weights (V) to be added
 * to the logits of what comes next, ln of a probability, and by id the same for the second token. So each token is drawn from
 * the model's own distribution given that the text begins as it does. The model reads one more token for each beginning of an
 * opening; none where all are single tokens. cache: holds what comes before, also afterwards; silence: as of Model.forward.
 */
export function weigh(model, openings, { cache, silence = [] }) {
  const weights = new Float32Array(model.config.vocab_size).fill(-Infinity);
  const next = new Map();
  for (const [id] of openings) weights[id] = 0;
  const longer = openings.filter((opening) => opening.length > 1);
  for (const id of new Set(longer.map(([first]) => first))) {
    const rest = longer.filter(([first]) => first === id).map(([, ...others]) => others);
    const before = cache.ids.length;
    const { logits } = model.forward([id], { cache, silence, last: true });
    const after = { logits, ...weigh(model, rest, { cache, silence }) };
    cache.ids.length = before;
    weights[id] = logSumExp(weighted(logits, after)) - logSumExp(logits);
    next.set(id, after);
  }
  return { weights, next };
}

/** Logits with what `weigh` returned added; without, where that is null. */
export const weighted = (logits, weighed) => (weighed ? logits.map((logit, id) => logit + weighed.weights[id]) : logits);

/** The probability, given the text, that its end is cut in a longer text as it is cut without one. */
export function shareOfOwnEnd(logits, weighed, [id, ...others]) {
  const all = weighted(logits, weighed);
  const share = Math.exp(all[id] - logSumExp(all));
  const after = weighed.next.get(id);
  return others.length ? share * shareOfOwnEnd(after.logits, after, others) : share;
}
