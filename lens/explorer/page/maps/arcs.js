// The prompt as text, and arcs from one token to those that it reads, or to those that read it: as wide as the weights.

import { shade } from "../base/colour.js";
import { element, svg } from "../base/dom.js";
import { formatWeight } from "../base/label.js";
import { largest } from "../base/maps.js";
import { headsInView, nameOf } from "../base/pins.js";
import { change, shownMaps, shownPrompt, state } from "../base/state.js";
import { t } from "../base/words.js";
import { curve, summit } from "./curve.js";
import { flow } from "./flow.js";
import { legendOfHeads } from "./heads.js";

const DIRECTIONS = [["from", t("reads from")], ["by", t("is read by")]];
const WIDTH = 10; // pixels of an arc whose weight is 1
const MIN_WEIGHT = 0.01; // of an arc: a tenth of a pixel is as good as none
const NAME = { width: 24, height: 12 }; // pixels, of a head's name at an arc
const READINGS = 3; // of a head, named in the legend
const APART = 5; // pixels between the arcs of two heads that join the same tokens

export function arcs(host) {
  const directions = DIRECTIONS.map(([direction, text]) => {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => change({ direction }));
    return button;
  });
  const spaces = element("button", { type: "button", class: "spaces" }, t("show spaces as ␣"));
  spaces.addEventListener("click", () => change({ spaces: state.spaces === "shown" ? "hidden" : "shown" }));
  const [drawing, names] = ["arcs", "arcs names"].map((name) => svg("svg", { class: name, "aria-hidden": "true" }));
  const lines = element("div", { class: "lines" });
  const field = element("div", { class: "text-with-arcs" }, drawing, lines, names);
  const legend = legendOfHeads();
  const note = element("p", { class: "note" });
  host.append(
    element("div", { class: "text-tools" }, element("div", { class: "toggle", role: "group", "aria-label": t("Direction") }, ...directions), spaces),
    legend.node, field, note);

  let shown = null;
  let texts = []; // one of queries that are keys too, or one of queries and one of keys
  let boxes = null; // of the tokens of each text, where they stand; null: to be measured, which has all that has changed laid out
  let width = 0; // of the field, when they were
  let pointed = null; // {text, index}: the token under the pointer

  function build() {
    const { id, tokens, keys, generatedFrom } = shownPrompt();
    shown = id;
    const text = (number, name, all, from, onChoose) => flow(name, all, from, { choose: onChoose, point: (index) => point(number, index) });
    texts = keys
      ? [text(0, t("Queries"), tokens, null, (query) => change({ query, direction: "from" })),
        text(1, t("Keys"), keys, null, (key) => change({ key, direction: "by" }))]
      : [text(0, "", tokens, generatedFrom, (query) => change({ query }))];
    lines.replaceChildren(...texts.map(({ node }) => node));
    note.replaceChildren(
      t("An arc is as wide as its weight; below .01 there is none."),
      ...(texts.some(({ continued }) => continued) ? [" ", t("A thin line stands before a token that goes on with a word.")] : []),
      ...(generatedFrom === null ? [] : [" ", t("Underlined: written by the model.")]));
    pointed = null;
  }

  function point(text, index) {
    pointed = index === null ? null : { text, index };
    draw();
  }

  /** {direction, index, source, target}: the token that is asked about, its text and that of the tokens it has to do with. */
  function asked() {
    const last = texts.length - 1;
    const direction = pointed && last ? DIRECTIONS[pointed.text][0] : state.direction;
    const [source, target] = direction === "from" ? [0, last] : [last, 0];
    return { direction, source, target, index: pointed?.index ?? (source ? state.key : state.query) };
  }

  /** The cell of the map between the token that is asked about and another. */
  const cellOf = ({ direction, index }, other) => (direction === "from" ? [index, other] : [other, index]);

  function draw() {
    const view = asked();
    DIRECTIONS.forEach(([direction], index) => directions[index].setAttribute("aria-pressed", view.direction === direction));
    spaces.setAttribute("aria-pressed", state.spaces === "shown");
    const moved = texts.map((text, number) => text.show(number ? state.key : state.query, state.spaces === "shown"));
    if (moved.some(Boolean)) boxes = null;
    texts.forEach((text, number) => mark(text, number, view));
    const heads = headsInView(state).map((head) => ({ ...head, arcs: arcsOf(head, view) }));
    legend.draw(heads, texts[view.target].tokens, READINGS);
    if (!boxes) {
      width = field.clientWidth;
      if (!width) return; // not shown: drawn when it is
      boxes = measure();
    }
    heads.forEach((head, rank) => (head.shift = APART * (rank - (heads.length - 1) / 2)));
    drawing.replaceChildren(...heads.flatMap((head) => pathsOf(head, view)));
    names.replaceChildren(...(heads.length > 1 ? namesOf(heads, view) : []));
  }

  /** Marks the token that is asked about, and shades the others by their weight in the chosen head. */
  function mark({ items, first }, number, view) {
    const maps = shownMaps();
    items.forEach((item, offset) => {
      const index = first + offset;
      const cell = number === view.target ? cellOf(view, index) : null;
      const weight = cell && maps.weight(state.layer, state.head, ...cell);
      const max = state.scale === "row" && weight !== null ? largest(maps.row(state.layer, state.head, cell[0])) : 1;
      const { background, ink } = weight === null || weight < MIN_WEIGHT ? { background: "", ink: "" } : shade(weight, max, state.scale);
      item.style.background = background;
      item.style.color = ink;
      const title = cell ? `${index}: ${formatWeight(weight, maps.digits)}` : String(index);
      if (item.title !== title) item.title = title;
      item.classList.toggle("unseen", cell !== null && weight === null);
      item.classList.toggle("asked", number === view.source && index === view.index);
    });
  }

  /** [{index, weight}] of a head: the tokens that have an arc, the largest weight first. */
  function arcsOf({ layer, head }, view) {
    const maps = shownMaps();
    return texts[view.target].tokens.map((_, index) => ({ index, weight: maps.weight(layer, head, ...cellOf(view, index)) }))
      .filter(({ weight }) => weight >= MIN_WEIGHT)
      .sort((one, other) => other.weight - one.weight);
  }

  function measure() {
    const { left, top } = field.getBoundingClientRect();
    return texts.map(({ items }) => items.map((item) => {
      const box = item.getClientRects()[0]; // of a token over two lines the part in the first
      return { left: box.left - left, right: box.right - left, top: box.top - top, bottom: box.bottom - top };
    }));
  }

  /** The boxes at the ends of an arc; undefined where a token is in no line that is shown. */
  function ends(view, index) {
    return [[view.source, view.index], [view.target, index]].map(([text, at]) => boxes[text][at - texts[text].first]);
  }

  function pathsOf({ place, arcs, shift }, view) {
    return arcs.flatMap(({ index, weight }) => {
      const [from, to] = ends(view, index);
      if (!from || !to) return [];
      return svg("path", { class: `place-${place}`, d: curve(from, to, shift), "stroke-width": weight * WIDTH });
    });
  }

  /** The names of several heads, each at its widest arc and none on another: colour alone would not do. */
  function namesOf(heads, view) {
    const places = [];
    return heads.flatMap((head) => {
      const [from, to] = head.arcs.length ? ends(view, head.arcs[0].index) : [];
      if (!from || !to) return [];
      let [x, y] = summit(from, to, head.shift);
      const aside = x < width / 2 ? NAME.width : -NAME.width;
      while (places.some(([left, top]) => Math.abs(left - x) < NAME.width && Math.abs(top - y) < NAME.height)) x += aside;
      places.push([x, y]);
      return svg("text", { class: `place-${head.place}`, x, y }, nameOf(head));
    });
  }

  new ResizeObserver(() => {
    if (shown === null || width === field.clientWidth) return; // nothing drawn yet, or only its own height
    boxes = null;
    draw();
  }).observe(field);

  return () => {
    if (state.view !== "text") return;
    if (shown !== shownPrompt().id) build();
    draw();
  };
}
