// At which steps of training something forms: what the film shows of many steps, and where playing stops.

import { page } from "./data.js";
import { MEASURES, scoreOf } from "./measures.js";

const MIN_CHANGE = 0.02; // of a measure between 0 and 1: less is seen in no map
const SHARES = MEASURES.filter(({ max }) => max === 1);

/** Of each step but the first the largest change, since the step before, of a measure of any head; Infinity where none is known. */
function changesOf(prompt) {
  const { steps, layers, heads } = page.prompts[prompt];
  return steps.slice(1).map((_, before) => {
    const changes = [];
    for (const { name } of SHARES) {
      for (let index = 0; index < layers * heads; index++) {
        const [one, other] = [before, before + 1].map((step) => scoreOf(prompt, step, Math.floor(index / heads), index % heads, name));
        if (one !== undefined && other !== undefined) changes.push(Math.abs(other - one));
      }
    }
    return changes.length ? Math.max(...changes) : Infinity;
  });
}

/** The step to go to from another: the next one since which something has changed, or the last. */
export function nextChange(prompt, from) {
  const { steps } = page.prompts[prompt];
  const changes = changesOf(prompt);
  let [to, moved] = [from, 0];
  while (to < steps.length - 1 && moved < MIN_CHANGE) moved += changes[to++];
  return to;
}

/** The steps of a prompt, at most `count`: of more the first, the last and those with the largest change. */
export function formingSteps(prompt, count) {
  const { steps } = page.prompts[prompt];
  const last = steps.length - 1;
  if (last < count) return steps.map((_, step) => step);
  const changes = changesOf(prompt);
  const between = Array.from({ length: last - 1 }, (_, index) => index + 1);
  const most = between.sort((one, other) => changes[other - 1] - changes[one - 1]).slice(0, count - 2);
  return [0, ...most.sort((one, other) => one - other), last];
}
