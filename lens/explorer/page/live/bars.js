// What comes next: the likeliest tokens as bars, by the probabilities from which the next token is drawn.

import { cell, labelOf, write } from "../base/cells.js";
import { page } from "../base/data.js";
import { element } from "../base/dom.js";
import { short } from "../base/label.js";
import { t } from "../base/words.js";
import { likeliest } from "./distribution.js";
import { probabilities } from "./sampling.js";

const COUNT = 6;
// As those of sample.py; null takes all tokens.
const OPTIONS = {
  temperature: { label: t("temperature"), value: 0.8, min: 0, max: 9, step: 0.1, says: t("0 takes the likeliest token, 1 draws as the model predicts, more is wilder") },
  topK: { label: t("top-k"), value: null, min: 1, step: 1, says: t("draw only from so many of the likeliest tokens; empty: from all") },
  topP: { label: t("top-p"), value: null, min: 0.01, max: 1, step: 0.01, says: t("draw only from the likeliest tokens that together have this probability; empty: from all") },
};

/** `take(id)` is called where a token is chosen; `options` are those of sampling.js, `fields` what they are set with. */
export function bars(host, take) {
  const options = Object.fromEntries(Object.entries(OPTIONS).map(([name, { value }]) => [name, value]));
  const rows = Array.from({ length: Math.min(COUNT, page.live.config.vocab_size) }, row);
  const list = element("ol", { class: "next-bars", "aria-label": t("The likeliest next tokens; choose one to take it") }, ...rows.map(({ node }) => node));
  host.append(element("h3", {}, t("What it would write next")), list);
  let shown = null;

  function field(name, { label, value, says, ...limits }) {
    const input = element("input", { type: "number", inputmode: "decimal", title: says, value: value ?? "", placeholder: t("all"), ...limits });
    input.addEventListener("input", () => {
      const isSet = input.value !== "" || value !== null;
      const { badInput, rangeUnderflow, rangeOverflow, stepMismatch } = input.validity;
      const isNumber = input.value !== "" && !rangeUnderflow && !rangeOverflow && !(limits.step === 1 && stepMismatch);
      const valid = !badInput && (!isSet || isNumber);
      input.setAttribute("aria-invalid", !valid);
      if (!valid) return;
      options[name] = isSet ? Number(input.value) : null;
      draw(shown);
    });
    return element("label", { class: "choice" }, element("span", {}, label), input);
  }

  function row() {
    const [label, share, was] = [cell("bdi"), cell("span", { class: "number" }), cell("span", { class: "number was" })];
    const button = element("button", { type: "button" }, label, share, was);
    const one = { label, share, was, button, node: element("li", {}, button), id: null };
    button.addEventListener("click", () => one.id !== null && one.id !== page.live.tokenizer.endOfText && take(one.id));
    return one;
  }

  /** last, before: the logits (V) after a token, and those with nothing switched off, or null. */
  function draw(logits) {
    shown = logits;
    list.classList.toggle("compared", Boolean(logits?.before));
    list.hidden = !logits;
    if (!logits) return;
    const p = probabilities(logits.last, options);
    const before = logits.before && probabilities(logits.before, options);
    const ids = likeliest(logits.last, rows.length); // more may be shown than can be drawn
    rows.forEach((one, rank) => {
      const id = one.id = ids[rank];
      write(one.label, labelOf(id, logits.token));
      write(one.share, short(p[id]));
      write(one.was, before ? t("was {share}", { share: short(before[id]) }) : "");
      one.button.style.setProperty("--share", p[id]);
      one.button.style.setProperty("--was", before ? before[id] : 0);
      one.button.classList.toggle("never", p[id] === 0);
      one.button.setAttribute("aria-disabled", id === page.live.tokenizer.endOfText);
    });
  }

  return { draw, options, fields: Object.entries(OPTIONS).map(([name, option]) => field(name, option)) };
}
