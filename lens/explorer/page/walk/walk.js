// The pinned row step by step: x, q, k, v, their norm and rotation, scores, scale, mask, softmax, weighted values, proj.

import { chip, headInWords } from "../base/cells.js";
import { gradient } from "../base/colour.js";
import { kind, liveOf, page } from "../base/data.js";
import { element, save } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { power } from "../base/number.js";
import { scrolling, whenVisible } from "../base/onscreen.js";
import { shownFull, shownKeys, shownMaps, shownPrompt, shownStep, state } from "../base/state.js";
import { offer } from "../base/tabs.js";
import { phrase, t } from "../base/words.js";
import { toCsv } from "./csv.js";
import { ledger } from "./dotproduct.js";
import { inputs } from "./inputs.js";
import { CARRIED, inside, isWhole } from "./inside.js";
import { keyTable } from "./keytable.js";
import { matrixTables } from "./matrices.js";
import { allOutputs, headOutput } from "./outputs.js";
import { project, projectGiven } from "./projection.js";
import { knownVectors, qkvSteps } from "./qkv.js";
import { computeRow, maxDifference, rowOfMap } from "./recompute.js";
import { stepBar } from "./stepbar.js";
import { SAYS, SUMS, TITLES, stepsOf } from "./steps.js";

const AGREES = 1e-3; // a larger difference would show in the digits that are printed

