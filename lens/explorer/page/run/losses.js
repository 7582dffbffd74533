// The loss over the run: in nats per token and, for tales, in nats per story, above the floor.

import { lossScale, path, stepAt, stepAxis, stepPlace, stretched } from "../base/axis.js";
import { lastStep, page } from "../base/data.js";
import { element, svg } from "../base/dom.js";
import { change, nearest, shownPrompt, shownStep } from "../base/state.js";
import { phrase, t } from "../base/words.js";

const MAX_MARKED = 40; // points of a line up to which each one is marked

const last = Math.max(1, lastStep); // of the axis
const place = (step) => stepPlace(step, last);

/** Draws the panels; returns a function that marks the shown step in them. */
export function losses(host) {
  const { floor } = page.floor;
  const panels = [
    panel(t("Loss, nats per token"), [["train", t("training")], ["val", t("validation")]]),
    panel(t("Loss, nats per story"), [["story", t("validation stories")]], floor),
  ].filter((one) => one !== null);
  host.append(...panels.map(({ node }) => node));
  return () => {
    for (const { mark } of panels) mark.style.left = `${place(shownStep().step)}%`;
  };
}

/** One chart, or null where there is no line to draw; `floor` is a value that no line can go below, if there is one. */
function panel(title, kinds, floor) {
  const lines = kinds
    .map(([kind, name]) => ({ kind, name, points: page.losses.filter((line) => kind in line).map((line) => [line.step, line[kind]]) }))
    .filter(({ points }) => points.length);
  if (!lines.length) return null;
  const up = lossScale([...lines.flatMap(({ points }) => points.map(([, value]) => value)), ...(floor ? [floor] : [])]);
  const mark = element("span", { class: "mark" });
  const cursor = element("span", { class: "cursor", hidden: "" });
  const plot = element("div", { class: "plot", tabindex: 0, role: "group", "aria-label": t("{name}; left and right read the values", { name: title }) },
    stretched(...lines.map((line) => curve(line, up))),
    ...up.ticks.map((value) => placed("tick", 0, up(value), value.toLocaleString("en"))),
    ...(floor ? [placed("floor", 0, up(floor), t("floor {loss}", { loss: floor.toFixed(3) }))] : []),
    ...lines.filter(({ points }) => points.length <= MAX_MARKED).flatMap(({ kind, points }) =>
      points.map(([step, value]) => placed(`point ${kind}`, place(step), up(value)))),
    mark, cursor);
  const readout = element("output", { class: "values" });

  let reading = null; // the step under the pointer, or where the arrow keys have gone

  /** Prints of each line the value nearest to a step; without one the last. */
  function read(step) {
    reading = step;
    cursor.hidden = step === null;
    cursor.style.left = `${place(step ?? 0)}%`;
    readout.replaceChildren(...lines.map(({ kind, name, points }) => {
      const [found, value] = closest(points, step ?? last);
      const values = { name, loss: element("b", {}, value.toFixed(3)), step: found.toLocaleString("en") };
      return element("span", {}, element("i", { class: `key ${kind}` }), ...phrase("{name} {loss} at step {step}", values));
    }));
  }

  const under = ({ clientX }) => {
    const box = plot.getBoundingClientRect();
    return stepAt(Math.max(0, Math.min(100, (100 * (clientX - box.left)) / box.width)), last);
  };
  plot.addEventListener("pointermove", (event) => read(closest(lines[0].points, under(event))[0]));
  plot.addEventListener("pointerleave", () => read(null));
  plot.addEventListener("blur", () => read(null));
  plot.addEventListener("click", (event) => change({ step: nearest(shownPrompt().steps, under(event)) }));
  plot.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const { points } = lines[0];
    const now = points.indexOf(closest(points, reading ?? last));
    read(points[Math.max(0, Math.min(points.length - 1, now + (reading === null ? 0 : move)))][0]);
  });
  read(null);

  const says = t("The floor is the lowest loss that any model can have, on average: the stories are drawn from a grammar whose probabilities are known.");
  const node = element("figure", { class: "panel" },
    element("figcaption", {}, element("b", {}, title), readout), element("div", { class: "chart" }, plot), stepAxis(last),
    ...(floor ? [element("p", { class: "note" }, says)] : []));
  return { node, mark };
}

const closest = (points, step) => points.reduce((best, point) => (Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best));

function curve({ kind, points }, up) {
  const d = path(points.map(([step, value]) => [place(step), up(value)]));
  return svg("path", { d, class: kind === "train" ? kind : `${kind} between` }); // between two evaluations nothing was measured
}

/** A mark at a share of the width and of the height. */
function placed(kind, left, top, ...text) {
  const node = element("span", { class: kind }, ...text.map((one) => element("span", {}, one)));
  Object.assign(node.style, { left: `${left}%`, top: `${top}%` });
  return node;
}
