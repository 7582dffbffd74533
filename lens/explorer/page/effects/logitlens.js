// The logit lens: what the model would predict if it stopped after each layer, layer by position.

import { cell, chip, decimals, labelOf, tint, write } from "../base/cells.js";
import { shade, theme } from "../base/colour.js";
import { MOVES, element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { keepInView, rangeNote, whenVisible, windowAround } from "../base/onscreen.js";
import { change, shownEffects, shownNames, shownPrompt, state } from "../base/state.js";
import { phrase, t } from "../base/words.js";

export function logitLens(host) {
  const [heading, body, foot] = [element("tr"), element("tbody"), element("tr")];
  const table = element("table", { class: "lens" }, element("thead", {}, heading), body, element("tfoot", {}, foot));
  const marks = [element("div", { class: "lens-column" }), element("div", { class: "lens-cell" })];
  const readout = element("output", { class: "reading", id: "lens-reading" });
  const label = t("Logit lens; up and down choose a layer, left and right a position");
  const box = element("div", { class: "scrolled", tabindex: 0, role: "group", "aria-label": label, "aria-describedby": "lens-reading" },
    element("div", { class: "lens-field" }, table, ...marks));
  const part = element("p", { class: "note" });
  host.append(box, readout, part);

  let columns = []; // {number, token, next, cells: one a row}
  let shown = {};
  let row = 0; // of the cell that is described when the pointer is elsewhere
  let hovered = null;

  /** {row, at} of a cell of the table, at being its position; null elsewhere. */
  function placeOf(target) {
    const td = target.closest("td");
    return td && { row: td.parentNode.sectionRowIndex, at: shown.first + td.cellIndex - 1 };
  }

  table.addEventListener("pointerover", ({ target }) => describe(placeOf(target)));
  table.addEventListener("pointerleave", () => describe(null));
  table.addEventListener("click", ({ target }) => {
    const place = placeOf(target);
    if (!place) return;
    row = place.row;
    change({ query: place.at });
  });
  box.addEventListener("keydown", (event) => {
    const [down, right] = MOVES[event.key] ?? [];
    if (down === undefined) return;
    event.preventDefault();
    row = Math.max(0, Math.min(body.children.length - 1, row + down));
    describe(null);
    if (right) change({ query: state.query + right });
  });

  function build(count, layers) {
    columns = Array.from({ length: count }, () => ({
      number: cell("span", { class: "position" }), token: cell("bdi"), next: cell("th", { scope: "col" }),
      cells: Array.from({ length: layers + 1 }, () => cell("td")),
    }));
    heading.replaceChildren(element("th", {}, t("after")), ...columns.map(({ number, token }) => element("th", { scope: "col" }, number, token)));
    body.replaceChildren(...Array.from({ length: layers + 1 }, (_, index) => element("tr", {},
      element("th", { scope: "row" }, rowName(index)), ...columns.map(({ cells }) => cells[index]))));
    foot.replaceChildren(element("th", { scope: "row" }, t("true next")), ...columns.map(({ next }) => next));
    row = layers;
  }

  function fill({ number, token, next, cells }, at) {
    const effects = shownEffects();
    const { tokens } = shownPrompt();
    const target = at < tokens.length - 1 ? effects["attribution.target"].at(at) : null;
    write(number, String(at));
    write(token, wordAt(tokens, at));
    write(next, target === null ? "" : labelOf(target, tokens[at]));
    cells.forEach((one, index) => {
      const id = effects["lens.ids"].at(index, at);
      write(one, labelOf(id, tokens[at]));
      one.classList.toggle("right", id === target);
      tint(one, shade(effects["lens.probabilities"].at(index, at), 1, "absolute"));
    });
  }

  /** Describes a cell, by default that of the query in the row chosen last. */
  function describe(place) {
    hovered = place;
    const effects = shownEffects();
    if (!effects) return; // those of a step that is on its way
    const { row: index, at } = place ?? { row, at: state.query };
    const { tokens } = shownPrompt();
    marks[1].style.setProperty("--row", index);
    marks[1].style.setProperty("--column", at - shown.first);
    const [id, probability] = [effects["lens.ids"].at(index, at), effects["lens.probabilities"].at(index, at)];
    const read = {
      place: rowName(index), position: String(at), here: chip(wordAt(tokens, at)), guess: chip(labelOf(id, tokens[at])), share: decimals(probability),
    };
    const truth = () => ({ next: chip(labelOf(effects["attribution.target"].at(at), tokens[at])), own: decimals(effects["lens.next"].at(index, at)) });
    readout.replaceChildren(...(at === tokens.length - 1
      ? phrase("after {place}, position {position} {here} → {guess} {share} · no true next token: the prompt ends here", read)
      : phrase("after {place}, position {position} {here} → {guess} {share} · the true next, {next}, {own}", { ...read, ...truth() })));
  }

  return whenVisible(host, () => {
    const effects = shownEffects();
    if (!effects) return;
    const { tokens, layers } = shownPrompt();
    const { first, count } = windowAround(state.query, tokens.length);
    if (columns.length !== count || body.children.length !== layers + 1) build(count, layers);
    const moved = shown.prompt !== shownNames() || shown.query !== state.query;
    if (!moved && shown.effects === effects && shown.colours === theme()) return; // another head makes no difference here
    shown = { prompt: shownNames(), query: state.query, first, effects, colours: theme() };
    if (moved) hovered = null;
    columns.forEach((column, index) => fill(column, first + index));
    marks[0].style.setProperty("--column", state.query - first);
    describe(hovered);
    if (!moved) return;
    part.textContent = rangeNote({ first, count }, tokens.length);
    keepInView(box, columns[state.query - first].number, { top: 0, left: heading.firstChild.clientWidth });
  });
}

const rowName = (row) => (row ? t("layer {layer}", { layer: row - 1 }) : t("the embedding"));
