// Curves over the steps of small runs, by the logarithm of what was measured, with the figures of one step below.

import { lossScale, path, stretched } from "../base/axis.js";
import { element, MOVES_ALONG, partAt, svg } from "../base/dom.js";
import { t } from "../base/words.js";

/**
 * A figure: `title`, and of each line of `lines` {name, values} a curve over `steps`; the first line is the one that the
 * others are compared with. The figures are those of the last step, or of the one under the pointer.
 */
export function curves({ title, steps, lines, digits = 3 }) {
  const last = steps.at(-1);
  const across = steps.map((step) => (100 * step) / last);
  const up = lossScale(lines.flatMap(({ values }) => values));
  const drawn = lines.map(({ values }, at) =>
    svg("path", { d: path(values.map((value, index) => [across[index], up(value)])), class: `line-${at}` }));
  const cursor = element("span", { class: "mark" });
  const plot = element("div", { class: "plot", tabindex: 0, role: "slider", "aria-label": title, "aria-valuemin": 0, "aria-valuemax": last },
    stretched(...drawn.reverse()), ...up.ticks.map((value) => tick(value, up(value))), cursor);
  const at = element("span", { class: "at" });
  const figures = lines.map(() => element("b", { class: "number" }));
  const key = element("ul", { class: "key" }, ...lines.map(({ name }, index) =>
    element("li", {}, element("i", { class: `line-${index}` }), element("span", {}, name), figures[index])));

  let shown = steps.length - 1;
  function read(index) {
    shown = index;
    cursor.style.left = `${across[index]}%`;
    at.textContent = t("step {step}", { step: steps[index] });
    lines.forEach(({ values }, line) => (figures[line].textContent = values[index].toFixed(digits)));
    const said = lines.map(({ name, values }) => `${name} ${values[index].toFixed(digits)}`);
    plot.setAttribute("aria-valuenow", steps[index]);
    plot.setAttribute("aria-valuetext", [at.textContent, ...said].join(", "));
  }
  plot.addEventListener("pointermove", ({ clientX }) => {
    const { left, width } = plot.getBoundingClientRect();
    read(partAt(clientX - left + width / (2 * steps.length), width * (1 + 1 / steps.length), steps.length));
  });
  plot.addEventListener("pointerleave", () => read(steps.length - 1));
  plot.addEventListener("keydown", (event) => {
    const move = MOVES_ALONG[event.key];
    if (!move) return;
    event.preventDefault();
    read(Math.max(0, Math.min(steps.length - 1, shown + move)));
  });
  read(shown);
  return element("figure", { class: "curves" }, element("figcaption", {}, element("b", {}, title), at), plot, ends(last), key);
}

function tick(value, top) {
  const node = element("span", { class: "tick", "aria-hidden": "true" }, `${value}`);
  node.style.top = `${top}%`;
  return node;
}

const ends = (last) => element("div", { class: "ends", "aria-hidden": "true" }, ...[0, Math.round(last / 2), last].map((step) => element("span", {}, `${step}`)));
