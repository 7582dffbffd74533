// Switches by which the reader turns parts of the model off, and what that does to the text that is shown.

import { decimals, labelOf, write } from "../base/cells.js";
import { page } from "../base/data.js";
import { choice, element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { formatNumber } from "../base/number.js";
import { change, goingTo, isOff, nearest, onChange, partName, shownPrompt, shownStep, state } from "../base/state.js";
import { t } from "../base/words.js";
import { likeliest, softmax } from "./distribution.js";

const HOW = { zero: t("zero"), mean: t("its mean over the text") };

/** A part of a layer in words: a head by its number, or the MLP. */
const spoken = (layer, part) => (part === "mlp" ? t("MLP of layer {layer}", { layer }) : t("head {name}", { name: `${layer}.${part}` }));

/** A switch for a head, or for the MLP as the part after the last head; nothing where no model runs in the page. */
export function switchFor(layer, part, heads = part + 1) {
  if (!page.live) return [];
  const name = `${layer}.${partName(part, heads)}`;
  const words = spoken(layer, partName(part, heads));
  const button = element("button", { type: "button", class: "switch", role: "switch", onclick: () => flip(name) }, "");
  button.setAttribute("aria-label", words);
  button.title = t("Switch {part} off or on", { part: words });
  button.dataset.part = name;
  set(button);
  return [button];
}

/** Sets a switch as its part is in what is shown; there is none where the model in the page cannot read that. */
function set(button) {
  button.setAttribute("aria-checked", !isOff(button.dataset.part));
  button.hidden = !shownPrompt().steps.some(({ read }) => read);
}

onChange(() => document.querySelectorAll(".switch").forEach(set));

/** The switches of all MLPs, in a line. */
export function mlpSwitches() {
  const { layers, heads } = shownPrompt();
  if (!page.live) return [];
  const one = (layer) => element("span", {}, t("layer {layer}", { layer }), " ", ...switchFor(layer, heads, heads));
  return [element("span", {}, t("MLPs")), ...Array.from({ length: layers }, (_, layer) => one(layer))];
}

/** Turns a part off or on, at a step at which the model can run. */
function flip(name) {
  const { off, step } = goingTo();
  const parts = off.split(" ");
  const now = parts.includes(name) ? parts.filter((one) => one !== name) : [...parts, name];
  const { steps } = shownPrompt();
  const able = steps.filter(({ read }) => read);
  if (!able.length) return;
  change({ off: now.join(" "), step: steps[step].read ? step : steps.indexOf(able[nearest(able, steps[step].step)]) });
}

/** What is off, how, and what that does to the loss of the text. Returns its drawing, of the losses {now, before} and of the logits after the last token, {last, lastBefore}. */
export function switchedOffPart(host) {
  const what = element("span");
  const effect = element("output", {}, "");
  const how = choice(t("instead of it"), Object.entries(HOW), (value) => change({ how: value }));
  const reset = element("button", { type: "button", class: "save", onclick: () => change({ off: "" }) }, t("All on again"));
  const node = element("div", { class: "off", role: "status" }, what, effect);
  const row = element("div", { class: "off-row" }, node, how.field, reset);
  host.append(row);
  return (losses) => {
    row.hidden = !state.off;
    if (!state.off) return;
    how.select.value = state.how;
    const parts = state.off.split(" ").map((name) => spoken(...name.split(".")));
    what.textContent = t("Off: {parts}. ", { parts: parts.join(", ") });
    write(effect, losses ? effectOn(losses) : t("Not at step {step}, whose weights this page does not carry.", { step: shownStep().step.toLocaleString("en") }));
  };
}

function effectOn({ now, before, last, lastBefore }) {
  const at = state.query;
  const token = wordAt(shownPrompt().tokens, at);
  const here = at < now.length
    ? t("At “{token}”, the pinned token: {before} → {now}.", { token, before: decimals(before[at]), now: decimals(now[at]) })
    : guessAfter(token, softmax(lastBefore), softmax(last));
  if (!now.length) return `${t("A text of one token has no loss.")} ${here}`;
  const mean = (numbers) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
  const values = { before: mean(before).toFixed(3), now: mean(now).toFixed(3), difference: signed(mean(now) - mean(before)) };
  return `${t("The loss of this text: {before} → {now} nats a token ({difference}).", values)} ${here}`;
}

/** After the last token there is no loss, but a guess: how likely it was, and is now. */
function guessAfter(token, before, now) {
  const [id] = likeliest(before, 1);
  const values = { token, guess: labelOf(id, shownPrompt().tokens.at(-1)), before: decimals(before[id]), now: decimals(now[id]) };
  return t("After “{token}”, the pinned token, the probability of “{guess}”: {before} → {now}.", values);
}

const signed = (value) => (value >= 0 ? "+" : "") + formatNumber(value, 3);
