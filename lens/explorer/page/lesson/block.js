// A block whose parts can be taken out: what training then comes to, as small runs measured it.

import { element, svg } from "../base/dom.js";
import { t } from "../base/words.js";
import { curves } from "./curves.js";
import { toggle } from "./field.js";

/** Of each part: its button, the name of the run without it, and what it is for. */
const PARTS = [
  { name: "MLP", text: t("MLP"), run: "without MLP", legend: t("without MLP"), places: [[150, 46]],
    purpose: t("The MLP works within each token, on what attention has brought there. Without it a block only fetches and adds.") },
  { name: "norm", text: t("norm"), run: "without layernorm", legend: t("without layernorm"), places: [[150, 92], [150, 222]],
    purpose: t("The norm gives each part numbers of the same size to read, however much the stream has grown.") },
  { name: "attention", text: t("attention"), run: "without attention", legend: t("without attention"), places: [[150, 176]],
    purpose: t("Attention is the only place where a token hears another. Without it each next word is guessed from one word alone.") },
  { name: "residual", text: t("residual"), run: "without residuals", legend: t("without residuals"), places: [[40, 70], [40, 200]],
    purpose: t("The residual stream lets each part add to what is there and the gradient pass straight down. Without it each layer has to carry everything on.") },
];
const WHOLE = t("The stream runs up on the left; each part reads it and adds to it.");

export function block(host, { measured }) {
  if (!measured.block) return;
  const depths = Object.fromEntries([["2", measured.block], ["6", measured.deep]].filter(([, runs]) => runs));
  let [depth, out] = ["2", null];

  const shown = PARTS.flatMap((part) => part.places.map(() => part)); // the part of each button
  const buttons = PARTS.flatMap((part) => part.places.map(([left, top]) => partButton(part, left, top)));
  const picture = element("div", { class: "block-picture", role: "group", "aria-label": t("The parts of a block") }, drawing(), ...buttons);
  const chart = element("div", { class: "block-chart" });
  const says = element("p", { class: "says", "aria-live": "polite" });
  const layers = toggle(t("Layers"), Object.keys(depths).map((n) => [n, t("{n} layers", { n })]), depth, (n) => {
    depth = n;
    draw();
  });
  layers.node.hidden = Object.keys(depths).length === 1;
  host.append(element("h3", {}, t("Press a part to take it out")), layers.node, element("div", { class: "block-both" }, picture, chart), says);

  function partButton(part, left, top) {
    const button = element("button", { type: "button", "data-part": part.name, onclick: () => press(part) }, part.text);
    Object.assign(button.style, { left: `${left}px`, top: `${top}px` });
    return button;
  }

  function press(part) {
    out = out === part ? null : part;
    draw();
  }

  function draw() {
    const runs = depths[depth];
    if (out && !(out.run in runs)) out = null;
    picture.setAttribute("data-out", out?.name ?? "");
    buttons.forEach((button, at) => {
      button.disabled = !(shown[at].run in runs); // not measured so deep
      button.setAttribute("aria-pressed", shown[at] !== out);
    });
    const lines = [{ name: t("the whole block"), values: runs.whole.curve }];
    if (out) lines.push({ name: out.legend, values: runs[out.run].curve });
    chart.replaceChildren(curves({ title: t("Validation loss, nats per token"), steps: runs.steps, lines }));
    says.textContent = out ? out.purpose : WHOLE;
  }
  draw();
}

/** The stream from below to above, and the way through each part. */
function drawing() {
  const line = (name, d) => svg("path", { class: name, d });
  const plus = (y) => svg("g", { class: "residual" }, svg("circle", { cx: 40, cy: y, r: 9 }), svg("path", { d: `M35 ${y}h10M40 ${y - 5}v10` }));
  return svg("svg", { viewBox: "0 0 230 270", "aria-hidden": "true" },
    line("residual", "M40 246V20"), line("stream", "M40 268V246"), line("stream", "M40 20V5"),
    line("stream", "M40 246H150V150H49"), line("stream", "M40 116H150V20H49"), line("residual", "M40 150V116"),
    line("stream", "M58 145l-9 5 9 5"), line("stream", "M58 15l-9 5 9 5"), line("stream", "M35 9l5-8 5 8"),
    plus(150), plus(20));
}
