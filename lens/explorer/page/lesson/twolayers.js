// Two layers of one head each, by hand, on one-hot vectors; and sequences on which they must do what an induction head does.

import { attend, causal } from "./attention.js";
import { oneHot } from "./matrices.js";

export const SYMBOLS = ["▸", "A", "B", "C", "D", "E"]; // ▸ begins every sequence and stands nowhere else
const SAID_TWICE = 4; // symbols of a sequence
const LIFT = 6; // of a score that is asked for: e⁶, 403 times the weight; as in three_jobs of examples.py

export const RIGHT = { first: "previous", query: "token", key: "second", value: "token" };

function shuffled(items, random) {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0]);
}

/** Four symbols in a random order behind ▸, and the same four in another one: numbers of SYMBOLS. */
export function newSequence(random) {
  const some = shuffled(SYMBOLS.slice(1).map((_, at) => at + 1), random).slice(0, SAID_TWICE);
  return [0, ...some, ...shuffled(some, random)];
}

const lifted = (vector, by = LIFT) => vector.map((one) => by * one);

/** What each place of layer 1 asks for, in the channels of token and position. */
const ASKS = {
  previous: (token, position, place) => [...lifted(token, 0), ...lifted(oneHot(position.length, place - 1))],
  first: (token, position) => [...lifted(token, 0), ...lifted(oneHot(position.length, 0))],
  same: (token, position) => [...lifted(token), ...lifted(position, -LIFT)], // the same token, but not itself
};

/** {first, second, logits, predictions} of both layers; a prediction is null where two symbols are level. */
export function readByTwoLayers(tokens, { first, query, key, value }) {
  const token = tokens.map((one) => oneHot(SYMBOLS.length, one));
  const position = tokens.map((_, place) => oneHot(tokens.length, place));
  const asks = token.map((one, place) => ASKS[first](one, position[place], place));
  const offers = token.map((one, place) => [...one, ...position[place]]);
  const layer1 = attend(asks, offers, token, { scale: 1, sees: causal });
  const slots = { token, second: layer1.output };
  const layer2 = attend(slots[query].map((one) => lifted(one)), slots[key], slots[value], { scale: 1, sees: causal });
  return { first: layer1.weights, second: layer2.weights, logits: layer2.output, predictions: layer2.output.map(clearLargest) };
}

function clearLargest(logits) {
  const [most, next] = [...logits].sort((a, b) => b - a);
  return most - next > 1e-9 ? logits.indexOf(most) : null;
}

/** What followed at the last time, at each place whose token has been there before; null elsewhere. */
export const whatFollowed = (tokens) => tokens.map((token, place) => {
  const before = tokens.lastIndexOf(token, place - 1);
  return place > 0 && before >= 0 ? tokens[before + 1] : null;
});

/** The first place where the prediction is not what followed; undefined where there is none. */
export function firstFailure(tokens, choices) {
  const [{ predictions }, followed] = [readByTwoLayers(tokens, choices), whatFollowed(tokens)];
  return tokens.map((_, place) => place).find((place) => followed[place] !== null && followed[place] !== predictions[place]);
}
