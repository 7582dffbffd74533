// What only the model in the page knows of the view that is shown: its weights, and all that it computes on the way.
//
// It takes a moment, so it is asked for once the reader has stayed with a view, and drawn when it is there.

import { fullOf, page } from "../base/data.js";
import { switchedOff } from "../base/state.js";
import { t } from "../base/words.js";
import { Model } from "../live/forward.js";
import { liveStep } from "../live/own.js";
import { readWeights } from "../live/weights.js";

const REST = 150; // milliseconds
const [MODELS, READINGS] = [2, 4]; // that are kept, those used last
const models = new Map(); // by index in page.live.steps
const readings = new Map(); // by view: as fullOf has them, of steps of which the page carries less

/** How the page carries weights in each format, in words. */
export const CARRIED = { float32: t("exactly"), float16: t("rounded to 16 bits"), int8: t("rounded to 8 bits") };

/** Whether everything can be shown that is computed at one of a prompt's steps. */
export const isWhole = ({ full, read }) => full !== null || read !== undefined;

/**
 * Returns find(view): {model, format, full}, or null where the model cannot read the view or has not yet: then `onReady` is
 * called when it has. `model` has the weights, `full` all that fullOf has of live prompts.
 */
export function inside(onReady) {
  let wanted = null;
  let timer = null;

  async function ask(view, step, name) {
    const at = liveStep(step.step);
    if (!models.has(at)) keep(models, at, new Model(page.live.config, await readWeights(page.live.steps[at])), MODELS);
    if (wanted === name && !read(view, name)) {
      const reading = await step.read("");
      if (reading) keep(readings, name, reading.full, READINGS);
    }
    if (wanted === name && read(view, name)) onReady();
  }

  return (view) => {
    const prompt = page.prompts[view.prompt];
    const step = prompt.steps[view.step];
    const name = `${prompt.id} ${view.step} ${switchedOff(view)}`;
    wanted = name;
    clearTimeout(timer);
    if (!step.read) return null;
    const at = liveStep(step.step);
    const [model, full] = [models.get(at), read(view, name)];
    if (model && full) return { model, format: page.live.steps[at].format, full };
    timer = setTimeout(() => ask({ prompt: view.prompt, step: view.step }, step, name), REST);
    return null;
  };
}

/** What the model computed of a view, if it is there: among what the page shows, or else kept here. */
function read({ prompt, step }, name) {
  const full = fullOf(prompt, step);
  return full?.stream ? full : readings.get(name);
}

/** Keeps a value as the one used last; the one used longest ago gives way. */
function keep(all, name, value, most) {
  all.delete(name);
  all.set(name, value);
  if (all.size > most) all.delete(all.keys().next().value);
}
