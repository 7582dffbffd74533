// The reader's own text as one more prompt of the page, and what is read again where parts of the model are switched off.

import { hold, page, place } from "../base/data.js";
import { change, fromHash, goingTo, state, switchedOff, textInAddress, validOff } from "../base/state.js";
import { Numbers } from "../base/unpack.js";
import { t } from "../base/words.js";
import { ask, giveUp, isRunning } from "./client.js";

const recorded = page.prompts.length; // and so the index of the reader's own
const EMPTY = { arrays: [] }; // in the place of numbers that the page carries, for what looks whether there are any

export const isOwn = (prompt) => prompt === recorded;
const ownPrompt = () => page.prompts[recorded];

/** The index of a step in page.live.steps, or -1. */
export const liveStep = (step) => page.live.steps.findIndex((one) => one.step === step);

/** What is switched off in a view, as worker.js takes it. */
export function silenced({ off, how }) {
  const { n_head } = page.live.config;
  return off.split(" ").filter((part) => part).map((name) => {
    const [layer, part] = name.split(".");
    return { layer: Number(layer), part: part === "mlp" ? n_head : Number(part), how };
  });
}

/** Lets parts be switched off in recorded prompts, at the steps whose weights the page carries. */
export function makeReadable() {
  for (const prompt of page.prompts) {
    if (prompt.ids.length) for (const step of prompt.steps) if (liveStep(step.step) >= 0) step.read = reader(prompt, step.step);
  }
}

let read = ""; // what was switched off in what the reader has gone to

/** A function that has a prompt read at a step, with some parts off. */
function reader({ ids, from = 0, openings }, step) {
  return async (off) => {
    if (off !== read && off === switchedOff(goingTo())) { // not one of the steps that are read ahead
      giveUp();
      read = off;
    }
    const [how, ...parts] = off.split(" ");
    const answer = await ask("read", { ids, from, openings, step: liveStep(step), silence: silenced({ off: parts.join(" "), how }) });
    return answer && readingOf(answer);
  };
}

/** An answer of the worker as the page has what it unpacked. */
function readingOf({ weights, full, effects, metrics, last, before }) {
  const { digits } = page;
  const numbers = (arrays, decimals) => Object.fromEntries(
    Object.entries(arrays).map(([name, [values, shape]]) => [name, new Numbers(values, shape, decimals)]));
  return {
    ...numbers({ weights }, digits.full), full: numbers(full, digits.full), effects: numbers(effects, digits.short), metrics,
    live: { last, before },
  };
}

/** The view of an address, with the reader's own text where there is one in it. */
export const addressed = () => ({ text: textInAddress(), view: fromHash() });

/** Goes to it. */
export function goTo({ text, view }) {
  if (text !== null && text !== ownPrompt()?.text) return show({ text }, view);
  wanted = null;
  return change(view);
}

let wanted = null; // the text that is being read, to be shown

/**
 * Shows what the model makes of a text, given as `text` or as `ids`, of which those from `written` on are the model's own.
 * The head stays, and the pinned query unless it was the last token. view: changes as of `change`.
 */
export async function show(request, view = {}) {
  giveUp();
  wanted = request;
  const [before, { prompt: from }] = [ownPrompt(), goingTo()];
  const step = view.step ?? (isOwn(state.prompt) ? state.step : page.live.steps.length - 1);
  const { n_layer, n_head } = page.live.config;
  const next = () => validOff({ ...goingTo(), ...view }, n_layer, n_head);
  let answer = null;
  let off = null;
  while (!answer || off !== switchedOff(next())) { // other parts have been switched off meanwhile: asked again
    if (wanted !== request || !isRunning()) return;
    off = switchedOff(next());
    answer = await ask("read", { ...request, step, silence: silenced(next()) });
  }
  if (wanted !== request || goingTo().prompt !== from) return; // the reader has gone elsewhere
  wanted = null;
  const prompt = promptOf(answer, request.written);
  place(prompt, recorded);
  hold(recorded, step, off, readingOf(answer));
  const follows = !isOwn(state.prompt) || state.query === before.tokens.length - 1;
  const query = follows ? prompt.tokens.length - 1 : state.query;
  await change({ prompt: recorded, step, query, ...(follows ? {} : { key: state.key }), ...view });
}

function promptOf({ ids, from, unknown, text, openings, pending, repeat }, written = Infinity) {
  const { n_layer: layers, n_head: heads, key_dim, causal, scale, position, rope_theta: theta, qk_norm: qkNorm } = page.live.config;
  const prompt = {
    name: t("Your text"), says: "", given: [], tokens: ids.slice(from).map((id) => page.labels[id]), keys: null,
    generatedFrom: written < ids.length ? Math.max(0, written - from) : null,
    causal, scale: scale ? key_dim ** -0.5 : 1, position, theta, qkNorm, layers, heads, ids, from, unknown, text,
    openings, pending, repeat,
  };
  const metrics = Array.from({ length: layers }, () => Array.from({ length: heads }, () => ({}))); // until it is read
  prompt.steps = page.live.steps.map(({ step }) => (
    { step, weights: null, full: EMPTY, effects: EMPTY, metrics, read: reader(prompt, step) }));
  return prompt;
}
