// Next to the map: the weight under the pointer, the legend, the measures of the head, and the map as a picture.

import { DASH, chip, headInWords, write } from "../base/cells.js";
import { legend, theme } from "../base/colour.js";
import { page } from "../base/data.js";
import { element, save } from "../base/dom.js";
import { formatWeight, short, wordAt } from "../base/label.js";
import { MEASURES, badges, measuredOn, scoreOf } from "../base/measures.js";
import { shownKeys, shownMaps, shownPrompt, state } from "../base/state.js";
import { explained } from "../base/terms.js";
import { t } from "../base/words.js";
import { badge } from "./badge.js";
import { mapPicture } from "./picture.js";

export function readout(host) {
  const title = element("h3");
  const weight = element("output", { class: "weight", id: "weight" });
  const pair = element("dl", { class: "pair", id: "pair" });
  const colours = element("div", { class: "legend" });
  const scores = MEASURES.map(score);
  const measures = element("dl", { class: "scores" }, ...scores.flatMap(({ nodes }) => nodes));
  const borrowed = element("p", { class: "note" }, "");
  const picture = element("div", { class: "saving" }, element("button", { type: "button", class: "save", onclick: savePicture }, t("Save this map as PNG")));
  host.append(title, element("div", { id: "cell", "aria-live": "polite" }, weight, pair), colours, measures, borrowed, picture);

  const pairEntry = (role, tokens, index) => [
    element("dt", {}, role),
    element("dd", {}, chip(wordAt(tokens, index)), ` ${index}`),
  ];

  /** Shows the weight of a cell, by default of the pinned one. */
  function showCell(cell) {
    const { query, key } = cell ?? state;
    const maps = shownMaps();
    const value = maps.weight(state.layer, state.head, query, key);
    weight.textContent = formatWeight(value, maps.digits);
    weight.classList.toggle("none", value === null);
    pair.replaceChildren(...pairEntry(t("query"), shownPrompt().tokens, query), ...pairEntry(t("key"), shownKeys(), key));
  }

  let coloured = null;
  function draw() {
    showCell(null);
    const words = headInWords();
    title.textContent = words[0].toUpperCase() + words.slice(1);
    for (const one of badges(state.prompt, state.step, state.layer, state.head)) title.append(" ", badge(one, one[0].label));
    const view = `${shownPrompt().id} ${state.scale} ${theme()}`;
    if (coloured !== view) {
      coloured = view;
      const masked = element("div", { class: "legend-masked" }, element("span", { class: "swatch hatched" }), t("masked"));
      colours.replaceChildren(...legend(state.scale), ...(shownPrompt().causal ? [masked] : []));
    }
    measures.hidden = !scores.filter(({ update }) => update()).length;
    const others = new Map(MEASURES.map(({ name, label }) => [label, measuredOn(state.prompt, state.step, state.layer, state.head, name)]).filter(([, on]) => on !== null));
    borrowed.hidden = measures.hidden || !others.size;
    write(borrowed, others.size ? t("{measures}: measured on “{prompt}”, as this text repeats nothing.", { measures: [...others.keys()].join(", "), prompt: [...others.values()][0] }) : "");
  }

  async function savePicture() {
    const { canvas, name } = mapPicture();
    if (window.parent === window) return save(name, "image/png", await new Promise((done) => canvas.toBlob(done)));
    // A frame may refuse to save: the picture itself can be saved from its own menu.
    const words = element("p", { class: "note" }, t("This page is inside another one, which may not let it save files. Save the picture from its own menu:"));
    picture.querySelector(".shown")?.remove();
    picture.append(element("div", { class: "shown" }, words, element("img", { src: canvas.toDataURL(), alt: name })));
  }

  return { draw, showCell };
}

/** A measure's line; `update` gives whether the head has it. */
function score({ name, label, max, says }) {
  const filled = element("span", { class: "filled" });
  const bar = element("span", { class: "bar" }, filled);
  if (name in page.thresholds) {
    const mark = element("span", { class: "threshold" });
    mark.style.left = `${100 * page.thresholds[name]}%`;
    bar.append(mark);
  }
  const number = element("span", { class: "number" }, "");
  function update() {
    const value = scoreOf(state.prompt, state.step, state.layer, state.head, name);
    filled.style.width = `${100 * Math.min(1, (value ?? 0) / (max ?? shownPrompt().tokens.length))}%`;
    number.classList.toggle("borrowed", measuredOn(state.prompt, state.step, state.layer, state.head, name) !== null);
    write(number, value === undefined ? DASH : max === null ? value.toFixed(1) : short(value));
    return value !== undefined;
  }
  return { nodes: [element("dt", {}, explained(label, says)), element("dd", {}, bar, number)], update };
}
