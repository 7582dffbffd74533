// What the page carries: the run, its prompts, and the numbers of each step, unpacked when they are first needed.

import { Coarse, Maps, keysOf } from "./maps.js";
import { unpack } from "./unpack.js";
import { given } from "./words.js";

export const page = JSON.parse(document.getElementById("data").textContent);

/** What the page is about: a "run", a "model" without one, or worked "examples"; and its name. */
export const kind = page.run !== null ? "run" : page.model !== null ? "model" : "examples";
export const name = page.run ?? page.model;

/** What is known of the run that a prompt is of, the second of two where it stands beside the first: its `losses`, and `labels` of tokens. */
export const runOf = ({ beside }) => (beside ? page.beside : page);

/** The last training step that is known of the run. */
export const lastStep = Math.max(page.losses.at(-1)?.step ?? 0, ...page.prompts.map(({ steps, beside }) => (beside ? 0 : steps.at(-1).step)));

const MAX_NUMBERS = 12e6; // unpacked at a time, 8 bytes each; the step used longest ago gives way
const MAX_TOKENS = 96; // of a map whose cells are all drawn in the small pictures of it
const unpacked = new Map(); // by key {maps, full, effects, live}, the last three null where there are none
const coarse = new Map();
const measured = new Map(); // metrics of what the model in the page has read
const sizes = new WeakMap(); // of prompts: the numbers of all their steps
const unpacking = new Map(); // promises of what is being unpacked
let kept = ""; // what is shown never gives way
let silenced = ""; // the parts of the model that are switched off in what is shown, as `switchedOff` in state.js has them
let ids = 0;

/**
 * Puts a prompt in its place among the prompts; its `id` is another whenever its tokens are, and the parts build anew. A
 * step that the model in the page can read has `read(off)`, to a Reading with some parts off; one that it alone can read
 * carries no `weights`.
 */
export function place(prompt, index) {
  const before = `${page.prompts[index]?.id} `;
  for (const one of [unpacked, coarse, measured]) for (const name of one.keys()) if (name.startsWith(before)) one.delete(name);
  page.prompts[index] = Object.assign(prompt, { id: ids++ });
}

/** The name of a prompt, of the second of two runs behind that of its run. */
function nameOf({ name, beside }) {
  const before = beside ? `${page.beside.run}: ` : "";
  return before + given(kind === "examples" ? "examples" : "prompts", name.slice(before.length));
}

/** What is said about a prompt, and about the matrices that an example starts from. */
function saysOf({ says, given: matrices }) {
  const of = kind === "examples" ? "examples" : "own";
  return { says: given(of, says), given: matrices.map((one) => ({ ...one, says: given(of, one.says) })) };
}

page.prompts.forEach((prompt, index) => place(Object.assign(prompt, { name: nameOf(prompt), ...saysOf(prompt) }), index));

/** The name of a step's numbers, which are others where parts of the model are switched off, if it can be read again. */
function key(prompt, step, off = silenced) {
  const { id, steps } = page.prompts[prompt];
  return `${id} ${step} ${steps[step].read ? off : ""}`;
}

/** Whether all steps of a prompt can be held at once. */
export function fits(prompt) {
  if (!sizes.has(prompt)) {
    const packs = prompt.steps.flatMap(({ weights, full, effects }) => [weights, full, effects]);
    const arrays = packs.flatMap((pack) => pack?.arrays ?? []);
    sizes.set(prompt, arrays.reduce((sum, [, shape]) => sum + shape.reduce((one, other) => one * other, 1), 0));
  }
  return sizes.get(prompt) <= MAX_NUMBERS;
}

/** How many cells, each way, a square stands for in the small pictures of a prompt's maps. */
export function blockOf(prompt) {
  const longest = Math.max(prompt.tokens.length, keysOf(prompt).length);
  return longest > MAX_TOKENS ? Math.ceil(longest / 64) : fits(prompt) ? 1 : 2;
}

/** The maps, if they are unpacked already. */
export const mapsOf = (prompt, step, off) => unpacked.get(key(prompt, step, off))?.maps;

