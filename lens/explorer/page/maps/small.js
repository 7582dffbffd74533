// The small picture of a map: its canvas, and what a square of it stands for.

import { blockOf } from "../base/data.js";
import { element } from "../base/dom.js";
import { keysOf } from "../base/maps.js";
import { t } from "../base/words.js";

/** A canvas of the shape of a prompt's maps, as large as fits into a square. */
export function smallCanvas(prompt) {
  const canvas = element("canvas");
  const shape = keysOf(prompt).length / prompt.tokens.length;
  canvas.style.width = `${100 * Math.min(1, shape)}%`;
  canvas.style.aspectRatio = shape;
  return canvas;
}

/** Says what a square stands for, where it is more than a cell. */
export function squareNote(prompt) {
  const block = blockOf(prompt);
  return element("p", { class: "note" }, block > 1 ? t("Each square of a small map is the largest weight of {block} × {block} cells.", { block }) : "");
}
