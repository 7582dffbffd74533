// Activation patching: through which places of the model the difference between two texts gets into a prediction (Vig et
// al. 2020; Meng et al. 2022, "causal tracing"; Wang et al. 2022).
//
// The second text is read again and again, each time with what the first has at one place of the model put into the same
// place. T tokens in both, L layers, H heads, C channels, D of a head's answer, V tokens in the vocabulary.

import { likeliest, softmax } from "./distribution.js";
import { finalStream } from "./effects.js";

const MAX_TRIED = 48;

export const Pair = class {
  /** ids: [those of the first text, those of the second]; silence: of both, as in Model.forward. */
  constructor(model, ids, silence = []) {
    Object.assign(this, { model, ids, silence, T: ids[0].length });
    this.runs = ids.map((one) => model.forward(one, { record: true, silence }));
    this.changed = ids[0].map((_, position) => position).filter((position) => ids[0][position] !== ids[1][position]);
    /** How far the two predictions at each position are apart, from 0 to 1: the probability that is on other tokens. */
    this.moved = Array.from({ length: this.T }, (_, position) => apart(...this.probabilities(position)));
  }

  /** The logits of the first text and of the second at a position: (V) each. */
  logits(position) {
    const { V } = this.model.sizes;
    return this.runs.map(({ logits }) => logits.subarray(position * V, (position + 1) * V));
  }

  probabilities(position) {
    return this.logits(position).map(softmax);
  }

  /**
   * The position at which the predictions differ most, of those that come after every changed token: there the token is the
   * same in both texts, so that the difference has come from elsewhere.
   */
  farthest() {
    const after = this.model.config.causal ? (this.changed.at(-1) ?? 0) + 1 : 0;
    return indexOfLargest(this.moved, Math.min(after, this.T - 1));
  }

  /**
   * What is asked at a position: is it `target`, the first text's likeliest token, or `against`, the second's? Where the two
   * are the same, the token whose probability falls most from the first text to the second, and that whose rises most.
   */
  question(position) {
    const [first, second] = this.probabilities(position);
    const [target, against] = [first, second].map((p) => likeliest(p, 1)[0]);
    if (target !== against) return { position, target, against };
    const fall = first.map((p, id) => p - second[id]);
    return { position, target: indexOfLargest(fall), against: indexOfLargest(fall.map((one) => -one)) };
  }

  /** The positions of which a change can reach the prediction at one: {first, last}, both inclusive. */
  range({ position }) {
    if (!this.model.config.causal) return { first: 0, last: this.T - 1 };
    return { first: Math.min(this.changed[0] ?? position, position), last: position };
  }

  /** Reads the second text with patches none of which is before `start`: the logits of `target` and `against`. */
  reader({ position, target, against }) {
    const { model, ids: [, second], silence } = this;
    const { V } = model.sizes;
    const cache = model.newCache();
    model.forward(second, { silence, cache, last: true });
    return (start, patch) => {
      const { causal } = model.config;
      cache.ids.length = causal ? start : 0; // what stands before stays as it is
      const rest = second.slice(cache.ids.length, causal ? position + 1 : second.length);
      const { logits } = model.forward(rest, { silence, patch, cache, last: causal });
      const own = causal ? logits : logits.subarray(position * V, (position + 1) * V);
      return [own[target], own[against]];
    };
  }

  /** What the first text has in a part of a layer, or in the stream that enters it, at a position. */
  values(layer, part, position) {
    const { runs: [{ layers }], T } = this;
    const { C, H, D } = this.model.sizes;
    const row = (rows) => rows.subarray(position * C, (position + 1) * C);
    if (part === H) return row(layers[layer].mlp);
    if (part !== "stream") return layers[layer].z.subarray((part * T + position) * D, (part * T + position + 1) * D);
    return layer < layers.length ? row(layers[layer].stream) : finalStream(layers, position, C);
  }

  /** The patch of a part at the positions from `first` to `last`. */
  patch(layer, part, { first, last }) {
    return Array.from({ length: last - first + 1 }, (_, i) => ({ layer, part, position: first + i, values: this.values(layer, part, first + i) }));
  }
};

/**
 * Patches the stream, by groups of neighbouring positions [{first, last}], from the last group to the first. Yields of each
 * {group, row}: for each depth, before layer 0 to after the last, the logits of target and against: (L + 1, 2).
 */
export function* patchStream(pair, question, groups) {
  const read = pair.reader(question);
  for (let group = groups.length - 1; group >= 0; group--) {
    const row = [];
    for (let depth = 0; depth <= pair.model.config.n_layer; depth++) {
      row.push(...read(groups[group].first, pair.patch(depth, "stream", groups[group])));
      yield null;
    }
    yield { group, row };
  }
}

/** Patches each head's answer and each MLP's at some positions. Yields {layer, row}, the rows as above: (H + 1, 2). */
export function* patchParts(pair, question, positions) {
  const read = pair.reader(question);
  for (let layer = 0; layer < pair.model.config.n_layer; layer++) {
    const row = [];
    for (let part = 0; part <= pair.model.config.n_head; part++) {
      row.push(...read(positions.first, pair.patch(layer, part, positions)));
      yield null;
    }
    yield { layer, row };
  }
}

/**
 * A change of one token to the likeliest other at its place that is felt far on: of those that move at least half of the
 * probability somewhere after it the one that reaches farthest, or else the one that moves most. Tries at most MAX_TRIED
 * places, before each of which it yields; returns {at, id}, or null for a text without a token to change.
 *
 * isText(id): whether a token is one of text.
 */
export function* findChange(model, ids, isText, silence = []) {
  const T = ids.length;
  const { causal } = model.config;
  const { V } = model.sizes;
  const cache = model.newCache();
  const rows = (logits, first) => Array.from({ length: T - first }, (_, i) => softmax(logits.subarray(i * V, (i + 1) * V)));
  const before = rows(model.forward(ids, { silence, cache }).logits, 0);
  let best = null;
  for (const { first: at } of grouped({ first: 1, last: T - 1 }, MAX_TRIED).reverse()) {
    yield null;
    const id = likeliest(before[at - 1], V).find((one) => one !== ids[at] && isText(one));
    if (id === undefined || !isText(ids[at])) continue;
    const start = causal ? at : 0;
    cache.ids.length = start; // what stands before stays as it is
    const changed = ids.with(at, id);
    const after = rows(model.forward(changed.slice(start), { silence, cache }).logits, start);
    const moved = before.map((p, position) => (position < start ? 0 : apart(p, after[position - start])));
    const to = indexOfLargest(moved, Math.min(at + 1, T - 1));
    const reach = moved[to] >= 0.5 ? to - at : moved[to] - 1; // any of the first kind before all of the second
    if (!best || reach > best.reach) best = { at, id, reach };
  }
  return best && { at: best.at, id: best.id };
}

/** Positions in at most `most` groups of neighbours, all of one size but the last. */
export function grouped({ first, last }, most) {
  const count = last - first + 1;
  const size = Math.ceil(count / most);
  return Array.from({ length: Math.ceil(count / size) }, (_, group) => (
    { first: first + group * size, last: Math.min(last, first + (group + 1) * size - 1) }));
}

/** How much probability is on other tokens (the total variation): from 0 to 1. */
const apart = (p, q) => p.reduce((sum, one, id) => sum + Math.abs(one - q[id]), 0) / 2;

/** Of numbers from a place on the first of the largest. */
function indexOfLargest(numbers, from = 0) {
  let best = from;
  for (let i = from; i < numbers.length; i++) if (numbers[i] > numbers[best]) best = i;
  return best;
}
