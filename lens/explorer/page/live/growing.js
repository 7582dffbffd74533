// A text that is typed begins as it did before: what the model has computed up to there, it does not compute again.

import { effects } from "./effects.js";

const held = new WeakMap(); // of each model what was read last: what `readOn` returned, its ids and what was silenced
const OF_HEADS = ["q", "rawQ", "rawK", "z", "weights"]; // (H, T, …); all else is (T, C), or of the whole text anyway
const WHOLE = ["k", "v"];

/** What Model.forward returns of a text, with its record, its `effects` and its `cache`. */
export function readOn(model, ids, silence) {
  const before = held.get(model);
  const kept = commonTo(model, before, ids, silence);
  const cache = kept ? before.cache : model.newCache();
  cache.ids.length = kept;
  const rest = ids.slice(kept);
  const run = model.forward(rest, { record: true, silence, cache });
  const reading = { ...run, effects: effects(model, rest, run), cache };
  const whole = kept ? joinedReading(before, reading, kept, model.config.n_head) : reading;
  held.set(model, { ...whole, ids, silence });
  return whole;
}

/** How many positions are as they were: those at which the tokens up to the next one are. */
function commonTo({ config }, before, ids, silence) {
  const isLater = config.causal && silence.every(({ how }) => how === "zero"); // else all depends on what comes after it
  if (!before || !isLater || JSON.stringify(before.silence) !== JSON.stringify(silence)) return 0;
  const same = ids.findIndex((id, at) => id !== before.ids[at]);
  return Math.max(0, Math.min(same < 0 ? ids.length : same, before.cache.ids.length) - 1);
}

/** The first positions of one reading, and those that were read on from there. */
function joinedReading(before, after, kept, heads) {
  const rows = [before, after].map(({ effects }) => effects["top.ids"][1][0]);
  const layers = after.layers.map((layer, at) => mapped(layer, (numbers, name) => {
    return WHOLE.includes(name) ? numbers : joined(before.layers[at][name], numbers, OF_HEADS.includes(name) ? heads : 1, kept, rows);
  }));
  const joinedEffects = mapped(after.effects, ([numbers, shape], name) => {
    const [had, old] = before.effects[name];
    const axis = name.startsWith("lens.") ? 1 : 0; // of the positions
    const parts = axis ? shape[0] : 1;
    return [joined(had, numbers, parts, kept, [old[axis], shape[axis]]), shape.with(axis, kept + shape[axis])];
  });
  return { logits: joined(before.logits, after.logits, 1, kept, rows), layers, effects: joinedEffects, cache: after.cache };
}

const mapped = (values, change) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value, name)]));

/** In each part the first `kept` of the rows before, then those after, which may be longer: the ones before end with zeros. */
function joined(before, after, parts, kept, [had, added]) {
  const narrow = before.length / parts / had;
  const width = added ? after.length / parts / added : narrow;
  const result = new after.constructor(parts * (kept + added) * width);
  for (let part = 0; part < parts; part++) {
    const start = part * (kept + added);
    for (let row = 0; row < kept; row++) {
      const from = (part * had + row) * narrow;
      result.set(before.subarray(from, from + Math.min(narrow, width)), (start + row) * width);
    }
    result.set(after.subarray(part * added * width, (part + 1) * added * width), (start + kept) * width);
  }
  return result;
}
