// What is shown. One object, changed in one place, kept in the URL hash so that a view can be shared.

import { load, mapsOf, measured, page } from "./data.js";

const CHOICES = {
  scale: ["absolute", "row", "log"],
  direction: ["from", "by"],
  order: ["layers", "score"],
  measure: ["previous_token", "first_token", "duplicate_token", "induction", "entropy", "mean_distance"],
};

/** prompt, step (its index), layer, head, query and key (the pinned cell), and one of each of CHOICES. */
export const state = { scale: "absolute", direction: "from", order: "layers", measure: "previous_token" };
const listeners = [];

export function onChange(listener) {
  listeners.push(listener);
}

export const shownPrompt = () => page.prompts[state.prompt];
export const shownStep = () => shownPrompt().steps[state.step];
export const shownMaps = () => mapsOf(state.prompt, state.step);

/** Goes to a view; what does not exist there goes to the nearest that does. */
export async function change(changes) {
  const before = { ...state };
  Object.assign(state, changes);
  settle(before);
  if (!shownMaps()) {
    const wanted = state.prompt + " " + state.step;
    await load(state.prompt, state.step);
    if (wanted !== state.prompt + " " + state.step) return; // overtaken by a later change, which draws
  }
  if (!("key" in changes) && "query" in changes) state.key = strongest();
  remember();
  for (const listener of listeners) listener(state);
}

function settle(before) {
  state.prompt = within(state.prompt, page.prompts.length);
  const { steps, layers, heads, tokens } = shownPrompt();
  if (before.prompt !== state.prompt && before.prompt !== undefined) {
    const wanted = page.prompts[before.prompt].steps[before.step].step;
    if (state.step === before.step) state.step = nearest(steps, wanted);
    if (state.query === before.query) Object.assign(state, { query: tokens.length - 1, key: 0 });
  }
  state.step = within(state.step, steps.length);
  state.layer = within(state.layer, layers);
  state.head = within(state.head, heads);
  state.query = within(state.query, tokens.length);
  state.key = within(state.key, tokens.length);
  for (const [name, allowed] of Object.entries(CHOICES)) {
    if (!allowed.includes(state[name])) state[name] = allowed[0];
  }
}

const within = (index, length) => Math.max(0, Math.min(length - 1, Math.trunc(index) || 0));

export function nearest(steps, wanted) {
  const distance = (index) => Math.abs(steps[index].step - wanted);
  return steps.reduce((best, _, index) => (distance(index) < distance(best) ? index : best), 0);
}

function strongest() {
  const row = shownMaps().row(state.layer, state.head, state.query);
  return row.indexOf(Math.max(...row));
}

/** Opens on the view of the hash, or else on the head with the clearest pattern at the end of training. */
export async function start() {
  const last = page.prompts[0].steps.length - 1;
  await change({ prompt: 0, step: last, ...clearest(last), query: page.prompts[0].tokens.length - 1, ...fromHash() });
  addEventListener("hashchange", () => change(fromHash()));
}

function clearest(step) {
  const { layers, heads } = page.prompts[0];
  let best = { layer: 0, head: 0, score: 0 };
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) {
      for (const name of ["previous_token", "duplicate_token", "induction"]) {
        const score = measured(0, step, layer, head, name);
        if (score > best.score) best = { layer, head, score };
      }
    }
  }
  return { layer: best.layer, head: best.head };
}

function fromHash() {
  const found = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const changes = {};
  for (const name of ["prompt", "layer", "head", "query", "key"]) if (name in found) changes[name] = Number(found[name]);
  for (const name of Object.keys(CHOICES)) if (name in found) changes[name] = found[name];
  if ("step" in found) {
    const prompt = within(changes.prompt ?? state.prompt, page.prompts.length);
    changes.step = nearest(page.prompts[prompt].steps, Number(found.step));
  }
  return changes;
}

let waiting = null;

/** Puts the view into the address, not more often than browsers allow (about 200 times in 30 s). */
function remember() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const kept = { ...state, step: shownStep().step };
    try {
      history.replaceState(null, "", "#" + new URLSearchParams(kept));
    } catch {
      // A sandboxed frame may refuse: the view is then not in its address, and all else works.
    }
  }, 200);
}
