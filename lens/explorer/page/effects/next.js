// Next to the head: what the model expects after the chosen position, the likeliest tokens as bars.

import { chip, decimals, labelOf } from "../base/cells.js";
import { element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { shownEffects, shownPrompt, state } from "../base/state.js";
import { phrase, t } from "../base/words.js";
import { likely } from "./likely.js";

export function next(host) {
  const after = element("p", { class: "note" });
  const list = element("ol", { class: "bars" });
  const truth = element("p", { class: "note" });
  host.append(element("h3", {}, t("After the pinned token")), after, list, truth);
  let rows = [];

  function build(count) {
    rows = Array.from({ length: count }, () => likely("li"));
    list.replaceChildren(...rows.map(({ node }) => node));
  }

  return () => {
    const effects = shownEffects();
    host.hidden = !effects;
    if (!effects) return;
    const { tokens, layers } = shownPrompt();
    const last = state.query === tokens.length - 1;
    const target = last ? null : effects["attribution.target"].at(state.query);
    const [ids, shares] = ["top.ids", "top.probabilities"].map((name) => effects[name].at(state.query));
    if (rows.length !== ids.length) build(ids.length);
    after.replaceChildren(...phrase("after {token} {position}", { token: chip(wordAt(tokens, state.query)), position: String(state.query) }));
    rows.forEach((row, rank) => row.show(ids[rank], tokens[state.query], shares[rank], target));
    truth.replaceChildren(...(last
      ? [t("The prompt ends here.")]
      : phrase("In the text: {token} {share}", { token: chip(labelOf(target, tokens[state.query])), share: decimals(effects["lens.next"].at(layers, state.query)) })));
  };
}
