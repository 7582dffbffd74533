// The measures of a head, and the loss.

import { kind, metricsOf, page, runOf } from "./data.js";
import { t } from "./words.js";

/** The measures of a head, in the order of the page; `max` is the top of its scale (null: as large as it gets). */
export const MEASURES = [
  { name: "previous_token", label: t("previous token"), max: 1, says: t("Mean weight that a position gives to the one just before it: from position 1 on, or, where a recorded prompt repeats random tokens, as in a song, in their first occurrence.") },
  { name: "first_token", label: t("first token"), max: 1, says: t("Mean weight on position 0, from position 1 on. High means an attention sink.") },
  { name: "duplicate_token", label: t("duplicate token"), max: 1, says: t("Where tokens come again in the same order: mean weight from the second occurrence on the same token in the first.") },
  { name: "induction", label: t("induction"), max: 1, says: t("Where tokens come again in the same order: mean weight from the second occurrence on the token that came next in the first, which is the one to predict.") },
  { name: "entropy", label: t("entropy"), max: 1, says: t("How spread out a row is, as a share of its maximum: 0 looks at one position, 1 at all equally.") },
  { name: "mean_distance", label: t("mean distance"), max: null, says: t("How many positions back the head looks, on average.") },
];

const REPEATS = ["duplicate_token", "induction"]; // measured only on the repeated prompt, whichever prompt is shown
const metrics = new WeakMap(); // of a step, looked up once: a page asks for them hundreds of times a step

/** A head's measure, or undefined. */
export function scoreOf(prompt, step, layer, head, name, off) {
  const own = metricsOf(prompt, step, off);
  if (!metrics.has(own)) metrics.set(own, withRepeats(own, page.prompts[prompt], step));
  return metrics.get(own)[layer][head][name];
}

/** The metrics of a step by layer and head; what its prompt lacks of the repeats comes from another prompt, of the same model. */
function withRepeats(metrics, { steps: recorded, beside }, index) {
  if (kind === "examples") return metrics; // they have a model each
  const { step } = recorded[index];
  const others = page.prompts.flatMap((prompt) => (prompt.beside === beside ? prompt.steps.filter((one) => one.step === step) : []));
  return metrics.map((heads, layer) => heads.map((own, head) => {
    const all = { ...own };
    for (const name of REPEATS) {
      const score = all[name] ?? others.find((other) => other.metrics[layer]?.[head]?.[name] !== undefined)?.metrics[layer][head][name];
      if (score !== undefined) all[name] = score;
    }
    return all;
  }));
}

/** The name of the prompt on which a measure of a head was taken, where that is not the one that is shown; else null. */
export function measuredOn(prompt, step, layer, head, name) {
  if (metricsOf(prompt, step)[layer]?.[head]?.[name] !== undefined || scoreOf(prompt, step, layer, head, name) === undefined) return null;
  const { beside: run } = page.prompts[prompt];
  return page.prompts.find(({ steps, beside }) => beside === run && steps.some(({ metrics }) => metrics[layer]?.[head]?.[name] !== undefined)).name;
}

/** [measure, score, prompt] of each pattern that reaches its threshold, the strongest first; prompt as of measuredOn. */
export function badges(prompt, step, layer, head) {
  return MEASURES.map((measure) => [measure, scoreOf(prompt, step, layer, head, measure.name), measuredOn(prompt, step, layer, head, measure.name)])
    .filter(([measure, score]) => score >= page.thresholds[measure.name])
    .sort((one, other) => other[1] - one[1]);
}

/**
 * The losses at a training step of a prompt's run in words: of training the one logged last at or before it, with its step where that is
 * another, and of validation one of this very step; "" where neither is known.
 */
export function lossesAt(step, prompt) {
  const { losses } = runOf(prompt);
  const train = losses.findLast((line) => line.step <= step && line.train !== undefined);
  const evaluated = losses.find((line) => line.step === step && line.val !== undefined);
  return [
    ...(train ? [trained(train, step)] : []),
    ...(evaluated ? [t("val {loss}", { loss: evaluated.val.toFixed(3) })] : []),
  ].join(" · ");
}

function trained({ step, train }, shown) {
  const values = { loss: train.toFixed(3), step: step.toLocaleString("en") };
  return step === shown ? t("train {loss}", values) : t("train {loss} (step {step})", values);
}
