// What the model predicts at each position: the true next token, its probability and loss, the likeliest tokens.

import { DASH, cell, decimals, labelOf, write } from "../base/cells.js";
import { element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { keepInView, rangeNote, whenVisible, windowAround } from "../base/onscreen.js";
import { change, shownEffects, shownNames, shownPrompt, state } from "../base/state.js";
import { offer } from "../base/tabs.js";
import { term } from "../base/terms.js";
import { t } from "../base/words.js";
import { likely } from "./likely.js";

const MOVES = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity };

export function predictions(host) {
  const heading = element("thead");
  const body = element("tbody");
  const label = t("Predictions at each position; arrow keys choose one");
  const table = element("table", { class: "predictions", "aria-label": label }, heading, body);
  const box = element("div", { class: "scrolled" }, table);
  const part = element("p", { class: "note" });
  const note = element("p", { class: "note" }, [
    t("✓ is the true next token; a bar is as long as its token is likely."),
    t("The last position has no true next token: the prompt ends there, so it has no loss."),
  ].join(" "));
  host.append(box, note, part);
  let rows = [];
  let shown = {};

  body.addEventListener("click", ({ target }) => choose(shown.first + target.closest("tr").sectionRowIndex));
  body.addEventListener("keydown", (event) => {
    if (!(event.key in MOVES)) return;
    event.preventDefault();
    const last = shownPrompt().tokens.length - 1;
    choose(Math.max(0, Math.min(last, state.query + MOVES[event.key])));
  });

  async function choose(query) {
    await change({ query });
    rows[state.query - shown.first]?.row.focus({ preventScroll: true });
  }

  /** As many rows as are shown, and in each as many likely tokens as were kept. */
  function build(count, ranks) {
    rows = Array.from({ length: count }, () => prediction(ranks));
    body.replaceChildren(...rows.map(({ row }) => row));
    const titles = [t("position"), t("true next"), t("probability"), term("nat", t("loss, nats"))].map((title) => element("th", { scope: "col" }, title));
    const likeliest = element("th", { scope: "colgroup", colspan: ranks }, t("the {count} likeliest next tokens", { count: ranks }));
    heading.replaceChildren(element("tr", {}, ...titles, likeliest));
  }

  function fill({ row, position, token, next, probability, loss, likeliest }, at) {
    const effects = shownEffects();
    const { tokens, layers } = shownPrompt();
    const last = at === tokens.length - 1;
    const target = last ? null : effects["attribution.target"].at(at);
    write(position, String(at));
    write(token, wordAt(tokens, at));
    write(next, last ? t("none") : labelOf(target, tokens[at]));
    write(probability, last ? DASH : decimals(effects["lens.next"].at(layers, at)));
    write(loss, last ? DASH : decimals(effects.loss.at(at)));
    row.classList.toggle("last", last);
    row.tabIndex = at === state.query ? 0 : -1;
    row.setAttribute("aria-current", at === state.query);
    const ids = effects["top.ids"].at(at);
    const shares = effects["top.probabilities"].at(at);
    likeliest.forEach((one, rank) => one.show(ids[rank], tokens[at], shares[rank], target));
  }

  const draw = whenVisible(host, () => {
    const effects = shownEffects();
    if (!effects) return;
    const { tokens } = shownPrompt();
    const { first, count } = windowAround(state.query, tokens.length);
    const [, ranks] = effects["top.ids"].shape;
    if (rows.length !== count) build(count, ranks);
    const moved = shown.prompt !== shownNames() || shown.query !== state.query;
    if (!moved && shown.effects === effects) return; // another head makes no difference here
    shown = { prompt: shownNames(), query: state.query, first, effects };
    rows.forEach((row, index) => fill(row, first + index));
    if (!moved) return;
    part.textContent = rangeNote({ first, count }, tokens.length);
    keepInView(box, rows[state.query - first].position, { top: heading.clientHeight, left: 0 });
  });

  return () => {
    offer(host, Boolean(shownEffects()));
    draw();
  };
}

function prediction(ranks) {
  const [position, token, next] = [cell("span", { class: "position" }), cell("bdi"), cell("bdi")];
  const [probability, loss] = [cell("td", { class: "number" }), cell("td", { class: "number" })];
  const likeliest = Array.from({ length: ranks }, () => likely("td"));
  const row = element("tr", {},
    element("th", { scope: "row" }, position, token), element("td", {}, next), probability, loss, ...likeliest.map(({ node }) => node));
  return { row, position, token, next, probability, loss, likeliest };
}
