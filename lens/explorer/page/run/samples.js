// What the model wrote as it learned, one text after another.

import { page } from "../base/data.js";
import { element } from "../base/dom.js";
import { legible } from "../base/label.js";
import { t } from "../base/words.js";

/** [step, text] of each sample: under a line "step N" after an empty one, N growing. None where there is no such line. */
function parse(text) {
  const samples = [];
  const lines = text.split("\n");
  lines.forEach((line, index) => {
    const step = /^step (\d+)$/.exec(line)?.[1];
    const heads = step !== undefined && (index === 0 || lines[index - 1] === "") && Number(step) > (samples.at(-1)?.step ?? -1);
    if (heads) samples.push({ step: Number(step), lines: [] });
    else samples.at(-1)?.lines.push(line);
  });
  return samples.map((sample) => [sample.step, sample.lines.join("\n").trim()]);
}

export function samples(host) {
  const parsed = parse(page.samples);
  const block = (text) => element("pre", { dir: "auto" }, legible(text));
  if (!parsed.length) {
    host.append(block(page.samples || t("No samples were recorded.")));
    return;
  }
  host.append(element("dl", { class: "samples" }, ...parsed.flatMap(([step, text]) => [
    element("dt", {}, t("step {step}", { step: step.toLocaleString("en") })), element("dd", {}, block(text))])));
}
