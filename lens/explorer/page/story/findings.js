// What there is to tell of a run, from its recorded numbers: which heads formed a pattern, when, and where one matters most.

import { effectsOf, kind, load, mapsOf, page } from "../base/data.js";
import { largest } from "../base/maps.js";

const PATTERNS = ["previous_token", "duplicate_token", "induction", "first_token"]; // as told, where they formed together

/** Where a pattern has a query look in a prompt; undefined where it says nothing of that query. */
function keyOf(pattern, query, { repeat }) {
  if (pattern === "previous_token") return query > 0 ? query - 1 : undefined;
  if (pattern === "first_token") return query > 0 ? 0 : undefined;
  const second = repeat ? query - repeat.offset - repeat.period : -1;
  if (!(second >= 0 && second < repeat.length)) return undefined;
  return query - repeat.period + (pattern === "induction" ? 1 : 0);
}

/** The measure of every head that has it at a step, the highest first: [{pattern, layer, head, score}]. */
function scores({ steps }, step, pattern) {
  const all = steps[step].metrics.flatMap((heads, layer) => heads.map((one, head) => ({ pattern, layer, head, score: one[pattern] })));
  return all.filter(({ score }) => score !== undefined).sort((one, other) => other.score - one.score);
}

/** The measure of a head's pattern at a step (its index). */
export const scoreAt = ({ steps }, step, { layer, head, pattern }) => steps[step].metrics[layer][head][pattern];

/** At most two heads that have a pattern at the end, the earlier one first: if it can, a previous-token head and induction above. */
function formedHeads(prompt) {
  const last = prompt.steps.length - 1;
  const formed = PATTERNS.flatMap((pattern) => scores(prompt, last, pattern))
    .filter(({ pattern, score }) => score >= page.thresholds[pattern])
    .map((one) => ({ ...one, first: prompt.steps.findIndex((_, step) => scoreAt(prompt, step, one) >= page.thresholds[one.pattern]) }));
  const best = (wanted) => formed.find(({ pattern }) => pattern === wanted);
  const finder = best("induction");
  const below = finder && formed.find(({ pattern, layer }) => pattern === "previous_token" && layer < finder.layer);
  const told = below ? [below, finder] : PATTERNS.flatMap((pattern) => best(pattern) ?? []);
  return told.sort((one, other) => one.first - other.first).slice(0, 2);
}

/** The queries that have a next token, of these only those at which the model guesses it, if there are any. */
function guessed({ tokens }, effects, queries = tokens.slice(1).map((_, query) => query)) {
  const right = queries.filter((query) => effects && effects["top.ids"].at(query, 0) === effects["attribution.target"].at(query));
  return right.length ? right : queries;
}

/** Among the queries that have a next token the one where a head's pattern is there and the head is missed most. */
function bestQuery(prompt, maps, effects, { pattern, layer, head }) {
  const { tokens } = prompt;
  const queries = tokens.slice(1).map((_, query) => query);
  const weight = (query) => maps.weight(layer, head, query, keyOf(pattern, query, prompt)) ?? 0;
  const there = queries.filter((query) => {
    const key = keyOf(pattern, query, prompt);
    return pattern === "induction" && key !== undefined ? tokens[key] === tokens[query + 1] : key !== undefined;
  });
  const clear = there.filter((query) => weight(query) >= page.thresholds[pattern]);
  const candidates = guessed(prompt, effects, [clear, there, queries].find(({ length }) => length));
  const worth = effects?.ablation ? (query) => effects.ablation.at(query, layer, head) : weight;
  return candidates.reduce((best, query) => (worth(query) > worth(best) ? query : best));
}

/** The head that is missed most of all, and where. */
function mostMissed(prompt, effects) {
  let best = null;
  for (const query of guessed(prompt, effects)) for (let layer = 0; layer < prompt.layers; layer++) for (let head = 0; head < prompt.heads; head++) {
    const change = effects.ablation.at(query, layer, head);
    if (!best || change > best.change) best = { query, layer, head, change };
  }
  return best;
}

/** The run's prompt that repeats itself, where a head finds the repetition; or else its first one. */
function chosenPrompt() {
  const all = page.prompts.map((prompt, number) => ({ prompt, number })).filter(({ prompt }) => !prompt.beside && prompt.steps.every(({ weights }) => weights));
  const recorded = all.some(({ prompt }) => !prompt.own) ? all.filter(({ prompt }) => !prompt.own) : all;
  const found = ({ prompt }) => prompt.repeat && ["induction", "duplicate_token"].some((pattern) =>
    scores(prompt, prompt.steps.length - 1, pattern)[0]?.score >= page.thresholds[pattern]);
  return recorded.find(found) ?? recorded[0];
}

/**
 * {number, prompt, last, formed, closest, hero, query, key, effects, before}: the prompt and its last step; the heads that
 * formed, each with its first step, where it is shown and its weight there and then; where none did, the one that came
 * closest, or null; the head that the story is about, its query and where its pattern looks from there; the effects at the
 * last step; and of the first step the effects and how that query's row was. Null where there is nothing to tell.
 */
export async function findings() {
  if (kind !== "run") return null;
  const { prompt, number } = chosenPrompt();
  if (prompt.tokens.length < 3) return null;
  const last = prompt.steps.length - 1;
  const formed = formedHeads(prompt);
  const { maps, effects } = await numbersAt(number, last);
  const [closest = null] = formed.length ? [] : PATTERNS.flatMap((pattern) => scores(prompt, last, pattern).slice(0, 1))
    .sort((one, other) => other.score - one.score);
  const missed = effects?.ablation && !formed.length ? mostMissed(prompt, effects) : null;
  const hero = formed.find(({ pattern }) => pattern === "induction") ?? formed.at(-1) ?? missed ?? closest ?? { layer: prompt.layers - 1, head: 0 };
  const query = missed?.query ?? (hero.pattern ? bestQuery(prompt, maps, effects, hero) : prompt.tokens.length - 2);
  const key = hero.pattern && keyOf(hero.pattern, query, prompt);
  const begun = await numbersAt(number, 0);
  const row = begun.maps.row(hero.layer, hero.head, query);
  const shown = [];
  for (const one of formed) {
    const place = placeOf(one, { prompt, hero, query, key, maps, effects });
    const then = await numbersAt(number, one.first);
    shown.push({ ...one, ...place, weight: then.maps.weight(one.layer, one.head, place.query, place.key) });
  }
  const before = { effects: begun.effects, max: largest(row), count: row.length };
  return { number, prompt, last, formed: shown, closest, hero, query, key, effects, before };
}

/** The maps and the effects of a step as they were recorded, no part switched off. */
async function numbersAt(number, step) {
  await load(number, step, "");
  return { maps: mapsOf(number, step, ""), effects: effectsOf(number, step, "") };
}

/** {query, key}: where a formed head is shown. The hero at its query; a head that it builds upon at the token that it finds. */
function placeOf(one, { prompt, hero, query, key, maps, effects }) {
  if (one === hero) return { query, key };
  const own = hero.pattern === "induction" && one.pattern === "previous_token" && key > 0 ? key : bestQuery(prompt, maps, effects, one);
  return { query: own, key: keyOf(one.pattern, own, prompt) };
}
