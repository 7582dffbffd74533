// Which parts matter at the chosen position: direct logit attribution next to ablation, part by part.

import { cell, chip, decimals, labelOf, tint, write } from "../base/cells.js";
import { signedShade } from "../base/colour.js";
import { kind } from "../base/data.js";
import { element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { brief } from "../base/number.js";
import { whenVisible } from "../base/onscreen.js";
import { shownEffects, shownLive, shownPrompt, state } from "../base/state.js";
import { t } from "../base/words.js";
import { term } from "../base/terms.js";
import { largest } from "../walk/vector.js";
import { heatmap } from "./heatmap.js";

const AT_LAST = "At the last position there is none: what comes next is not known, so there is no loss to compare.";
const LEFT_OUT = "It is left out here: the model would have to read the prompt once without each head and each MLP, which takes too "
  + "long for this model and so many tokens.";

const ON_ITS_WAY = t("It is computed here once nothing has changed for a moment.");
const LAST_STEP_ONLY = t("Of a prompt of your own only the last step has it here: at every step it would take too long.");

export function parts(host) {
  const question = element("p", { class: "question" });
  const attribution = heatmap("Attribution, in logits", describe);
  const ablation = heatmap("Ablation, in nats", describe);
  const terms = ["embedding", "all heads", "all MLPs", "biases"].map((name) => ({ name, value: cell("dd", { class: "number" }) }));
  const sum = { name: element("dt"), value: cell("dd", { class: "number" }) };
  const account = element("dl", { class: "terms" },
    ...terms.flatMap(({ name, value }) => [element("dt", {}, name), value]), sum.name, sum.value);
  const absent = element("p", { class: "note" }, "");
  const readout = element("output", { class: "reading" });
  host.append(
    question,
    element("div", { class: "both" },
      element("figure", {},
        element("figcaption", {}, element("b", {}, term("direct logit attribution", t("Attribution"))), t(" what each part writes, in "), term("logit", t("logits"))),
        element("div", { class: "account" }, attribution.node, account)),
      element("figure", {},
        element("figcaption", {}, element("b", {}, term("ablation", t("Ablation"))), t(" loss without it, minus loss, in "), term("nat", t("nats"))), ablation.node, absent)),
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
    const { layer, part } = place ?? { layer: state.layer, part: state.head };
    for (const one of [attribution, ablation]) one.light(place);
    const name = `Layer ${layer}, ${part < heads ? `head ${part}` : "MLP"}`;
    const written = `writes ${brief(effects["attribution.parts"].at(state.query, layer, part))} logits`;
    readout.textContent = `${name}: ${written}${!isAblated() ? "" : `; ${without(effects.ablation.at(state.query, layer, part))}`}`;
  }

  function ask(effects) {
    const [target, against] = ["target", "against"].map((name) => effects[`attribution.${name}`].at(state.query));
    question.replaceChildren(
      `At position ${state.query}, `, chip(wordAt(shownPrompt().tokens, state.query)),
      isLast() ? ", what makes its likeliest next token " : ", what makes the true next token ", token(target),
      isLast() ? " more likely than the second, " : " more or less likely than its strongest rival, ", token(against), "?",
    );
    sum.name.replaceChildren("logit of ", token(target), " − logit of ", token(against));
  }

  return whenVisible(host, () => {
    const effects = shownEffects();
    if (!effects) return;
    const { heads } = shownPrompt();
    ask(effects);
    const of = (name) => effects[`attribution.${name}`].at(state.query);
    const values = of("parts");
    const max = largest([...values, of("embedding"), of("bias")]);
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
      ablation.draw(changes, largest(changes));
    }
    describe(hovered);
  });
}

const without = (change) => `without it the loss is ${decimals(Math.abs(change))} nats ${change < 0 ? "lower" : "higher"}`;
