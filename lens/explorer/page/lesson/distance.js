// A query and a key that move along the text: what each way of telling positions makes of their score.

import { paintSigned } from "../base/colour.js";
import { element, svg } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";
import { hands } from "./clockhands.js";
import { CHANNELS, POSITIONS, SCORES, TABLE, sinusoid } from "./encodings.js";

const PACE = 60; // milliseconds a position while playing
const LAST = POSITIONS - 1;
const FAR = 20; // how far apart they are at the ends of the chart of distances
const WAYS = [["rope", t("rope")], ["sinusoidal", t("sinusoidal")], ["learned", t("learned")]];
const SAYS = {
  rope: t("Rope turns q and k, pair of channels by pair, each by its own angle a position. Move both: the angle between two hands stays."),
  sinusoidal: t("Each position has cosines (the upper half) and sines; in each half the upper rows are fast, the lower ones slow. They are added to the token."),
  learned: t("Each position has a row of numbers, random before training. Beyond the end of the table there is nothing to add."),
};

export function distance(host) {
  let way = "rope";
  const [query, key] = [slider(t("query at"), "query", 5), slider(t("key at"), "key", 3)];
  const says = element("p", { class: "note" });
  const dials = hands();
  const strip = stripOfVectors();
  const scores = WAYS.map(([name, text]) => element("button", { type: "button", class: `score ${name}`, onclick: () => choose(name) },
    element("span", {}, text), element("b", { class: "number" }, "")));
  const along = chart(t("The score when both move along"), WAYS.map(([name]) => name));
  const apart = chart(t("Rope’s score by the distance from key to query"), ["rope"]);
  const play = element("button", { type: "button", class: "push", onclick: () => (timer ? pause() : start()) }, "");
  const step = element("button", { type: "button", class: "push", onclick: () => (pause(), move(1)) }, t("Both one further"));
  let timer = null;
  for (const { input } of [query, key]) input.addEventListener("input", () => (pause(), draw()));
  play.hidden = matchMedia("(prefers-reduced-motion: reduce)").matches;
  host.append(query.node, key.node, element("div", { class: "line" }, play, step),
    element("div", { class: "ways", role: "group", "aria-label": t("Score, by the way of telling positions") }, ...scores),
    says, dials.node, strip.node,
    element("div", { class: "charts" }, along.node, apart.node));

  function choose(name) {
    way = name;
    draw();
  }

  /** Moves both by one place; back to the beginning where they cannot go on. Returns whether they may go on. */
  function move(by) {
    const [i, j] = [query.value(), key.value()];
    const back = Math.max(i, j) === LAST ? -Math.min(i, j) : by;
    query.set(i + back);
    key.set(j + back);
    draw();
    return Math.max(i, j) + back < LAST;
  }

  function start() {
    timer = setInterval(() => move(1) || pause(), PACE);
    draw();
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    play.textContent = t("Move both along");
  }

  function draw() {
    const [i, j] = [query.value(), key.value()];
    if (timer) play.textContent = t("Stop");
    says.textContent = SAYS[way];
    WAYS.forEach(([name], at) => {
      scores[at].setAttribute("aria-pressed", name === way);
      const score = SCORES[name](i, j);
      scores[at].lastChild.textContent = Number.isNaN(score) ? t("none") : formatNumber(score, 3);
    });
    const places = Array.from({ length: POSITIONS }, (_, place) => place);
    const inText = (place) => place >= 0 && place < POSITIONS;
    along.draw((name) => places.map((place) => (inText(place - i + j) ? SCORES[name](place, place - i + j) : NaN)), i / LAST, ["0", String(LAST)]);
    const apartBy = Array.from({ length: 2 * FAR + 1 }, (_, at) => at - FAR);
    apart.draw((name) => apartBy.map((by) => SCORES[name](Math.max(by, 0), Math.max(-by, 0))), (i - j + FAR) / (2 * FAR), [formatNumber(-FAR, 0), "0", String(FAR)]);
    dials.node.hidden = way !== "rope";
    strip.node.hidden = way === "rope";
    if (way === "rope") dials.draw(i, j);
    else strip.draw(way, i, j);
  }

  pause();
  return draw;
}

/** A labelled slider over the positions: {node, input, value(), set(place)}. */
function slider(label, name, start) {
  const output = element("output", {}, String(start));
  const input = element("input", { type: "range", min: 0, max: LAST, value: start, "aria-label": label });
  const show = () => (output.textContent = input.value);
  input.addEventListener("input", show);
  const node = element("label", { class: `place ${name}` }, element("span", {}, label), output, input);
  return { node, input, value: () => Number(input.value), set: (place) => ((input.value = place), show()) };
}

/** The vectors of all positions as a picture, a column each, and where the query and the key stand. */
function stripOfVectors() {
  const canvas = element("canvas", { role: "img" });
  const marks = ["query", "key"].map((name) => element("i", { class: `at ${name}` }));
  const node = element("div", { class: "strip hatched" }, canvas, ...marks);

  function draw(way, ...places) {
    const vectorAt = (place) => (way === "learned" ? TABLE[place] : sinusoid(place));
    const rows = Array.from({ length: CHANNELS }, (_, channel) => Array.from({ length: POSITIONS }, (_, place) => vectorAt(place)?.[channel] ?? NaN));
    paintSigned(canvas, rows.flat(), way === "learned" ? 2.5 : 1, POSITIONS);
    canvas.setAttribute("aria-label", t("{channels} channels down, positions 0 to {last} across", { channels: CHANNELS, last: LAST }));
    marks.forEach((mark, at) => (mark.style.left = `${(100 * (places[at] + 0.5)) / POSITIONS}%`));
  }

  return { node, draw };
}

/** Lines over one axis: draw(values(name), place, ends), place and axis from 0 to 1. */
function chart(title, names) {
  const paths = names.map((name) => svg("path", { class: name }));
  const mark = svg("line", { class: "here", y1: 0, y2: 1 });
  const picture = svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, mark, ...paths);
  const ticks = element("div", { class: "ticks" });
  const node = element("figure", {}, element("figcaption", {}, title), picture, ticks);

  function draw(values, place, ends) {
    const lines = names.map(values);
    const known = lines.flat().filter((value) => !Number.isNaN(value));
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const height = (value) => (high > low ? (high - value) / (high - low) : 0.5);
    lines.forEach((line, at) => paths[at].setAttribute("d", lineThrough(line.map(height))));
    for (const end of ["x1", "x2"]) mark.setAttribute(end, place);
    mark.setAttribute("class", place >= 0 && place <= 1 ? "here" : "nowhere");
    ticks.replaceChildren(...ends.map((end) => element("span", {}, end)));
  }

  return { node, draw };
}

/** The path through heights at even places, with gaps where there is none. */
function lineThrough(heights) {
  const point = (y, at) => `${Number.isNaN(heights[at - 1] ?? NaN) ? "M" : "L"}${at / (heights.length - 1)} ${y}`;
  return heights.map((y, at) => (Number.isNaN(y) ? "" : point(y, at))).join("");
}
