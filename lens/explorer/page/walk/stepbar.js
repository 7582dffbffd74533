// The way through the steps: Previous and Next, each step by name, or all at once.

import { element } from "../base/dom.js";
import { change, shownPrompt, shownStep, state } from "../base/state.js";
import { t } from "../base/words.js";
import { isWhole } from "./inside.js";
import { TITLES } from "./steps.js";

/**
 * `onStep(step)` is called when the reader has gone to a step. Returns show(steps, current, isComing), `current` undefined for all
 * at once; `steps` is null where the training step does not have them: then the bar says that they are coming, or which
 * training steps have them.
 */
export function stepBar(host, onStep) {
  let steps = [];
  let place = -1; // of the current step; -1: all at once
  const go = (walk) => change({ walk }).then(() => onStep(walk));
  const all = element("button", { type: "button", class: "all", onclick: () => change({ walk: "all" }) }, t("All at once"));
  const turn = (spoken, by, ...text) => element("button", { type: "button", "aria-label": spoken, onclick: () => move(by) }, ...text);
  const previous = turn(t("Previous step"), -1, "← ", element("span", {}, t("Previous")));
  const next = turn(t("Next step"), 1, element("span", {}, t("Next")), " →");
  const names = element("div", { class: "names" });
  const says = t("Steps from x to out; arrow keys walk them");
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

  /** Says why the walk is not here, and offers the steps around this one, the first and the last of those where it is. */
  function offerSteps(isComing) {
    const { step } = shownStep();
    if (isComing) return missing.replaceChildren(element("p", {}, t("The model of step {step} is being unpacked and run …", { step: count(step) })));
    const prompt = shownPrompt();
    const whole = [...prompt.steps.keys()].filter((at) => isWhole(prompt.steps[at]));
    const near = [whole.at(0), whole.findLast((at) => at < state.step), whole.find((at) => at > state.step), whole.at(-1)];
    const to = (at) => element("button", { type: "button", onclick: () => change({ step: at }) }, t("Go to step {step}", { step: count(prompt.steps[at].step) }));
    const steps = whole.map((at) => count(prompt.steps[at].step)).join(", ");
    missing.replaceChildren(
      element("p", {}, t("Of step {step} this page carries only the weights of the attention. All that they are computed from is there at {count} steps: {steps}.", { step: count(step), count: whole.length, steps })),
      ...[...new Set(near)].filter((at) => at !== undefined).map(to));
  }

  return (now, current, isComing) => {
    walking.hidden = now === null;
    missing.hidden = now !== null;
    if (now === null) return offerSteps(isComing);
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
