// Cells whose text and colour are written in place, and only where they change: tables that follow a slider.

import { gradient } from "./colour.js";
import { kind, page, runOf } from "./data.js";
import { element } from "./dom.js";
import { word } from "./label.js";
import { shownPrompt, state } from "./state.js";
import { t } from "./words.js";

export const DASH = "–"; // where there is nothing to say

export function cell(name, attributes = {}) {
  return element(name, attributes, "");
}

export function write(at, text) {
  const { firstChild } = at;
  if (firstChild.data !== text) firstChild.data = text;
}

/** A token within other words, as `word` or `labelOf` has it. */
export const chip = (token) => element("bdi", { class: "token" }, token);

/** Gives a cell a background and an ink, as from `shade`. */
export function tint(at, { background, ink }) {
  at.style.cssText = `background:${background};color:${ink}`;
}

/** A legend of signed values: {node, draw(ends)}, ends: what stands at the left, in the middle, where 0 is, and at the right. */
export function signedLegend() {
  const [bar, ticks] = [element("div"), Array.from({ length: 3 }, () => cell("span"))];
  function draw(ends) {
    bar.style.background = gradient(page.signed);
    ends.forEach((end, index) => write(ticks[index], end));
  }
  return { node: element("div", { class: "range" }, bar, element("div", {}, ...ticks)), draw };
}

/** How the token of an id is shown after another token, by the vocabulary of the model that is shown. */
export const labelOf = (id, before) => word(runOf(shownPrompt()).labels[id], before);

/** The chosen head in words; of a worked example, which has one layer, only its number, if there are several. */
export function headInWords() {
  if (kind !== "examples") return t("layer {layer}, head {head}", state);
  return shownPrompt().heads > 1 ? t("head {head}", state) : t("the only head");
}

export const decimals = (value) => value.toFixed(page.digits.short);
