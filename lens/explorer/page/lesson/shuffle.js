// A sentence shuffled: without positions every word keeps its output, with them it does not.

import { tint } from "../base/cells.js";
import { signedShade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";
import { attend } from "./attention.js";
import { added, sinusoid } from "./encodings.js";

/** Words with invented vectors. */
export const BAG = [["dog", [1.2, 0.3, -0.5, 0.8]], ["bites", [-0.4, 1.1, 0.6, 0.2]], ["man", [0.7, -0.6, 0.9, -0.3]]];

/** The orders in which the words are put, one after another; the first is that of the sentence. */
export const ORDERS = [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1], [0, 2, 1], [1, 2, 0]];

const SAME = 1e-9;

/** Outputs of attention over the words in that order, by place, without a mask. */
export function outputsIn(order, withPositions) {
  const rows = order.map((word, place) => (withPositions ? added(BAG[word][1], sinusoid(place, 4)) : BAG[word][1]));
  return attend(rows, rows, rows).output;
}

export function shuffle(host) {
  let now = 1; // something to see at once
  const sentence = element("p", { class: "in-order", role: "status" });
  const tables = element("div", { class: "bags" });
  const button = element("button", { type: "button", class: "push", onclick: () => {
    now = (now + 1) % ORDERS.length;
    draw();
  } }, t("Shuffle"));
  host.append(element("div", { class: "line" }, button, sentence), tables);

  function draw() {
    const order = ORDERS[now];
    sentence.textContent = order.map((word) => BAG[word][0]).join(" ");
    tables.replaceChildren(bag(t("Without positions"), order, false), bag(t("With positions"), order, true));
  }

  return draw;
}

/** The outputs as a table, each beside what it was in the sentence's own order. */
function bag(name, order, withPositions) {
  const outputs = outputsIn(order, withPositions);
  const before = outputsIn(ORDERS[0], withPositions); // by word
  const most = Math.max(...outputs.flat().map(Math.abs));
  const lines = order.map((word, place) => {
    const cells = outputs[place].map((value) => {
      const cell = element("td", {}, formatNumber(value, 2));
      tint(cell, signedShade(value, most));
      return cell;
    });
    const same = outputs[place].every((value, channel) => Math.abs(value - before[word][channel]) < SAME);
    const mark = order === ORDERS[0] ? "" : same ? t("the same") : t("changed");
    return element("tr", { class: `word-${word}` }, element("th", { scope: "row" }, element("bdi", {}, BAG[word][0])), ...cells, element("td", { class: `kept ${same ? "" : "other"}` }, mark));
  });
  return element("table", { class: "bag" }, element("caption", {}, name), element("tbody", {}, ...lines));
}
