// What the worker is asked, and its answers: each question is a generator that pauses where others may go first.
//
// A text is asked about as `text` or as its `ids`; `step` is the index of one of the steps whose weights the page carries,
// and `silence` as in Model.forward.

import { ablation, losses } from "./effects.js";
import { Model } from "./forward.js";
import { readOn } from "./growing.js";
import { heal, shareOfOwnEnd, weigh, weighted } from "./healing.js";
import { metricsOf, repeatOf } from "./patterns.js";
import { packed } from "./reading.js";
import { compare, example, parts, stream } from "./swapping.js";
import { Tokenizer } from "./tokenizer.js";
import { readWeights } from "./weights.js";

let live = null; // as the page carries it
let tokenizer = null;
const models = new Map(); // by step

async function modelOf(step) {
  if (!models.has(step)) models.set(step, new Model(live.config, await readWeights(live.steps[step])));
  return models.get(step);
}

const withModel = (question) => async function* (asked) {
  return { answer: yield* question(await modelOf(asked.step), tokenizer, asked) };
};

export const QUESTIONS = {
  begin, read, ablate, next,
  example: withModel(example), compare: withModel(compare), stream: withModel(stream), parts: withModel(parts),
};

/** Whether a question takes so long that all others go before it. */
export const isLong = (question) => ["ablate", "example", "stream", "parts"].includes(question);

/** Unpacks the model. Answers the label of each token, of each of the prompts its text, and why it cannot take others. */
async function* begin({ live: carried, prompts }) {
  live = carried;
  tokenizer = new Tokenizer(live.tokenizer);
  await modelOf(live.steps.length - 1);
  return { answer: {
    labels: Array.from({ length: live.config.vocab_size }, (_, id) => tokenizer.label(id)),
    texts: prompts.map((ids) => (ids ? tokenizer.decode(ids) : null)),
    refusal: tokenizer.refusal,
  } };
}

/**
 * Reads a text. Answers its ids, of which the model has read those from `from` on, the characters that are `unknown`, its
 * `text` and, as arrays of [numbers, shape], all that the page shows of it; see reading.js. What does not fit into the
 * context is left off at the beginning, at least what stands before `from`; and so is the end of a text where it is mostly
 * the beginning of a longer token: `pending`, of which `openings` say how it may go on. Ids are read as they are.
 */
async function* read({ text, ids: given, from: least = 0, openings: known = [], step, silence }) {
  const model = await modelOf(step);
  let { ids, unknown } = given ? { ids: given, unknown: [] } : tokenizer.begin(text);
  const from = Math.max(least, ids.length - live.config.block_size);
  let run = readOn(model, ids.slice(from), silence);
  const left = given || from ? null : endLeftOff(model, text, ids, run, silence);
  if (left) {
    ({ ids } = left);
    run = readOn(model, ids, silence);
  }
  const here = ids.slice(from);
  const openings = left?.openings ?? known;
  const { reading, buffers } = packed(live.config, run.layers);
  const answer = {
    ids, from, unknown, openings, pending: left?.pending ?? "", repeat: repeatOf(here),
    text: text ?? ids.map(tokenizer.writer()).join(""), ...reading,
    effects: run.effects, metrics: metricsOf(here, run.layers, live.config),
    last: lastOf(model, run.logits, openings, { cache: run.cache, silence }), before: silence.length ? brief(model, here, openings) : null,
  };
  return { answer, transfer: buffers };
}

/** The end of a text that is to be left off, as lens/own.py leaves it off: as `heal` returns it, or null. */
function endLeftOff(model, text, ids, { logits, cache }, silence) {
  const healed = heal(tokenizer, ids);
  const { length } = healed.ids;
  const longest = healed.openings.reduce((most, opening) => Math.max(most, opening.length), 0);
  const canGoOn = live.config.causal && length + longest <= live.config.block_size;
  if (!longest || length < 2 || !canGoOn || !text.endsWith(healed.pending)) return null;
  cache.ids.length = length;
  const V = live.config.vocab_size;
  const share = shareOfOwnEnd(logits.subarray((length - 1) * V, length * V), weigh(model, healed.openings, { cache, silence }), healed.own);
  return share < 0.5 ? healed : null;
}

/** What the model makes of a text with nothing switched off: its losses (T - 1) and the logits (V) of what comes next. */
function brief(model, ids, openings) {
  const cache = model.newCache();
  const { logits } = model.forward(ids, { cache });
  return { loss: losses(logits, ids), last: lastOf(model, logits, openings, { cache }) };
}

/** The logits (V) of what comes next, where there are openings of these. */
function lastOf(model, logits, openings, options) {
  const last = logits.slice(-live.config.vocab_size);
  return openings.length ? weighted(last, weigh(model, openings, options)) : last;
}

/** The effect of each part's absence, as lens/effects.py has it, (T - 1, L, H + 1). */
async function* ablate({ ids, step, silence }) {
  return { answer: yield* ablation(await modelOf(step), ids, silence) };
}

let writing = null; // {cache, off, weighed}: what the model remembers of what was written last, with what parts off, and how it may go on

/**
 * Goes on with a text: the logits (V) of its next token, where its context begins, and the text from `written` on. `fresh`
 * where another text was written before: its context then begins at `from`; with openings it goes on with one of these.
 */
async function* next({ ids, from = 0, written, fresh, openings = [], step, silence }) {
  const model = await modelOf(step);
  const off = JSON.stringify(silence);
  if (fresh) writing = { cache: model.newCache(from), off, weighed: null };
  if (off !== writing.off) Object.assign(writing, { cache: model.newCache(writing.cache.start), off });
  const { cache } = writing;
  const last = model.after(ids, cache, { silence });
  if (fresh && openings.length) writing.weighed = weigh(model, openings, { cache, silence });
  else writing.weighed = writing.weighed?.next.get(ids.at(-1)) ?? null;
  const write = tokenizer.writer();
  return { answer: { last: weighted(last, writing.weighed), from: cache.start, text: ids.slice(written).map(write).join("") } };
}
