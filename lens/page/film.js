// The chosen head at a few steps of its training.

import { paint } from "./colour.js";
import { mapsOf } from "./data.js";
import { element } from "./dom.js";
import { change, shownPrompt, state } from "./state.js";

const FRAMES = 8;

export function film(host) {
  let shown = null;
  let frames = [];

  function build() {
    const { steps } = shownPrompt();
    const count = Math.min(FRAMES, steps.length);
    frames = Array.from({ length: count }, (_, index) => {
      const step = count > 1 ? Math.round((index * (steps.length - 1)) / (count - 1)) : 0;
      const canvas = element("canvas", { class: "hatched" });
      const button = element("button", { type: "button" }, canvas, element("span", {}, steps[step].step.toLocaleString("en")));
      button.setAttribute("aria-label", `Go to step ${steps[step].step}`);
      button.addEventListener("click", () => change({ step }));
      return { step, canvas, button };
    });
    host.replaceChildren(...frames.map(({ button }) => button));
  }

  return () => {
    if (shown !== state.prompt) {
      shown = state.prompt;
      build();
    }
    for (const { step, canvas, button } of frames) {
      button.setAttribute("aria-pressed", step === state.step);
      const maps = mapsOf(state.prompt, step);
      if (maps) paint(canvas, maps, state.layer, state.head, state.scale);
    }
  };
}
