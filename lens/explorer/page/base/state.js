// What is shown. One object, changed in one place, kept in the URL hash so that a view can be shared.

import { addressKeeper } from "./address.js";
import { SCALES, chooseTheme } from "./colour.js";
import { effectsOf, fullOf, keep, kind, liveOf, load, mapsOf, page } from "./data.js";
import { showSpaces } from "./label.js";
import { atOnce, keysOf, largest, windowStart } from "./maps.js";
import { MEASURES } from "./measures.js";
import { clearestCell, clearestHead } from "./opening.js";
import { validPins } from "./pins.js";
import { lessonAsked } from "./tolesson.js";
import { language, languageAsked } from "./words.js";

const CHOICES = {
  scale: SCALES.map(([name]) => name),
  direction: ["from", "by"],
  order: ["badges", "layers", "score"],
  view: kind === "examples" ? ["map", "text"] : ["text", "map"],
  tab: ["walk", "formed", "matter", "swap", "compare", "run", "words"],
  spaces: ["hidden", "shown"],
  theme: ["system", "light", "dark"],
  walk: ["all", "x", "qkv", "norm", "rope", "score", "scale", "mask", "softmax", "values", "proj"],
  how: ["zero", "mean"],
  measure: MEASURES.map(({ name }) => name),
};

/**
 * prompt, step (its index), layer, head, query and key (the pinned cell), pins (see pins.js), one of each of CHOICES, and
 * the parts of the model that are switched off ("0.1 2.mlp"), and swap, the tokens that are others in a second text (see
 * swap/changes.js), a, the view that is kept for comparison (see compare/pinned.js), and card, that of the story, from 1, "" for
 * none.
 */
export const state = {
  ...Object.fromEntries(Object.entries(CHOICES).map(([name, [first]]) => [name, first])),
  ...{ pins: [], off: "", swap: "", a: "", card: "" },
};
const listeners = [];

export function onChange(listener) {
  listeners.push(listener);
}

export const shownPrompt = () => page.prompts[state.prompt];
/** Another text whenever the tokens of what is shown are others, or are shown in another way. */
export const shownNames = () => `${shownPrompt().id} ${state.spaces}`;
export const shownStep = () => shownPrompt().steps[state.step];
export const shownMaps = () => mapsOf(state.prompt, state.step);
export const shownKeys = () => keysOf(shownPrompt());
export const shownFull = () => fullOf(state.prompt, state.step);
export const shownEffects = () => effectsOf(state.prompt, state.step);
export const shownLive = () => liveOf(state.prompt, state.step);

/** The part of the map that is shown large, {query, key, rows, columns}: all of it, or a window around the pinned cell. */
export function shownPart() {
  const { queries, keys } = shownMaps();
  const [rows, columns] = [atOnce(queries), atOnce(keys)];
  return { query: windowStart(state.query, queries), key: windowStart(state.key, keys), rows, columns };
}

let pending = null; // the view that is being unpacked; until it is there, the one before stays whole

/** The view that comes next, or else the one that is shown. */
export const goingTo = () => pending ?? state;

/** Goes to a view; what does not exist there goes to the nearest that does. */
export async function change(changes) {
  const view = validView(pending ?? state, changes);
  pending = view;
  const place = [view.prompt, view.step, switchedOff(view)];
  if (!mapsOf(...place)) {
    await load(...place);
    if (pending !== view) return; // a later change goes on from this one, and draws
  }
  pending = null;
  if (!mapsOf(...place)) return; // the model in the page could not read it
  Object.assign(state, view);
  keep(...place);
  chooseTheme(state.theme);
  showSpaces(state.spaces === "shown");
  state.key ??= strongestKey();
  remember();
  for (const listener of listeners) listener(state);
}

/** The view after some changes; its key is null where it is to be the strongest one of the query. */
function validView(before, changes) {
  const view = { ...before, ...changes };
  view.prompt = clampIndex(view.prompt, page.prompts.length);
  const { steps, layers, heads, tokens } = page.prompts[view.prompt];
  const moved = before.prompt !== view.prompt;
  if (moved && before.prompt !== undefined) {
    const requested = page.prompts[before.prompt].steps[before.step].step;
    if (!("step" in changes)) view.step = nearest(steps, requested);
    if (!("query" in changes)) view.query = tokens.length - 1;
  }
  view.step = clampIndex(view.step, steps.length);
  view.layer = clampIndex(view.layer, layers);
  view.head = clampIndex(view.head, heads);
  view.pins = validPins(view.pins, page.prompts[view.prompt]);
  view.query = clampIndex(view.query, tokens.length);
  Object.assign(view, steps.some(({ read }) => read) ? validOff(view, layers, heads) : { off: "" });
  if (!("key" in changes) && ("query" in changes || moved)) view.key = null;
  if (view.key !== null) view.key = clampIndex(view.key, keysOf(page.prompts[view.prompt]).length);
  for (const [name, allowed] of Object.entries(CHOICES)) {
    if (!allowed.includes(view[name])) view[name] = allowed[0];
  }
  return view;
}

