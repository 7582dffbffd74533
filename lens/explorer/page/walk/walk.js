// The pinned row step by step: x, q, k, v, scores, scale, mask, softmax, weighted values, proj.

import { chip } from "../base/cells.js";
import { gradient } from "../base/colour.js";
import { page } from "../base/data.js";
import { element, save } from "../base/dom.js";
import { visible } from "../base/label.js";
import { power } from "../base/number.js";
import { inSight } from "../base/onscreen.js";
import { shownFull, shownKeys, shownMaps, shownPrompt, shownStep, state } from "../base/state.js";
import { rowCsv } from "./csv.js";
import { ledger } from "./dotproduct.js";
import { inputs, threeVectors } from "./inputs.js";
import { rowTable } from "./keytable.js";
import { given } from "./matrices.js";
import { joined, summed } from "./outputs.js";
import { apart, mapRow, rowOf } from "./recompute.js";
import { walkBar } from "./stepbar.js";
import { SAYS, SUMS, TITLES, stepsOf } from "./steps.js";

const AGREES = 1e-3; // a larger difference would show in the digits that are printed

export function walk(host) {
  const title = element("p", {});
  const signs = element("span", { class: "signs" }, "below 0 ", element("span"), " above 0");
  const matrices = element("div", { class: "given" });
  const stages = Object.fromEntries(Object.entries(TITLES).map(([step, name]) => [step, stage(step, name)]));
  const { proj, ...before } = stages;
  const table = element("div", { class: "row-table" });
  const agreement = element("p", { class: "note", id: "agreement" });
  const button = element("button", { type: "button", class: "save", onclick: saveRow }, "Save this row as CSV");
  const steps = element("div", { class: "steps" }, matrices, ...Object.values(before).map(({ node }) => node), table, proj.node);
  host.classList.add("walk");
  host.append(element("div", { class: "row-title" }, title, signs), steps);

  const showGiven = given(matrices);
  const showTable = rowTable(table);
  table.append(element("div", { class: "row-foot" }, agreement, button));
  const showBar = walkBar(host, arrive);
  const drawings = {
    x: inputs(stages.x.body),
    qkv: threeVectors(stages.qkv.body),
    score: ledger(stages.score.body),
    values: summed(stages.values.body),
    proj: joined(proj.body),
  };
  let row = null; // the last one that was computed,
  let drawn = null; // of this prompt
  let known = []; // the steps that it has,
  let now; // and the one that the reader is at, if not at all at once
  let said = "";

  /** Tells what each step does: this depends on the prompt, and of the row on its width and its largest score alone. */
  function say(prompt) {
    const which = [state.prompt, row.q.length, row.shift].join();
    if (said === which) return;
    said = which;
    showGiven(prompt.given);
    for (const [step, { says }] of Object.entries(stages)) says.replaceChildren(...SAYS[step](prompt, row));
  }

  function name() {
    const token = (tokens, at) => chip(visible(tokens[at]));
    const where = `layer ${state.layer}, head ${state.head}, step ${shownStep().step.toLocaleString("en")}`;
    title.replaceChildren("query ", token(shownPrompt().tokens, state.query), ` ${state.query}, key `,
      token(shownKeys(), state.key), ` ${state.key} · ${where}`);
  }

  /** Which steps are there by now; a wanted one that this prompt does not have gives way to the one before it. */
  function revealed() {
    const order = Object.keys(TITLES);
    const last = state.walk === "all" ? Infinity : order.indexOf(state.walk);
    const there = known.filter((step) => order.indexOf(step) <= last);
    return there.length ? there : known.slice(0, 1);
  }

  function drawRow(full) {
    const prompt = shownPrompt();
    const { layer, head, query: i, key: j } = state;
    row = rowOf(full, prompt, layer, head, i);
    [drawn, known] = [prompt, stepsOf(prompt, full)];
    say(prompt);
    const there = revealed();
    now = state.walk === "all" ? undefined : there.at(-1);
    for (const [step, { node, sum }] of Object.entries(stages)) {
      node.hidden = !there.includes(step);
      node.classList.toggle("now", step === now);
      if (node.hidden) continue;
      sum.replaceChildren(...(SUMS[step]?.(row, j, prompt) ?? []));
      drawings[step]?.({ prompt, full, row, layer, head, i, j });
    }
    table.hidden = !there.includes("score");
    table.dataset.upto = there.at(-1);
    agreement.hidden = !there.includes("softmax");
    if (!table.hidden) showTable(row, ({ step }) => there.includes(step));
    agree();
  }

  /** Between the first and the last step: all keep their places, but of the numbers there are the weights alone. */
  function drawMap() {
    if (table.hidden) return;
    const maps = shownMaps();
    const weights = maps.row(state.layer, state.head, state.query);
    showTable(mapRow(row, weights, maps.digits), ({ name }) => name === "weight");
  }

  function agree() {
    const most = apart(row, shownMaps().row(state.layer, state.head, state.query));
    const said = most === 0 ? "agrees with the logged weights in every digit."
      : most < AGREES ? `agrees with the logged weights to ${power(most, 1)}.`
      : `does not agree with the logged weights, off by up to ${power(most, 1)}.`;
    agreement.textContent = `Computed again on this page from q and k, in float64: ${said}`;
  }

  function arrive(step) {
    const { node } = stages[step];
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    node.style.scrollMarginTop = `${document.getElementById("controls").offsetHeight + 12}px`; // clear of the header
    node.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  }

  function saveRow() {
    const place = `layer${state.layer}-head${state.head}-query${state.query}-step${shownStep().step}`;
    const csv = rowCsv(row, shownKeys());
    if (window.parent === window) return save(`row-${place}.csv`, "text/csv;charset=utf-8", csv);
    // A frame may refuse to save: the text itself can be copied.
    host.querySelector(".copied")?.remove();
    host.append(element("textarea", { class: "copied", readonly: "", rows: 8, "aria-label": "The row as CSV, to be copied" }, csv));
  }

  const draw = inSight(host, () => {
    const full = shownFull();
    name();
    signs.children[0].style.background = gradient(page.signed);
    if (full) drawRow(full);
    steps.hidden = drawn !== shownPrompt();
    steps.classList.toggle("between", !full);
    if (!full && !steps.hidden) drawMap();
    showBar(full ? known : null, now);
  });

  return () => {
    const { steps: all, scale } = shownPrompt();
    host.closest("section").hidden = scale === null || !all[0].full; // not within draw: what is hidden is never in sight
    draw();
  };
}

function stage(step, name) {
  const [says, sum, body] = [element("p", { class: "says" }), element("p", { class: "formula" }), element("div")];
  const node = element("div", { class: "stage", id: `step-${step}` }, element("h3", {}, name), element("div", {}, says, sum, body));
  return { node, says, sum, body };
}
