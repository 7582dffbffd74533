// What is measured of every head over training, the chosen one in front, and the loss over the same steps.
// Curves are drawn once for a prompt; a change of the view moves marks and brings another head's curve to the front.

import { lossScale, path, stepAxis, stepPlace, stretched } from "../base/axis.js";
import { write } from "../base/cells.js";
import { countMeasured, runOf } from "../base/data.js";
import { element, svg } from "../base/dom.js";
import { MEASURES, lossesAt, scoreOf } from "../base/measures.js";
import { whenVisible } from "../base/onscreen.js";
import { change, shownPrompt, shownStep, state, switchedOff } from "../base/state.js";
import { t } from "../base/words.js";

const REACH = 10; // pixels from a curve within which the pointer is on it
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }; // steps, heads

export function curves(host) {
  const panels = element("div", { class: "panels", tabindex: 0, role: "group" });
  panels.setAttribute("aria-label", t("Curves; left and right arrow keys move the training step, up and down choose the head"));
  host.append(panels);
  panels.addEventListener("keydown", (event) => {
    if (!(event.key in MOVES)) return;
    event.preventDefault();
    const { layers, heads } = shownPrompt();
    const [steps, onward] = MOVES[event.key];
    const index = Math.max(0, Math.min(layers * heads - 1, state.layer * heads + state.head + onward));
    change({ step: state.step + steps, ...headOf(index) });
  });

  let shown = null;
  let drawn = [];

  function build() {
    const last = Math.max(1, shownPrompt().steps.at(-1).step, runOf(shownPrompt()).losses.at(-1)?.step ?? 0);
    const across = (step) => stepPlace(step, last);
    drawn = [lossPanel(across), ...MEASURES.map((measure) => measurePanel(measure, across))].filter((one) => one !== null);
    for (const { node } of drawn) node.append(stepAxis(last));
    panels.replaceChildren(...drawn.map(({ node }) => node));
  }

  return whenVisible(host, () => {
    const now = `${shownPrompt().id} ${switchedOff(state)} ${countMeasured()}`; // what the model in the page measures comes later
    if (shown !== now) {
      shown = now;
      build();
    }
    for (const { draw } of drawn) draw();
  });
}

const headOf = (index) => ({ layer: Math.floor(index / shownPrompt().heads), head: index % shownPrompt().heads });
const chosen = () => state.layer * shownPrompt().heads + state.head;

function place(node, x, y) {
  node.style.left = `${x}%`;
  if (y !== undefined) node.style.top = `${y}%`;
}

/** {node, plot, now, draw}: a small chart of svg `lines`; a click goes to the step there and to what `pick(event)` says. */
function panel(label, lines, bottom, top, across, pick = () => ({})) {
  const xs = shownPrompt().steps.map(({ step }) => across(step));
  const mark = element("span", { class: "mark" });
  const plot = element("div", { class: "plot" }, stretched(...lines), mark);
  const now = element("span", {}, "");
  plot.addEventListener("click", (event) => {
    const [x] = placeOf(event, plot);
    const step = xs.reduce((best, other, index) => (Math.abs(other - x) < Math.abs(xs[best] - x) ? index : best), 0);
    change({ step, ...pick(event) });
  });
  const node = element("figure", { class: "panel" },
    element("figcaption", {}, element("b", {}, label), now),
    element("div", { class: "chart" }, element("div", { class: "scale" }, element("span", {}, top), element("span", {}, bottom)), plot));
  return { node, plot, now, draw: () => place(mark, xs[state.step]) };
}

/** Where an event is on a plot, in shares, and how many shares of the height a pixel is. */
function placeOf(event, plot) {
  const box = plot.getBoundingClientRect();
  const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  return [100 * x, 100 * y, 100 / box.height];
}

