// A view that is kept beside the one that is shown: a head at a step on a prompt, with its map, its measures and the losses.

import { effectsOf, load, mapsOf, page } from "../base/data.js";
import { MEASURES, lossesAt, scoreOf } from "../base/measures.js";
import { nearest, state, switchedOff } from "../base/state.js";

/** A view as it is now: {prompt, step, layer, head, off} and what belongs to it. Its numbers have to be there. */
function snapshot({ prompt: index, step: at, layer, head, off = "", how = "" }) {
  const prompt = page.prompts[index];
  const silenced = switchedOff({ off, how });
  const { step } = prompt.steps[at];
  const losses = effectsOf(index, at, silenced)?.loss.numbers ?? [];
  return {
    prompt, step, layer, head, off, maps: mapsOf(index, at, silenced),
    scores: Object.fromEntries(MEASURES.map(({ name }) => [name, scoreOf(index, at, layer, head, name, silenced)])),
    loss: losses.length ? losses.reduce((sum, loss) => sum + loss, 0) / losses.length : undefined,
    losses: lossesAt(step, prompt),
    address: !off && prompt.text === undefined ? [index, step, layer, head].join(".") : "",
  };
}

/** The view of an address, "0.800.2.1" for prompt 0 at step 800, layer 2, head 1; null where the page has none such. */
export async function pinnedAt(address) {
  const numbers = address.split(".").map(Number);
  const [index, wanted, layer, head] = numbers;
  const prompt = page.prompts[index];
  if (!(numbers.every((one) => Number.isInteger(one) && one >= 0) && prompt?.text === undefined && layer < prompt?.layers && head < prompt?.heads)) return null;
  const step = nearest(prompt.steps, wanted);
  await load(index, step, "");
  return mapsOf(index, step, "") ? snapshot({ prompt: index, step, layer, head }) : null;
}

/** What is shown now. */
export const shownView = () => snapshot(state);
