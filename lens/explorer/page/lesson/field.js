// Small things to set: a number, and one of a few choices.

import { element } from "../base/dom.js";

const LARGEST = 1000; // beyond it no number of the lesson says anything

/** A field for a number; onchange(value) is called with each number that is typed, not with what is none. */
export function numberField(value, label, onchange) {
  const field = element("input", { class: "number-field", type: "number", step: "any", value: `${+value.toFixed(4)}`, "aria-label": label });
  field.addEventListener("input", () => {
    const typed = field.valueAsNumber;
    const fits = Math.abs(typed) <= LARGEST;
    field.setAttribute("aria-invalid", !fits);
    if (fits) onchange(typed);
  });
  return field;
}

/** Puts a number into a field, unless it is being typed there. */
export function setNumber(field, value) {
  if (document.activeElement === field) return;
  field.value = `${+value.toFixed(4)}`;
  field.removeAttribute("aria-invalid");
}

/** {node, press}: buttons of which one is pressed; `options` are [name, text or node], choose(name) is called with the one pressed. */
export function toggle(label, options, chosen, choose) {
  const buttons = options.map(([name, text]) => element("button", { type: "button", onclick: () => {
    press(name);
    choose(name);
  } }, text));
  const press = (pressed) => buttons.forEach((button, at) => button.setAttribute("aria-pressed", options[at][0] === pressed));
  press(chosen);
  return { node: element("div", { class: "toggle", role: "group", "aria-label": label }, ...buttons), press };
}

export const button = (text, onclick) => element("button", { type: "button", class: "small-button", onclick }, text);
