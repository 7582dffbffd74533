// The chosen head at the steps of its training.

import { paint, theme } from "../base/colour.js";
import { smallOf } from "../base/data.js";
import { element } from "../base/dom.js";
import { formingSteps } from "../base/formation.js";
import { whenVisible } from "../base/onscreen.js";
import { change, shownPrompt, state, switchedOff } from "../base/state.js";
import { offer } from "../base/tabs.js";
import { t } from "../base/words.js";
import { smallCanvas, squareNote } from "./small.js";

const MAX_FRAMES = 12;

export function film(host) {
  const field = element("div", { class: "frames" });
  const notes = element("div");
  host.append(field, notes);
  let shown = null;
  let frames = [];

  function build() {
    const { steps } = shownPrompt();
    frames = formingSteps(state.prompt, MAX_FRAMES).map((step) => {
      const canvas = smallCanvas(shownPrompt());
      const button = element("button", { type: "button" }, canvas, element("span", {}, steps[step].step.toLocaleString("en")));
      button.setAttribute("aria-label", t("Go to step {step}", { step: steps[step].step }));
      button.addEventListener("click", () => change({ step }));
      return { step, canvas, button, painted: null };
    });
    field.replaceChildren(...frames.map(({ button }) => button));
    notes.replaceChildren(squareNote(shownPrompt()));
  }

  const draw = whenVisible(host, () => {
    if (shown !== shownPrompt().id) {
      shown = shownPrompt().id;
      build();
    }
    const view = `${switchedOff(state)} ${state.layer} ${state.head} ${state.scale} ${theme()}`;
    for (const frame of frames) {
      frame.button.setAttribute("aria-pressed", frame.step === state.step);
      if (frame.painted === view) continue;
      const maps = smallOf(state.prompt, frame.step); // undefined: not unpacked yet
      frame.painted = maps ? view : null;
      frame.canvas.classList.toggle("hatched", frame.painted !== null);
      if (maps) paint(frame.canvas, maps, state.layer, state.head, state.scale);
      else frame.canvas.width = 1; // clears it
    }
  });

  return () => {
    offer(host, shownPrompt().steps.length > 1); // with a single step nothing has formed
    draw();
  };
}
