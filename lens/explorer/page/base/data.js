// What the page carries: the run, its prompts, and the numbers of each step, unpacked when they are first needed.

import { Coarse, Maps, keysOf } from "./maps.js";
import { unpack } from "./unpack.js";

export const page = JSON.parse(document.getElementById("data").textContent);

/** What the page is about: a "run", a "model" without one, or worked "examples"; and its name. */
export const kind = page.run !== null ? "run" : page.model !== null ? "model" : "examples";
export const name = page.run ?? page.model;

let ids = 0;

/** Puts a prompt in its place among the prompts; its `id` is another whenever its tokens are, and the parts build anew. */
export function place(prompt, index) {
  page.prompts[index] = Object.assign(prompt, { id: ids++ });
}

page.prompts.forEach(place);

const MAX_NUMBERS = 12e6; // unpacked at a time, 8 bytes each; the step used longest ago gives way
const MAX_TOKENS = 96; // of a map whose cells are all drawn in the small pictures of it
const unpacked = new Map(); // by step {maps, full, effects}, the last two null where it does not carry them
const coarse = new Map();
const sizes = new Map(); // of prompts: the numbers of all their steps
const unpacking = new Map(); // promises of what is being unpacked
let kept = ""; // what is shown never gives way
const key = (prompt, step) => `${prompt} ${step}`;

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
export const mapsOf = (prompt, step) => unpacked.get(key(prompt, step))?.maps;

/** What the small pictures of the maps are painted from, if it is there: the maps, or their block maxima. */
export const smallOf = (prompt, step) => coarse.get(key(prompt, step)) ?? mapsOf(prompt, step);

/** x (L, T, C), q and k (L, H, T, K), v (L, H, T, D) and out (L, T, C), by name, as Numbers; null where not carried. */
export const fullOf = (prompt, step) => unpacked.get(key(prompt, step))?.full ?? null;

/** The predictions, the logit lens, the attribution and the ablation, by name, as Numbers; null where not carried. */
export const effectsOf = (prompt, step) => unpacked.get(key(prompt, step))?.effects ?? null;

/** Unpacks a step, if it is not unpacked yet. */
export async function load(prompt, step) {
  const name = key(prompt, step);
  if (unpacked.has(name)) return;
  if (!unpacking.has(name)) unpacking.set(name, unpackStep(prompt, step).finally(() => unpacking.delete(name)));
  await unpacking.get(name);
}

async function unpackStep(prompt, step) {
  const at = page.prompts[prompt].steps[step];
  const [{ weights }, full, effects] = await Promise.all([at.weights, at.full, at.effects].map(unpack));
  const maps = new Maps(page.prompts[prompt], weights);
  keepCoarse(prompt, step, maps);
  unpacked.set(key(prompt, step), { maps, full, effects });
  for (const oldest of [...unpacked.keys()].slice(0, -2)) {
    if (countNumbers() <= MAX_NUMBERS) break;
    if (oldest !== kept) unpacked.delete(oldest);
  }
}

function countNumbers() {
  const arrays = [...unpacked.values()].flatMap(({ maps, full, effects }) => [maps, ...Object.values({ ...full, ...effects })]);
  return arrays.reduce((sum, { numbers }) => sum + numbers.length, 0);
}

/** Keeps what is shown, which is unpacked, from giving way to others. */
export function keep(prompt, step) {
  kept = key(prompt, step);
  const shown = unpacked.get(kept);
  unpacked.delete(kept); // to the end of the order: used last
  unpacked.set(kept, shown);
}

/** Makes the small pictures of a step's maps possible without holding them. */
export async function loadSmall(prompt, step) {
  const at = page.prompts[prompt].steps[step];
  if (!smallOf(prompt, step)) keepCoarse(prompt, step, new Maps(page.prompts[prompt], (await unpack(at.weights)).weights));
}

function keepCoarse(prompt, step, maps) {
  if (blockOf(maps.prompt) > 1 && !coarse.has(key(prompt, step))) coarse.set(key(prompt, step), new Coarse(maps, blockOf(maps.prompt)));
}
