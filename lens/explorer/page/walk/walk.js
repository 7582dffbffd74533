// The pinned row step by step: x, q, k, v, scores, scale, mask, softmax, weighted values, proj.

import { chip } from "../base/cells.js";
import { gradient } from "../base/colour.js";
import { kind, page } from "../base/data.js";
import { element, save } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { power } from "../base/number.js";
import { scrolling, whenVisible } from "../base/onscreen.js";
import { shownFull, shownKeys, shownMaps, shownPrompt, shownStep, state } from "../base/state.js";
import { offer } from "../base/tabs.js";
import { toCsv } from "./csv.js";
import { dotProduct } from "./dotproduct.js";
import { inputs, qkvVectors } from "./inputs.js";
import { keyTable } from "./keytable.js";
import { matrixTables } from "./matrices.js";
import { renameVectors } from "./names.js";
import { allOutputs, headOutput } from "./outputs.js";
import { computeRow, maxDifference, rowOfMap } from "./recompute.js";
import { stepBar } from "./stepbar.js";
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

  const drawMatrices = matrixTables(matrices);
  const showTable = keyTable(table);
  table.append(element("div", { class: "row-foot" }, agreement, button));
  const showBar = stepBar(host, scrollTo);
  const drawings = {
    x: inputs(stages.x.body),
    qkv: qkvVectors(stages.qkv.body),
    score: dotProduct(stages.score.body),
    values: headOutput(stages.values.body),
    proj: allOutputs(proj.body),
  };
  let row = null; // the last one that was computed,
  let drawn = null; // of this prompt
  let available = []; // the steps that it has,
  let now; // and the one that the reader is at, if not at all at once
  let described = "";

  /** Says what each step does: this depends on the prompt, and on the width of the row and its largest score. */
  function explain(prompt) {
    const which = [prompt.id, row.q.length, row.shift].join();
    if (described === which) return;
    described = which;
    drawMatrices(prompt.given);
    for (const [step, { says }] of Object.entries(stages)) says.replaceChildren(...SAYS[step](prompt, row));
  }

  function writeTitle() {
    const token = (tokens, at) => chip(wordAt(tokens, at));
    const where = `layer ${state.layer}, head ${state.head}${kind === "run" ? `, step ${shownStep().step.toLocaleString("en")}` : ""}`;
    title.replaceChildren("query ", token(shownPrompt().tokens, state.query), ` ${state.query}, key `,
      token(shownKeys(), state.key), ` ${state.key} · ${where}`);
  }

  /** The steps that are shown by now; in place of one that this prompt does not have, those up to the one before it. */
  function shownSteps() {
    const order = Object.keys(TITLES);
    const last = state.walk === "all" ? Infinity : order.indexOf(state.walk);
    const there = available.filter((step) => order.indexOf(step) <= last);
    return there.length ? there : available.slice(0, 1);
  }

  function drawRow(full) {
    const prompt = shownPrompt();
    const { layer, head, query: i, key: j } = state;
    row = computeRow(full, prompt, layer, head, i);
    [drawn, available] = [prompt, stepsOf(prompt, full)];
    explain(prompt);
    const there = shownSteps();
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
    compareWeights();
  }

  /** Between the first and the last step: all keep their places, but of the numbers only the weights are there. */
  function drawMap() {
    if (table.hidden) return;
    const maps = shownMaps();
    const weights = maps.row(state.layer, state.head, state.query);
    showTable(rowOfMap(row, weights, maps.digits), ({ name }) => name === "weight");
  }

  function compareWeights() {
    const max = maxDifference(row, shownMaps().row(state.layer, state.head, state.query));
    const described = max === 0 ? "agrees with the logged weights in every digit."
      : max < AGREES ? `agrees with the logged weights to ${power(max, 1)}.`
      : `does not agree with the logged weights, off by up to ${power(max, 1)}.`;
    agreement.textContent = `Computed again on this page from q and k, in float64: ${described}`;
  }

  function scrollTo(step) {
    const { node } = stages[step];
    node.scrollIntoView({ block: "start", behavior: scrolling() });
  }

  function saveRow() {
    const place = `layer${state.layer}-head${state.head}-query${state.query}${kind === "model" ? "" : `-step${shownStep().step}`}`;
    const csv = toCsv(row, shownKeys());
    if (window.parent === window) return save(`row-${place}.csv`, "text/csv;charset=utf-8", csv);
    // A frame may refuse to save: the text itself can be copied.
    host.querySelector(".copied")?.remove();
    host.append(element("textarea", { class: "copied", readonly: "", rows: 8, "aria-label": "The row as CSV, to be copied" }, csv));
  }

  const draw = whenVisible(host, () => {
    const full = shownFull();
    writeTitle();
    signs.children[0].style.background = gradient(page.signed);
    if (full) drawRow(full);
    steps.hidden = drawn !== shownPrompt();
    steps.classList.toggle("between", !full);
    if (!full && !steps.hidden) drawMap();
    renameVectors(host);
    showBar(full ? available : null, now);
  });

  return () => {
    const { steps: all, scale } = shownPrompt();
    offer(host, scale !== null && Boolean(all[0].full)); // not within draw: what is hidden is never in sight
    draw();
  };
}

function stage(step, name) {
  const [says, sum, body] = [element("p", { class: "says" }), element("p", { class: "formula" }), element("div")];
  const node = element("div", { class: "stage", id: `step-${step}` }, element("h3", {}, name), element("div", {}, says, sum, body));
  return { node, says, sum, body };
}
