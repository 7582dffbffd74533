// What is measured of the chosen head over training, all other heads behind it, and the loss.

import { MEASURES, measured, page } from "./data.js";
import { element, svg } from "./dom.js";
import { change, nearest, shownPrompt, shownStep, state } from "./state.js";

const WIDE = 100; // the panels stretch: their units are shares of the width and height
const HIGH = 100;

export function curves(host) {
  return () => {
    const panels = [lossPanel(), ...MEASURES.map(measurePanel)];
    host.replaceChildren(...panels.filter((panel) => panel !== null));
  };
}

const lastStep = () => Math.max(1, shownPrompt().steps.at(-1).step, page.losses.at(-1)?.step ?? 0);
const across = (step) => (WIDE * Math.log1p(step)) / Math.log1p(lastStep());

function lossPanel() {
  const points = (kind) => page.losses.filter((line) => kind in line).map((line) => [line.step, line[kind]]);
  const [train, val] = [points("train"), points("val")];
  const values = [...train, ...val].map(([, loss]) => loss);
  if (values.length < 2) return null;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const scale = ([step, loss]) => [across(step), HIGH * (1 - (loss - least) / (most - least || 1))];
  const lines = [path([train.map(scale)], "others"), path([val.map(scale)], "own")];
  return panel("loss", val.length ? "validation; training in grey" : "training", lines, least.toFixed(2), most.toFixed(2), null);
}

function measurePanel({ name, label, most }) {
  const { steps, layers, heads } = shownPrompt();
  const series = [];
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) {
      const points = steps.map(({ step }, index) => [step, measured(state.prompt, index, layer, head, name)]);
      series.push({ own: layer === state.layer && head === state.head, points: points.filter(([, value]) => value !== undefined) });
    }
  }
  const values = series.flatMap(({ points }) => points.map(([, value]) => value));
  if (!values.length) return null;
  const top = most ?? Math.max(1, ...values);
  const scaled = (own) => series.filter((one) => one.own === own).map(({ points }) => points.map(([step, value]) => [across(step), HIGH * (1 - value / top)]));
  const now = measured(state.prompt, state.step, state.layer, state.head, name);
  const dot = now === undefined ? null : HIGH * (1 - now / top);
  return panel(label, now === undefined ? "" : now.toFixed(3), [path(scaled(false), "others"), path(scaled(true), "own")], "0", top === 1 ? "1" : top.toFixed(1), dot);
}

function path(lines, kind) {
  const d = lines.map((points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("")).join("");
  return svg("path", { d, class: kind });
}

/** One small chart; `dot` is the height of the mark at the shown step, or null. */
function panel(label, now, paths, bottom, top, dot) {
  const drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...paths);
  const mark = element("span", { class: "mark" });
  mark.style.left = `${across(shownStep().step)}%`;
  const plot = element("div", { class: "plot" }, drawing, mark);
  if (dot !== null) {
    const point = element("span", { class: "dot" });
    point.style.left = `${across(shownStep().step)}%`;
    point.style.top = `${dot}%`;
    plot.append(point);
  }
  plot.addEventListener("click", (event) => {
    const box = plot.getBoundingClientRect();
    const step = Math.expm1(((event.clientX - box.left) / box.width) * Math.log1p(lastStep()));
    change({ step: nearest(shownPrompt().steps, step) });
  });
  const ends = element("div", { class: "ends" }, element("span", {}, "step 0"), element("span", {}, lastStep().toLocaleString("en")));
  return element("figure", { class: "panel" },
    element("figcaption", {}, element("b", {}, label), element("span", {}, now)),
    element("div", { class: "chart" }, element("div", { class: "scale" }, element("span", {}, top), element("span", {}, bottom)), plot),
    ends);
}
