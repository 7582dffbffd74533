// What training without the mask looks like: its loss, below what is possible, and the text that such a model writes.

import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";

/** `measured`: {with, without}, runs with their loss on a story, the floor and a sample; nothing without them. */
export function withoutMask(measured) {
  const runs = [measured?.with, measured?.without];
  if (!runs.every((run) => Number.isFinite(run?.story))) return [];
  const most = Math.max(...runs.map(({ story }) => story));
  const { floor } = runs[0];
  const names = [t("Trained with the mask"), t("Trained without it")];
  const lines = runs.map(({ story, sample }, way) => element("div", { class: "run" },
    element("p", { class: "loss-line" }, element("span", {}, names[way]), bar(story, floor, most), element("b", { class: "number" }, formatNumber(story, 2))),
    ...(sample ? [element("blockquote", {}, element("bdi", { class: "token-text", lang: "en" }, sample))] : [])));
  return [element("section", { class: "maskless" },
    element("p", { class: "title" }, t("The same small model, trained both ways: loss in nats per story, and what it then writes")),
    ...lines,
    element("p", { class: "note" }, t("The line marks {floor}, the lowest loss that an honest model can reach on these stories. The one without a mask is below it: it reads the answer. When it writes, there is none to read.", { floor: formatNumber(floor, 2) })))];
}

function bar(value, floor, most) {
  const [filled, line] = [element("span", { class: "filled" }), element("span", { class: "threshold" })];
  filled.style.width = `${(100 * value) / most}%`;
  line.style.left = `${(100 * floor) / most}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, filled, line);
}
