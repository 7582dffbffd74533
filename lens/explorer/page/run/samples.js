// What the model wrote as it learned, one text after another.

import { page } from "../base/data.js";
import { element } from "../base/dom.js";

/** [step, text] of each sample: under a line "step N" after an empty one, N growing. Without any line of the kind, one text. */
function parse(text) {
  const found = [];
  const lines = text.split("\n");
  lines.forEach((line, index) => {
    const step = /^step (\d+)$/.exec(line)?.[1];
    const heads = step !== undefined && (index === 0 || lines[index - 1] === "") && Number(step) > (found.at(-1)?.step ?? -1);
    if (heads) found.push({ step: Number(step), lines: [] });
    else found.at(-1)?.lines.push(line);
  });
  return found.map(({ step, lines: said }) => [step, said.join("\n").trim()]);
}

export function samples(host) {
  const found = parse(page.samples);
  const text = (said) => element("pre", { dir: "auto" }, said);
  if (!found.length) {
    host.append(text(page.samples || "No samples were recorded."));
    return;
  }
  host.append(element("dl", { class: "samples" }, ...found.flatMap(([step, said]) => [
    element("dt", {}, `step ${step.toLocaleString("en")}`), element("dd", {}, text(said))])));
}
