// The way through the steps: Previous and Next, each step by name, or all at once.

import { element } from "../base/dom.js";
import { change, shownPrompt, shownStep } from "../base/state.js";
import { t } from "../base/words.js";
import { TITLES } from "./steps.js";

/**
 * `onStep(step)` is called when the reader has gone to a step. Returns show(steps, current), `current` undefined for all
 * at once; `steps` is null where the training step does not carry them: then the bar says which ones do.
 */
export function stepBar(host, onStep) {
  let steps = [];
  let place = -1; // of the current step; -1: all at once
  const go = (walk) => change({ walk }).then(() => onStep(walk));
  const all = element("button", { type: "button", class: "all", onclick: () => change({ walk: "all" }) }, "All at once");
  const turn = (spoken, by, ...text) => element("button", { type: "button", "aria-label": spoken, onclick: () => move(by) }, ...text);
  const previous = turn("Previous step", -1, "← ", element("span", {}, "Previous"));
  const next = turn("Next step", 1, element("span", {}, "Next"), " →");
  const names = element("div", { class: "names" });
  const says = "Steps from x to out; arrow keys walk them";
  const walking = element("div", { class: "walking", role: "group", "aria-label": says }, all, names, previous, next);
  const missing = element("div", { class: "missing", role: "status" });
  host.append(element("div", { class: "walk-bar" }, walking, missing));

  const target = (by) => (place < 0 && by < 0 ? steps.at(-1) : steps[place + by]);

  function move(by) {
    const to = target(by);
    if (to) go(to);
  }

  walking.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    move(by);
  });

  function offerSteps() {
    const all = shownPrompt().steps;
    const to = (step) => element("button", { type: "button", onclick: () => change({ step }) }, t("Go to step {step}", { step: count(all[step].step) }));
    missing.replaceChildren(
      element("p", {}, t("At step {step} the page has only the weights; at the first and the last step it has all that they are computed from.", { step: count(shownStep().step) })),
      to(0), to(all.length - 1));
  }

  return (now, current) => {
    walking.hidden = now === null;
    missing.hidden = now !== null;
    if (now === null) return offerSteps();
    if (now.join() !== steps.join()) {
      steps = now;
      names.replaceChildren(...steps.map((step) => element("button", { type: "button", onclick: () => go(step) }, TITLES[step])));
    }
    place = steps.indexOf(current);
    all.setAttribute("aria-pressed", place < 0);
    Array.from(names.children).forEach((button, at) => {
      button.classList.toggle("done", at < place);
      if (at === place) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    previous.disabled = !target(-1);
    next.disabled = !target(1);
  };
}

const count = (number) => number.toLocaleString("en");
