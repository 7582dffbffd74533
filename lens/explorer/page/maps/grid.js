// All heads as small maps: those with a badge first, layers down and heads across, or the highest score first.

import { DASH, write } from "../base/cells.js";
import { paint, theme } from "../base/colour.js";
import { kind, page, smallOf } from "../base/data.js";
import { choice, element } from "../base/dom.js";
import { scrolling } from "../base/onscreen.js";
import { short } from "../base/label.js";
import { keysOf } from "../base/maps.js";
import { MEASURES, badges, scoreOf } from "../base/measures.js";
import { change, shownPrompt, state, switchedOff } from "../base/state.js";
import { t } from "../base/words.js";
import { mlpSwitches, switchFor } from "../live/switches.js";
import { badge, onPrompt } from "./badge.js";
import { smallCanvas, squareNote } from "./small.js";

const ORDERS = { badges: t("badges first"), layers: t("by layer"), score: t("highest score first") };

const MARGIN = "400px"; // around the window, and around a box that scrolls

export function grid(host) {
  const measures = MEASURES.map(({ name, label }) => [name, label]);
  const measure = choice(t("Score"), measures, (value) => change({ measure: value }));
  const order = choice(t("Order"), Object.entries(ORDERS), (value) => change({ order: value }));
  const field = element("div", { class: "heads" });
  const notes = element("div");
  const choices = element("div", { class: "choices" }, measure.field, order.field);
  const mlps = element("div", { class: "mlps" });
  host.append(choices, element("div", { class: "wide" }, field), mlps, notes);

  let tiles = [];
  let labels = null; // of the rows and columns
  let built = ""; // for which the tiles were made: while one types they stay what they are, also under the pointer
  let shown = "";
  let described = "";

  /** Many maps take a good part of a slider step: those in sight or near it are painted. */
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) tiles.find(({ canvas }) => canvas === target).near = isIntersecting;
    draw();
  }, { rootMargin: MARGIN, scrollMargin: MARGIN });

  function makeTiles() {
    const { layers, heads, tokens } = shownPrompt();
    const now = `${layers} ${heads} ${keysOf(shownPrompt()).length / tokens.length}`;
    if (built === now) return;
    built = now;
    watch.disconnect();
    tiles = Array.from({ length: layers * heads }, (_, index) => tile(Math.floor(index / heads), index % heads));
    labels = {
      corner: element("span"),
      across: Array.from({ length: heads }, (_, head) => element("span", { class: "across" }, t("head {head}", { head }))),
      down: Array.from({ length: layers }, (_, layer) => element("span", { class: "down" }, t("layer {layer}", { layer }))),
    };
    mlps.replaceChildren(...mlpSwitches());
  }

  function build() {
    makeTiles();
    host.closest("section").hidden = kind === "examples" && tiles.length === 1; // One head shows it already
    const unmeasured = MEASURES.every(({ name }) => scoreOf(state.prompt, state.step, 0, 0, name) === undefined);
    choices.hidden = document.getElementById("badging").hidden = unmeasured;
    field.classList.toggle("unmeasured", unmeasured);
    notes.replaceChildren(squareNote(shownPrompt()));
    arrange();
  }

  function tile(layer, head) {
    const canvas = smallCanvas(shownPrompt());
    canvas.classList.add("hatched");
    const number = element("span", { class: "number" }, "");
    const name = element("span", { class: "name" }, `${layer}.${head}`);
    const marks = element("span", { class: "badges" });
    const button = element("button", { type: "button", class: "tile" }, canvas, element("span", { class: "caption" }, name, number), marks);
    button.addEventListener("click", () => change({ layer, head }).then(() => requestAnimationFrame(showLarge)));
    const node = element("div", { class: "tile-box" }, button, ...switchFor(layer, head));
    watch.observe(canvas);
    return { layer, head, canvas, number, marks, button, node, spoken: "", painted: "", near: true }; // until it is known to be out of sight
  }

  /** What a head is sorted by, the largest first. */
  function worth({ layer, head }) {
    if (state.order === "score") return scoreOf(state.prompt, state.step, layer, head, state.measure) ?? -1;
    const prompt = shownPrompt().text === undefined ? state.prompt : 0; // where heads stand does not change as the slider moves, or as one types
    return badges(prompt, page.prompts[prompt].steps.length - 1, layer, head)[0]?.[1] ?? 0;
  }

  function arrange() {
    field.style.setProperty("--heads", shownPrompt().heads);
    field.classList.toggle("sorted", state.order !== "layers");
    const inRows = () => labels.down.flatMap((label, layer) => [label, ...tiles.filter((one) => one.layer === layer).map(({ node }) => node)]);
    const nodes = state.order === "layers" ? [labels.corner, ...labels.across, ...inRows()]
      : [...tiles].sort((one, other) => worth(other) - worth(one)).map(({ node }) => node);
    if (nodes.length !== field.children.length || nodes.some((node, index) => node !== field.children[index])) field.replaceChildren(...nodes);
  }

  function draw() {
    measure.select.value = state.measure;
    order.select.value = state.order;
    const { id } = shownPrompt();
    const now = `${id} ${state.order} ${state.order === "score" ? `${state.measure} ${state.step}` : ""}`;
    if (shown.split(" ")[0] !== String(id)) build();
    else if (shown !== now) arrange();
    shown = now;
    for (const { layer, head, button } of tiles) button.setAttribute("aria-pressed", layer === state.layer && head === state.head);
    const view = `${id} ${state.step} ${switchedOff(state)} ${state.measure} ${state.scale} ${theme()}`;
    const inSight = tiles.filter(({ near }) => near);
    if (inSight.length && described !== view) tiles.forEach(describe);
    if (inSight.length) described = view;
    for (const one of inSight) {
      if (one.painted !== view) paint(one.canvas, smallOf(state.prompt, state.step), one.layer, one.head, state.scale);
      one.painted = view;
    }
  }

  /** Writes the score and the badges of a tile. */
  function describe(one) {
    const { layer, head, number, marks, button } = one;
    const score = scoreOf(state.prompt, state.step, layer, head, state.measure);
    write(number, score === undefined ? DASH : short(score));
    const found = badges(state.prompt, state.step, layer, head);
    const texts = found.map(([{ label }, value, on]) => `${label} ${short(value)}${on === null ? "" : ` (${onPrompt(on)})`}`);
    const { label } = MEASURES.find(({ name }) => name === state.measure);
    const spoken = [t("layer {layer}, head {head}", { layer, head }), ...texts, `${label}: ${number.textContent}`].join(", ");
    if (one.spoken === spoken) return;
    one.spoken = spoken;
    button.setAttribute("aria-label", spoken);
    marks.replaceChildren(...found.map((one) => badge(one, `${one[0].label} ${short(one[1])}`)));
  }

  return draw;
}

/** Brings the large view into the window where it is below it, as on a narrow screen. */
function showLarge() {
  const view = document.getElementById("head");
  const { top } = view.getBoundingClientRect();
  if (top > innerHeight / 2) view.scrollIntoView({ behavior: scrolling() });
}