/** What the small pictures of the maps are painted from, if it is there: the maps, or their block maxima. */
export const smallOf = (prompt, step) => coarse.get(key(prompt, step)) ?? mapsOf(prompt, step);

/**
 * x (L, T, C), q and k (L, H, T, K), v (L, H, T, D) and out (L, T, C), by name, as Numbers; null where not carried. What the
 * model in the page has read has stream (L, T, C) and z (L, H, T, D) too.
 */
export const fullOf = (prompt, step) => unpacked.get(key(prompt, step))?.full ?? null;

/** The predictions, the logit lens, the attribution and the ablation, by name, as Numbers; null where not carried. */
export const effectsOf = (prompt, step, off) => unpacked.get(key(prompt, step, off))?.effects ?? null;

/** What else the model in the page says of its reading, see live/reading.js; null where the page carries the numbers. */
export const liveOf = (prompt, step) => unpacked.get(key(prompt, step))?.live ?? null;

/** The metrics of a step's heads, by layer and head. */
export const metricsOf = (prompt, step, off) => measured.get(key(prompt, step, off)) ?? page.prompts[prompt].steps[step].metrics;

/** How many times that model has measured heads. */
export const countMeasured = () => measured.size;

/** Unpacks a step, or has it read with the parts of the model off that are named, if that has not been done yet. */
export async function load(prompt, step, off = silenced) {
  const name = key(prompt, step, off);
  if (unpacked.has(name)) return;
  if (!unpacking.has(name)) unpacking.set(name, unpackStep(prompt, step, off).finally(() => unpacking.delete(name)));
  await unpacking.get(name);
}

async function unpackStep(prompt, step, off) {
  const of = page.prompts[prompt];
  const at = of.steps[step];
  if (at.read && (off || !at.weights)) {
    const reading = await at.read(off);
    if (reading && page.prompts[prompt] === of) hold(prompt, step, off, reading);
    return;
  }
  const [{ weights }, full, effects] = await Promise.all([at.weights, at.full, at.effects].map(unpack));
  hold(prompt, step, off, { weights, full, effects, live: null });
}

/** Takes in the numbers of a step, as if they had been unpacked. */
export function hold(prompt, step, off, { weights, full, effects, live, metrics }) {
  const name = key(prompt, step, off);
  const maps = new Maps(page.prompts[prompt], weights);
  if (metrics) measured.set(name, metrics);
  keepCoarse(name, maps);
  unpacked.set(name, { maps, full, effects, live });
  for (const oldest of [...unpacked.keys()].slice(0, -2)) {
    if (countNumbers() <= MAX_NUMBERS) break;
    if (oldest !== kept) unpacked.delete(oldest);
  }
}

/** Adds to the effects of what is shown what took longer to compute. */
export function addEffects(prompt, step, effects) {
  const shown = unpacked.get(key(prompt, step));
  shown.effects = { ...shown.effects, ...effects };
}

function countNumbers() {
  const arrays = [...unpacked.values()].flatMap(({ maps, full, effects }) => [maps, ...Object.values({ ...full, ...effects })]);
  return arrays.reduce((sum, { numbers }) => sum + numbers.length, 0);
}

/** Keeps what is shown, which is unpacked, from giving way to others; `off`: the parts that are switched off in it. */
export function keep(prompt, step, off) {
  silenced = off;
  kept = key(prompt, step);
  const shown = unpacked.get(kept);
  unpacked.delete(kept); // to the end of the order: used last
  unpacked.set(kept, shown);
}

/** Makes the small pictures of a step's maps possible without holding them. */
export async function loadSmall(prompt, step) {
  if (smallOf(prompt, step)) return;
  const name = key(prompt, step);
  const { weights } = await unpack(page.prompts[prompt].steps[step].weights);
  keepCoarse(name, new Maps(page.prompts[prompt], weights));
}

function keepCoarse(name, maps) {
  if (blockOf(maps.prompt) > 1 && !coarse.has(name)) coarse.set(name, new Coarse(maps, blockOf(maps.prompt)));
}
