// Where a page opens: on the head with the clearest pattern, at a cell that shows it.

import { page } from "./data.js";
import { largest } from "./maps.js";
import { badges, scoreOf } from "./measures.js";

/**
 * {layer, head, measure}: the best induction head, where there is one, or else the head with the highest score of a pattern;
 * and the measure of it.
 */
export function clearestHead(prompt, step) {
  const { layers, heads } = page.prompts[prompt];
  const all = Array.from({ length: layers * heads }, (_, n) => ({ layer: Math.floor(n / heads), head: n % heads }));
  const scores = ["induction", "previous_token", "duplicate_token"].flatMap((measure) =>
    all.map((one) => ({ ...one, measure, score: scoreOf(prompt, step, one.layer, one.head, measure) ?? 0 })));
  const best = (some) => some.reduce((one, other) => (other.score > one.score ? other : one));
  const finder = best(scores.slice(0, all.length));
  const { layer, head, measure } = finder.score >= page.thresholds.induction ? finder : best(scores);
  return { layer, head, measure };
}

/** {query, key}: of an induction head the cell that induction explains best, or else a row that looks far back. */
export function clearestCell(prompt, step, { layer, head }, maps) {
  const isInduction = badges(prompt, step, layer, head).some(([{ name }]) => name === "induction");
  const [best] = isInduction ? inductionCells(page.prompts[prompt], (...cell) => maps.weight(layer, head, ...cell)) : [];
  return best ?? { query: sharpestQuery(layer, head, maps) };
}

/** The cells that lead from a token to what came next where it stood before, the largest weight first. */
function inductionCells({ tokens, keys, repeat }, weight) {
  if (keys) return [];
  const cells = [];
  tokens.forEach((token, query) => {
    const inRepeat = repeat && query >= repeat.offset + repeat.period && query < repeat.offset + repeat.period + repeat.length;
    if (inRepeat) cells.push({ query, key: query - repeat.period + 1 });
    else if (!repeat) for (let key = 1; key < query; key++) if (tokens[key - 1] === token) cells.push({ query, key });
  });
  return cells.sort((one, other) => weight(other.query, other.key) - weight(one.query, one.key));
}

/**
 * The first query that looks back about as hard as any at one place beyond the token before it, not at position 0; in a
 * map too small for that the last query.
 */
function sharpestQuery(layer, head, maps) {
  const back = Array.from({ length: maps.queries }, (_, query) => largest(maps.row(layer, head, query).subarray(1, Math.max(1, query - 1))));
  return largest(back) > 0 ? back.findIndex((weight) => weight >= 0.95 * largest(back)) : maps.queries - 1;
}