function lossPanel(across) {
  const points = (kind) => runOf(shownPrompt()).losses.filter((line) => kind in line).map((line) => [line.step, line[kind]]);
  const [train, val] = [points("train"), points("val")];
  const values = [...train, ...val].map(([, loss]) => loss);
  if (values.length < 2) return null;
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const up = lossScale(values, 0);
  const scaled = ([step, loss]) => [across(step), up(loss)];
  const evaluations = val.map(scaled); // they are few: each gets a point
  const lines = [
    svg("path", { d: path(train.map(scaled)), class: val.length ? "train" : "own" }),
    svg("path", { d: path(evaluations), class: "own between" }), // where nothing was measured
    svg("path", { d: evaluations.map(([x, y]) => `M${x.toFixed(2)} ${y.toFixed(2)}h0`).join(""), class: "points" }),
  ];
  const { node, now, draw } = panel(t("loss"), lines, min.toFixed(2), max.toFixed(2), across);
  return {
    node,
    draw() {
      draw();
      write(now, lossesAt(shownStep().step, shownPrompt()));
    },
  };
}

/** The panel of one measure, or null where no head has it. */
function measurePanel({ name, label, max }, across) {
  const { steps, layers, heads } = shownPrompt();
  const values = Array.from({ length: layers * heads }, (_, index) =>
    steps.map((_, step) => scoreOf(state.prompt, step, Math.floor(index / heads), index % heads, name)));
  const scores = values.flat().filter((value) => value !== undefined);
  if (!scores.length) return null;
  const top = max ?? scores.reduce((one, other) => Math.max(one, other), 1);
  const height = (value) => 100 * (1 - value / top);
  const points = values.map((one) => one.flatMap((value, step) => (value === undefined ? [] : [[across(steps[step].step), height(value)]])));
  const paths = points.map(path);
  const [near, own] = ["near", "own"].map((kind) => svg("path", { class: kind }));
  const lines = [svg("path", { d: paths.join(""), class: "others" }), near, own];
  const { node, plot, now, draw } = panel(label, lines, "0", top === 1 ? "1" : top.toFixed(1), across, (event) => {
    const index = under(event);
    return index === null ? {} : headOf(index);
  });
  const [dot, tag] = [element("span", { class: "dot" }), element("span", { class: "tag" }, "")];
  tag.hidden = true;
  plot.append(dot, tag);
  plot.addEventListener("pointermove", (event) => hover(event));
  plot.addEventListener("pointerleave", () => hover(null));

  /** The head whose curve is nearest to the pointer and in reach, or null. The chosen one goes before those as near. */
  function under(event) {
    const [x, y, pixel] = placeOf(event, plot);
    const distances = points.map((curve) => Math.abs(heightAt(curve, x) - y));
    const best = distances.reduce((best, distance, index) => (distance < distances[best] ? index : best), chosen());
    return distances[best] <= REACH * pixel ? best : null;
  }

  function hover(event) {
    const index = event && under(event);
    tag.hidden = index === null;
    near.setAttribute("d", index === null ? "" : paths[index]);
    if (index === null) return;
    const [x] = placeOf(event, plot);
    const { layer, head } = headOf(index);
    write(tag, `${layer}.${head}`);
    place(tag, x, heightAt(points[index], x));
  }

  let front = null;
  function redraw() {
    draw();
    if (front !== chosen()) own.setAttribute("d", paths[chosen()]);
    front = chosen();
    const value = values[front][state.step];
    write(now, value === undefined ? "" : value.toFixed(3));
    dot.hidden = value === undefined;
    if (value !== undefined) place(dot, across(steps[state.step].step), height(value));
  }

  return { node, draw: redraw };
}

/** The height of a curve at a place across, between its points; Infinity for a curve that has none. */
function heightAt(curve, x) {
  const after = curve.findIndex(([at]) => at >= x);
  if (after <= 0) return after === 0 ? curve[0][1] : (curve.at(-1)?.[1] ?? Infinity);
  const [[x0, y0], [x1, y1]] = [curve[after - 1], curve[after]];
  return y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
}
