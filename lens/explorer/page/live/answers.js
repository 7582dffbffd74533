// What the worker is asked, and its answers: each question is a generator that pauses where others may go first.
//
// A text is asked about as `text` or as its `ids`; `step` is the index of one of the steps whose weights the page carries,
// and `silence` as in Model.forward.

import { ablation, effects, losses } from "./effects.js";
import { Model } from "./forward.js";
import { metricsOf } from "./patterns.js";
import { packed } from "./reading.js";
import { Tokenizer } from "./tokenizer.js";
import { readWeights } from "./weights.js";

let live = null; // as the page carries it
let tokenizer = null;
const models = new Map(); // by step

async function modelOf(step) {
  if (!models.has(step)) models.set(step, new Model(live.config, await readWeights(live.steps[step])));
  return models.get(step);
}

export const QUESTIONS = { begin, read, ablate, next };

/** Whether a question takes so long that all others go before it. */
export const isLong = (question) => question === "ablate";

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
 * context is left off at the beginning, at least what stands before `from`.
 */
async function* read({ text, ids: given, from: least = 0, step, silence }) {
  const model = await modelOf(step);
  const { ids, unknown } = given ? { ids: given, unknown: [] } : tokenizer.begin(text);
  const from = Math.max(least, ids.length - live.config.block_size);
  const here = ids.slice(from);
  const run = model.forward(here, { record: true, silence });
  const { reading, buffers } = packed(live.config, run.layers);
  const answer = {
    ids, from, unknown, text: text ?? ids.map(tokenizer.writer()).join(""), ...reading,
    effects: effects(model, here, run), metrics: metricsOf(here, run.layers, live.config),
    last: lastOf(run.logits), before: silence.length ? brief(model, here) : null,
  };
  return { answer, transfer: buffers };
}

/** What the model makes of a text with nothing switched off: its losses (T - 1) and the logits (V) of what comes next. */
function brief(model, ids) {
  const { logits } = model.forward(ids);
  return { loss: losses(logits, ids), last: lastOf(logits) };
}

const lastOf = (logits) => logits.slice(-live.config.vocab_size);

/** The effect of each part's absence, as lens/effects.py has it, (T - 1, L, H + 1). */
async function* ablate({ ids, step, silence }) {
  return { answer: yield* ablation(await modelOf(step), ids, silence) };
}

let writing = null; // {text, cache}: what was written last, and what the model remembers of it

/** Goes on with a text: the logits (V) of its next token, where its context begins, and the text from `written` on. */
async function* next({ ids, written, fresh, step, silence }) {
  const model = await modelOf(step);
  if (fresh) writing = model.newCache();
  const last = model.after(ids, writing, { silence });
  const write = tokenizer.writer();
  return { answer: { last, from: writing.start, text: ids.slice(written).map(write).join("") } };
}
