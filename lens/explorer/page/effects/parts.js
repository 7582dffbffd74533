// Which parts matter at the chosen position: direct logit attribution next to ablation, part by part.

import { cell, chip, decimals, labelOf, tint, write } from "../base/cells.js";
import { signedShade } from "../base/colour.js";
import { kind } from "../base/data.js";
import { element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { brief, extent } from "../base/number.js";
import { whenVisible } from "../base/onscreen.js";
import { shownEffects, shownLive, shownPrompt, state } from "../base/state.js";
import { phrase, t } from "../base/words.js";
import { term } from "../base/terms.js";
import { heatmap } from "./heatmap.js";

const AT_LAST = t("At the last position there is none: what comes next is not known, so there is no loss to compare.");
const LEFT_OUT = t("It is left out here: the model would have to read the prompt once without each head and each MLP, which takes too long for this model and so many tokens.");
const ON_ITS_WAY = t("It is computed here once nothing has changed for a moment.");
const LAST_STEP_ONLY = t("Of a prompt of your own only the last step has it here: at every step it would take too long.");

export function parts(host) {
  const question = element("p", { class: "question" });
  const attribution = heatmap(t("Attribution, in logits"), describe);
  const ablation = heatmap(t("Ablation, in nats"), describe);
  const terms = [t("embedding"), t("all heads"), t("all MLPs"), t("biases")].map((name) => ({ name, value: cell("dd", { class: "number" }) }));
  const sum = { name: element("dt"), value: cell("dd", { class: "number" }) };
  const account = element("dl", { class: "terms" },
    ...terms.flatMap(({ name, value }) => [element("dt", {}, name), value]), sum.name, sum.value);
  const absent = element("p", { class: "note" }, "");
  const readout = element("output", { class: "reading" });
  host.append(
    question,
    element("div", { class: "both" },
      element("figure", {},
        element("figcaption", {}, ...phrase("{attribution} what each part writes, in {logits}", {
          attribution: element("b", {}, term("direct logit attribution", t("Attribution"))), logits: term("logit", t("logits")),
        })),
        element("div", { class: "account" }, attribution.node, account)),
      element("figure", {},
        element("figcaption", {}, ...phrase("{ablation} loss without it, minus loss, in {nats}", {
          ablation: element("b", {}, term("ablation", t("Ablation"))), nats: term("nat", t("nats")),
        })),
        ablation.node, absent)),
    readout,
  );
  let hovered = null;

  const token = (id) => chip(labelOf(id, shownPrompt().tokens[state.query]));
  const isLast = () => state.query === shownPrompt().tokens.length - 1;
  const isAblated = () => Boolean(shownEffects().ablation) && !isLast();

  /** Describes a part, by default the chosen head. */
  function describe(place) {
    hovered = place;
    const effects = shownEffects();
    if (!effects) return; // those of a step that is on its way
    const { heads } = shownPrompt();
    const { row: layer, column: part } = place ?? { row: state.layer, column: state.head };
    for (const one of [attribution, ablation]) one.light(place);
    const name = part < heads ? t("Layer {layer}, head {head}", { layer, head: part }) : t("Layer {layer}, MLP", { layer });
    const change = isAblated() ? effects.ablation.at(state.query, layer, part) : null;
    readout.textContent = said(name, brief(effects["attribution.parts"].at(state.query, layer, part)), change);
  }

  function ask(effects) {
    const [target, against] = ["target", "against"].map((name) => effects[`attribution.${name}`].at(state.query));
    const asked = { position: String(state.query), here: chip(wordAt(shownPrompt().tokens, state.query)), target: token(target), rival: token(against) };
    question.replaceChildren(...(isLast()
      ? phrase("At position {position}, {here}, what makes its likeliest next token {target} more likely than the second, {rival}?", asked)
      : phrase("At position {position}, {here}, what makes the true next token {target} more or less likely than its strongest rival, {rival}?", asked)));
    sum.name.replaceChildren(...phrase("logit of {target} − logit of {rival}", { target: token(target), rival: token(against) }));
  }

  return whenVisible(host, () => {
    const effects = shownEffects();
    if (!effects) return;
    const { heads } = shownPrompt();
    ask(effects);
    const of = (name) => effects[`attribution.${name}`].at(state.query);
    const values = of("parts");
    const max = extent([...values, of("embedding"), of("bias")]);
    const total = (kind) => values.reduce((sum, value, index) => sum + (kind(index % (heads + 1)) ? value : 0), 0);
    const shares = [of("embedding"), total((part) => part < heads), total((part) => part === heads), of("bias")];
    attribution.draw(values, max);
    terms.forEach(({ value }, index) => write(value, brief(shares[index])));
    for (const one of [0, 3]) tint(terms[one].value, signedShade(shares[one], max)); // the others are sums of cells
    write(sum.value, brief(shares.reduce((one, other) => one + other)));
    ablation.node.hidden = !isAblated();
    absent.hidden = isAblated();
    write(absent, effects.ablation || isLast() ? AT_LAST : shownLive() ? ON_ITS_WAY : kind === "run" ? LAST_STEP_ONLY : LEFT_OUT);
    if (isAblated()) {
      const changes = effects.ablation.at(state.query);
      ablation.draw(changes, extent(changes));
    }
    describe(hovered);
  });
}

/** What a part writes and what its absence does, null where that is not known. */
function said(part, logits, change) {
  if (change === null) return t("{part}: writes {logits} logits", { part, logits });
  const values = { part, logits, change: decimals(Math.abs(change)) };
  return change < 0 ? t("{part}: writes {logits} logits; without it the loss is {change} nats lower", values)
    : t("{part}: writes {logits} logits; without it the loss is {change} nats higher", values);
}