/** What a view has switched off, {off, how}: of its parts those that the model has, in their order, each once. */
export function validOff({ off, how }, layers, heads) {
  const names = Array.from({ length: heads + 1 }, (_, part) => partName(part, heads));
  const all = Array.from({ length: layers }, (_, layer) => names.map((name) => `${layer}.${name}`)).flat();
  const named = new Set(off.split(" "));
  return { off: all.filter((part) => named.has(part)).join(" "), how: CHOICES.how.find((one) => one === how) ?? CHOICES.how[0] };
}

/** A head by its number, and the MLP, the part after the last head. */
export const partName = (part, heads) => (part < heads ? String(part) : "mlp");

/** How which parts of the model are switched off in a view, as one text; "" where all are on. */
export const switchedOff = ({ off, how }) => off && `${how} ${off}`;

/** Whether a part, by its name, is switched off in what is shown. */
export const isOff = (name) => state.off.split(" ").includes(name);

const clampIndex = (index, length) => Math.max(0, Math.min(length - 1, Math.trunc(index) || 0));

export function nearest(steps, requested) {
  const distance = (index) => Math.abs(steps[index].step - requested);
  return steps.reduce((best, _, index) => (distance(index) < distance(best) ? index : best), 0);
}

function strongestKey() {
  const row = shownMaps().row(state.layer, state.head, state.query);
  return row.indexOf(largest(row));
}

/** Opens on the view of the hash, or else at the end of training on the head with the clearest pattern. */
export async function start() {
  address.read();
  const requested = fromHash();
  const prompt = clampIndex(requested.prompt, page.prompts.length);
  const { steps, tokens } = page.prompts[prompt];
  const step = steps.length - 1;
  await change({ prompt, step, ...clearestHead(prompt, step), query: tokens.length - 1, ...requested });
  if (!("query" in requested || "key" in requested)) await change(clearestCell(state.prompt, state.step, state, shownMaps()));
  addEventListener("hashchange", follow);
  if (address.isNew()) follow(); // one was put in meanwhile
}

/** Goes to the address that is put in by hand. */
function follow() {
  address.read();
  if (lessonAsked() || (languageAsked() ?? language) !== language) location.reload();
  else goTo(fromHash());
}

let goTo = change;

/** Has a function, in the place of `change`, go to the view of an address that is put in by hand. */
export function onAddress(go) {
  goTo = go;
}

/** The text of the reader's own that is in the address, or null. */
export const textInAddress = () => new URLSearchParams(location.hash.slice(1)).get("text");

/** The view of the address. */
export function fromHash() {
  const hash = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const changes = { off: hash.off ?? "" };
  for (const name of ["prompt", "layer", "head", "query", "key"]) if (name in hash) changes[name] = Number(hash[name]);
  for (const name of Object.keys(CHOICES)) if (name in hash) changes[name] = hash[name];
  for (const name of ["swap", "a", "card"]) if (name in hash) changes[name] = hash[name];
  if ("pins" in hash) changes.pins = hash.pins.split(",");
  if ("step" in hash) {
    const { length } = page.prompts;
    const prompt = changes.prompt ?? state.prompt;
    const { steps } = prompt >= length && page.live ? page.live : page.prompts[clampIndex(prompt, length)]; // one's own is to come
    changes.step = nearest(steps, Number(hash.step));
  }
  return changes;
}

const address = addressKeeper(); // read by `start`: the lesson, which does without that, has an address of its own
let waiting = null;

/** Puts the view into the address, not more often than browsers allow (about 200 times in 30 s). */
function remember() {
  clearTimeout(waiting);
  waiting = setTimeout(() => address.write(hashOf(languageAsked())), 200);
}

/** The view as an address has it; `lang`: the language that is asked for, undefined if none is. */
function hashOf(lang) {
  const { off, how, swap, a, card, ...always } = state;
  const { text } = shownPrompt();
  const asked = { ...(off && { off, how }), ...(swap && { swap }), ...(a && { a }), ...(card && { card }), ...(lang && { lang }) };
  return "#" + new URLSearchParams({ ...always, step: shownStep().step, ...asked, ...(text !== undefined && { text }) });
}

/** Loads the page again in another language, at the same view. */
export function changeLanguage(lang) {
  location.hash = hashOf(lang);
}