export function walk(host) {
  const title = element("p", {});
  const signs = element("span", { class: "signs" }, t("below 0"), " ", element("span"), " ", t("above 0"));
  const matrices = element("div", { class: "given" });
  const stages = Object.fromEntries(Object.entries(TITLES).map(([step, name]) => [step, stage(step, name)]));
  const { proj, ...before } = stages;
  const table = element("div", { class: "row-table" });
  const agreement = element("p", { class: "note", id: "agreement" });
  const button = element("button", { type: "button", class: "save", onclick: saveRow }, t("Save this row as CSV"));
  const steps = element("div", { class: "steps" }, matrices, ...Object.values(before).map(({ node }) => node), table, proj.node);
  host.classList.add("walk");
  host.append(element("div", { class: "row-title" }, title, signs), steps);

  const drawMatrices = matrixTables(matrices);
  const showTable = keyTable(table);
  table.append(element("div", { class: "row-foot" }, agreement, button));
  const showBar = stepBar(host, scrollTo);
  const drawings = {
    x: inputs(stages.x.body),
    ...qkvSteps({ qkv: stages.qkv.body, norm: stages.norm.body, rope: stages.rope.body }),
    score: scoreProducts(stages.score.body),
    values: headOutput(stages.values.body),
    proj: allOutputs(proj.body),
  };
  let row = null; // the last one that was computed,
  let drawn = null; // of this prompt
  let available = []; // the steps that it has,
  let now; // and the one that the reader is at, if not at all at once
  let described = "";

  /** Says what each step does: this depends on the prompt, the width of the row, its largest score, and the weights. */
  function explain(prompt, model) {
    const which = [prompt.id, row.q.length, row.shift, model !== null].join();
    if (described === which) return;
    described = which;
    drawMatrices(prompt.given);
    for (const [step, { says }] of Object.entries(stages)) says.replaceChildren(...SAYS[step](prompt, row, model));
  }

  function writeTitle() {
    const token = (tokens, at) => chip(wordAt(tokens, at));
    const named = {
      query: token(shownPrompt().tokens, state.query), i: String(state.query), key: token(shownKeys(), state.key), j: String(state.key),
      place: headInWords(), step: shownStep().step.toLocaleString("en"),
    };
    title.replaceChildren(...(kind === "run" ? phrase("query {query} {i}, key {key} {j} · {place}, step {step}", named)
      : phrase("query {query} {i}, key {key} {j} · {place}", named)));
  }

  /** The steps that are shown by now; in place of one that this prompt does not have, those up to the one before it. */
  function shownSteps() {
    const order = Object.keys(TITLES);
    const last = state.walk === "all" ? Infinity : order.indexOf(state.walk);
    const there = available.filter((step) => order.indexOf(step) <= last);
    return there.length ? there : available.slice(0, 1);
  }

  /** What is drawn of the chosen row; `found` as from inside.js, null where the page does not carry the weights. */
  function contextOf(full, found, isLogged) {
    const prompt = shownPrompt();
    const { layer, head, query: i, key: j } = state;
    const token = (position) => ({ x: full.x?.at(layer, position), position });
    const tokens = { query: token(i), key: token(prompt.keys ? i : j) };
    return {
      prompt, full, found, isLogged, row, layer, head, i, j, known: knownVectors(prompt, row, i, j),
      projected: found ? project(found.model, layer, head, tokens) : projectGiven(prompt, head, tokens), isOff: Boolean(state.off && found),
    };
  }

  function drawRow(full, found, isLogged) {
    const prompt = shownPrompt();
    row = computeRow(full, prompt, state.layer, state.head, state.query);
    [drawn, available] = [prompt, stepsOf(prompt, full)];
    explain(prompt, found?.model ?? null);
    const there = shownSteps();
    now = state.walk === "all" ? undefined : there.at(-1);
    const context = contextOf(full, found, isLogged);
    for (const [step, { node, sum }] of Object.entries(stages)) {
      node.hidden = !there.includes(step);
      node.classList.toggle("now", step === now);
      if (node.hidden) continue;
      sum.replaceChildren(...(SUMS[step]?.(row, state.key, prompt) ?? []));
      drawings[step]?.(context);
    }
    table.hidden = !there.includes("score");
    table.dataset.upto = there.at(-1);
    agreement.hidden = !there.includes("softmax");
    if (!table.hidden) showTable(row, ({ step }) => there.includes(step));
    compareWeights(found, isLogged);
  }

  /** Where the page carries only the weights of the attention: all keep their places, but of the numbers only the weights are there. */
  function drawMap() {
    if (table.hidden) return;
    const maps = shownMaps();
    const weights = maps.row(state.layer, state.head, state.query);
    showTable(rowOfMap(row, weights, maps.digits), ({ name }) => name === "weight");
  }

  function compareWeights(found, isLogged) {
    const max = maxDifference(row, shownMaps().row(state.layer, state.head, state.query));
    const isRead = liveOf(state.prompt, state.step) !== null;
    const weights = isRead ? t("the model’s own weights") : t("the logged weights");
    const verdict = max === 0 ? t("agrees with {weights} in every digit", { weights })
      : max < AGREES ? t("agrees with {weights} to {difference}", { weights, difference: power(max, 1) })
      : t("does not agree with {weights}, off by up to {difference}", { weights, difference: power(max, 1) });
    agreement.textContent = isLogged || !found ? t("Computed again on this page from q and k, in float64: {verdict}.", { verdict })
      : t("Computed by the model in this page, whose weights it carries {format}: {verdict}.", { format: CARRIED[found.format], verdict });
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
    host.append(element("textarea", { class: "copied", readonly: "", rows: 8, "aria-label": t("The row as CSV, to be copied") }, csv));
  }

  const find = inside(() => draw());

  const draw = whenVisible(host, () => {
    if (!shownMaps()) return; // they are being read again, with parts switched off, and drawn then
    const found = find(state);
    const full = shownFull() ?? found?.full ?? null;
    writeTitle();
    signs.children[0].style.background = gradient(page.signed);
    if (full) drawRow(full, found, shownFull() !== null && liveOf(state.prompt, state.step) === null);
    steps.hidden = drawn !== shownPrompt();
    steps.classList.toggle("between", !full);
    const isComing = !found && shownStep().read !== undefined;
    steps.setAttribute("aria-busy", isComing);
    if (!full && !steps.hidden) drawMap();
    showBar(full ? available : null, now, isComing);
  });

  return () => {
    const { steps: all, scale } = shownPrompt();
    const isShown = scale !== null && all.some(isWhole);
    offer(host, isShown); // not within draw: what is hidden is never in sight
    draw();
  };
}

function scoreProducts(host) {
  const show = ledger(host);
  return ({ row: { q, k }, j }) => show(q, k.subarray(j * q.length, (j + 1) * q.length));
}

function stage(step, name) {
  const [says, sum, body] = [element("p", { class: "says" }), element("p", { class: "formula" }), element("div")];
  const node = element("div", { class: "stage", id: `step-${step}` }, element("h3", {}, name), element("div", {}, says, sum, body));
  return { node, says, sum, body };
}
