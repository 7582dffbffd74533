// The header: what is shown, and the way through training.

import { SCALES, switchTheme } from "./colour.js";
import { lossAt, page } from "./data.js";
import { choice, element, setOptions } from "./dom.js";
import { visible } from "./label.js";
import { change, shownPrompt, shownStep, state } from "./state.js";

const PACE = 650; // milliseconds a step while playing: time to see what moved

export function controls(host, redraw) {
  const prompt = choice("Prompt", page.prompts.map((one, index) => [index, one.name]), (value) => change({ prompt: +value }));
  const layer = choice("Layer", [], (value) => change({ layer: +value }));
  const head = choice("Head", [], (value) => change({ head: +value }));
  const query = choice("Query", [], (value) => change({ query: +value }));
  const scale = choice("Colour", SCALES, (value) => change({ scale: value }));
  const slider = element("input", { type: "range", min: 0, step: 1, "aria-label": "Training step" });
  slider.addEventListener("input", () => change({ step: +slider.value }));
  const play = element("button", { class: "play", type: "button", onclick: toggle });
  const number = element("output", { class: "step" });
  const loss = element("span", { class: "loss" });
  const themes = element("button", { class: "theme", type: "button", "aria-label": "Light or dark", title: "Light or dark" }, "◐");
  themes.addEventListener("click", () => {
    switchTheme();
    redraw();
  });
  host.append(
    element("div", { class: "brand" }, element("b", {}, "glassgpt"), element("span", {}, page.run)),
    element("div", { class: "time" }, play, slider, element("div", { class: "now" }, number, loss)),
    element("div", { class: "choices" }, prompt.field, layer.field, head.field, query.field, scale.field),
    themes,
  );

  let timer = null;
  stop();

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play the training");
  }

  function toggle() {
    if (timer) return stop();
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
    const last = () => shownPrompt().steps.length - 1;
    if (state.step === last()) change({ step: 0 });
    timer = setInterval(() => {
      change({ step: state.step + 1 });
      if (state.step === last()) stop();
    }, PACE);
  }

  let shown = null;
  return () => {
    const { steps, layers, heads, tokens } = shownPrompt();
    if (shown !== state.prompt) {
      shown = state.prompt;
      setOptions(layer.select, Array.from({ length: layers }, (_, index) => [index, index]));
      setOptions(head.select, Array.from({ length: heads }, (_, index) => [index, index]));
      setOptions(query.select, tokens.map((token, index) => [index, `${index}  ${visible(token)}`]));
      slider.max = steps.length - 1;
      slider.disabled = play.disabled = steps.length < 2;
    }
    prompt.select.value = state.prompt;
    layer.select.value = state.layer;
    head.select.value = state.head;
    query.select.value = state.query;
    scale.select.value = state.scale;
    slider.value = state.step;
    const { step } = shownStep();
    slider.setAttribute("aria-valuetext", `step ${step}`);
    number.textContent = `step ${step.toLocaleString("en")}`;
    const logged = lossAt(step);
    const late = logged && logged.step !== step ? ` (step ${logged.step.toLocaleString("en")})` : "";
    loss.textContent = logged ? `${logged.kind} loss ${logged.value.toFixed(3)}${late}` : "";
  };
}
