// Buttons that go through some steps, one by one or to the last at once.

import { element } from "../base/dom.js";
import { t } from "../base/words.js";
import { button } from "./field.js";

/** {node, start}: start() shows the last step; onstep(step, isAsked) is called with 1 to names.length and whether the reader went there. */
export function stepper(names, onstep) {
  let step = names.length;
  const first = button(t("From the start"), () => go(1));
  const back = button(t("Back"), () => go(step - 1));
  const next = button(t("Next"), () => go(step + 1));
  const all = button(t("All at once"), () => go(names.length));
  const name = element("span", { class: "step-name", "aria-live": "polite" });
  const node = element("div", { class: "stepper" }, first, back, next, all, name);

  function go(to, isAsked = true) {
    step = Math.max(1, Math.min(names.length, to));
    first.disabled = back.disabled = step === 1;
    next.disabled = all.disabled = step === names.length;
    name.textContent = t("Step {step} of {count}: {name}", { step, count: names.length, name: names[step - 1] });
    onstep(step, isAsked);
  }

  return { node, start: () => go(names.length, false) };
}
