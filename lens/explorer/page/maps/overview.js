// The whole map of a long prompt, as block maxima, with the place of the window that One head shows.

import { paint } from "../base/colour.js";
import { blockOf, smallOf } from "../base/data.js";
import { MOVES, element, partAt } from "../base/dom.js";
import { keysOf } from "../base/maps.js";
import { change, shownMaps, shownPart, shownPrompt, state } from "../base/state.js";
import { t } from "../base/words.js";

const SQUARE = 3; // pixels

export function overview(host) {
  const canvas = element("canvas", { class: "hatched" });
  const frame = element("div", { class: "window" });
  const field = element("div", { class: "whole", tabindex: 0, role: "application" }, canvas, frame);
  field.setAttribute("aria-label", t("Overview of the whole map; arrow keys move the pinned cell by a square"));
  const note = element("p", { class: "note" });
  host.append(field, note);

  const block = () => blockOf(shownPrompt());

  /** The cell with the largest weight in the square under the pointer. */
  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    const query = partAt(event.clientY - box.top, box.height, canvas.height) * block();
    const key = partAt(event.clientX - box.left, box.width, canvas.width) * block();
    let best = { query, key, weight: -1 };
    for (let down = 0; down < Math.min(block(), shownMaps().queries - query); down++) {
      const row = shownMaps().row(state.layer, state.head, query + down).subarray(key, key + block());
      row.forEach((weight, right) => {
        if (weight > best.weight) best = { query: query + down, key: key + right, weight };
      });
    }
    return { query: best.query, key: best.key };
  }

  field.addEventListener("click", (event) => change(cellAt(event)));
  field.addEventListener("keydown", (event) => {
    if (!(event.key in MOVES)) return;
    event.preventDefault();
    const [down, right] = MOVES[event.key];
    change({ query: state.query + down * block(), key: state.key + right * block() });
  });

  return () => {
    if (state.view !== "map") return;
    const prompt = shownPrompt();
    const part = shownPart();
    const [rows, columns] = [prompt.tokens.length, keysOf(prompt).length];
    host.hidden = part.rows === rows && part.columns === columns;
    if (host.hidden) return;
    paint(canvas, smallOf(state.prompt, state.step), state.layer, state.head, state.scale);
    canvas.style.width = `${SQUARE * canvas.width}px`;
    canvas.style.height = `${SQUARE * canvas.height}px`;
    const pixels = (cells) => `${(SQUARE * cells) / block()}px`;
    Object.assign(frame.style, {
      top: pixels(part.query), left: pixels(part.key), height: pixels(part.rows), width: pixels(part.columns),
    });
    const whole = { rows, columns, block: block() };
    const shown = { first: part.query, last: part.query + part.rows - 1, from: part.key, to: part.key + part.columns - 1 };
    note.textContent = [
      block() > 1 ? t("The whole map, {rows} queries by {columns} keys: each square is the largest weight of {block} × {block} cells.", whole)
        : t("The whole map, {rows} queries by {columns} keys: each square is a cell.", whole),
      t("Below, the part in the frame: queries {first} to {last}, keys {from} to {to}. Click in it to move there.", shown),
    ].join(" ");
  };
}
