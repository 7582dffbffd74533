// The scores of the film's two heads and the loss where the song is sung again, over the training steps.

import { path, stepAxis, stepPlace, stretched } from "../base/axis.js";
import { element, svg } from "../base/dom.js";
import { t } from "../base/words.js";

/** {node, draw(step)}; a press calls `choose` with the number of the nearest step. */
export function scores({ steps, song, previous_token: previous, induction }, choose) {
  const last = steps.at(-1);
  const across = steps.map((step) => stepPlace(step, last));
  const most = Math.max(...song);
  const lines = [
    { name: t("one token back: score of {head}", { head: `${previous.layer}.${previous.head}` }), values: previous.scores, top: 1 },
    { name: t("induction: score of {head}", { head: `${induction.layer}.${induction.head}` }), values: induction.scores, top: 1 },
    { name: t("loss in the second singing, nats per token"), values: song, top: most },
  ];
  const drawn = lines.map(({ values, top }, line) =>
    svg("path", { class: `line-${line}`, d: path(values.map((value, at) => [across[at], 100 * (1 - value / top)])) }));
  const mark = element("span", { class: "mark" });
  const plot = element("div", { class: "plot" }, stretched(...drawn.reverse()), mark);
  plot.addEventListener("click", ({ clientX }) => {
    const { left, width } = plot.getBoundingClientRect();
    const share = (100 * (clientX - left)) / width;
    choose(across.reduce((best, at, index) => (Math.abs(at - share) < Math.abs(across[best] - share) ? index : best), 0));
  });
  const figures = lines.map(() => element("b", { class: "number" }));
  const key = element("ul", { class: "key" }, ...lines.map(({ name }, line) =>
    element("li", {}, element("i", { class: `line-${line}` }), element("span", {}, name), figures[line])));
  const node = element("figure", { class: "curves film-scores" }, plot, stepAxis(last), key);

  function draw(step) {
    mark.style.left = `${across[step]}%`;
    lines.forEach(({ values }, line) => (figures[line].textContent = values[step].toFixed(2)));
  }
  return { node, draw };
}
