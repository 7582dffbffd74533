// What is measured of a head, and the loss beside it.

import { page } from "./data.js";

/** The measures of a head, in the order of the page; `most` is the top of its scale (null: as large as it gets). */
export const MEASURES = [
  { name: "previous_token", label: "previous token", most: 1, says: "Mean weight that a position gives to the one just before it: from position 1 on, or, where random tokens are said twice, in their first saying." },
  { name: "first_token", label: "first token", most: 1, says: "Mean weight on position 0, from position 1 on. High means an attention sink." },
  { name: "duplicate_token", label: "duplicate token", most: 1, says: "Where random tokens are said twice: mean weight from the second saying on the same token in the first." },
  { name: "induction", label: "induction", most: 1, says: "Where random tokens are said twice: mean weight from the second saying on the token that came next in the first, which is the one to predict." },
  { name: "entropy", label: "entropy", most: 1, says: "How spread out a row is, as a share of the most it could be: 0 looks at one position, 1 at all alike." },
  { name: "mean_distance", label: "mean distance", most: null, says: "How many positions back the head looks, on average." },
];

const REPEATS = ["duplicate_token", "induction"]; // measured on the repeated prompt alone, whichever one is shown
const metrics = new Map(); // by step, looked up once: a page asks for them hundreds of times a step

/** A head's measure, or undefined. */
export function measured(prompt, step, layer, head, name) {
  const known = `${prompt} ${step}`;
  if (!metrics.has(known)) metrics.set(known, withRepeats(page.prompts[prompt].steps[step]));
  return metrics.get(known)[layer][head][name];
}

/** The metrics of a step by layer and head; what its prompt lacks of the repeats comes from another prompt, of the same model. */
function withRepeats(at) {
  if (page.run === null) return at.metrics; // examples have a model each
  const others = page.prompts.flatMap(({ steps }) => steps.filter((one) => one.step === at.step));
  return at.metrics.map((heads, layer) => heads.map((own, head) => {
    const all = { ...own };
    for (const name of REPEATS) {
      const found = all[name] ?? others.find((other) => other.metrics[layer]?.[head]?.[name] !== undefined)?.metrics[layer][head][name];
      if (found !== undefined) all[name] = found;
    }
    return all;
  }));
}

/** [measure, score] of each pattern that reaches its threshold, the strongest first. */
export function badges(prompt, step, layer, head) {
  return MEASURES.map((measure) => [measure, measured(prompt, step, layer, head, measure.name)])
    .filter(([measure, score]) => score >= page.thresholds[measure.name])
    .sort((one, other) => other[1] - one[1]);
}

/** The loss logged last at or before a training step: {kind, value, step}; the validation loss where there is one. */
export function lossAt(step) {
  const line = page.losses.findLast((one) => one.step <= step);
  if (!line) return undefined;
  const kind = line.val === undefined ? "train" : "val";
  return { kind, value: line[kind], step: line.step };
}
