// The header: what is shown, and the way through training.

import { SCALES } from "./colour.js";
import { kind, name, page } from "./data.js";
import { choice, element, setOptions } from "./dom.js";
import { nextChange } from "./formation.js";
import { wordAt } from "./label.js";
import { looks } from "./looks.js";
import { lossesAt } from "./measures.js";
import { change, changeLanguage, shownNames, shownPrompt, shownStep, state } from "./state.js";
import { toLesson } from "./tolesson.js";
import { t } from "./words.js";

const PACE = 650; // milliseconds a step while playing: time to see what moved

export function controls(host) {
  const prompt = choice(kind === "examples" ? t("Example") : t("Prompt"), [], (value) => change({ prompt: +value }));
  const layer = choice(t("Layer"), [], (value) => change({ layer: +value }));
  const head = choice(t("Head"), [], (value) => change({ head: +value }));
  const query = choice(t("Query"), [], (value) => change({ query: +value }));
  const scale = choice(t("Colour"), SCALES, (value) => change({ scale: value }));
  const through = kind === "run" ? training() : null;
  host.append(
    element("div", { class: "brand" }, element("b", {}, "glassgpt"), element("span", {}, name ?? t("worked examples"))),
    ...(through ? [through.field] : []),
    element("div", { class: "choices" }, prompt.field, layer.field, head.field, query.field, scale.field),
    looks(changeLanguage, (theme) => change({ theme }), toLesson()),
  );

  if (through) document.addEventListener("keydown", alongTraining);
  new ResizeObserver(() => document.documentElement.style.setProperty("--header", `${host.offsetHeight}px`)).observe(host);

  const numbers = (count) => Array.from({ length: count }, (_, index) => [index, index]);
  let shown = null;
  return () => {
    if (shown !== shownNames()) {
      const { id, layers, heads, tokens } = shownPrompt();
      shown = id;
      setOptions(prompt.select, page.prompts.map((one, index) => [index, one.name])); // the reader's own may have come
      setOptions(layer.select, numbers(layers));
      setOptions(head.select, numbers(heads));
      setOptions(query.select, tokens.map((_, index) => [index, `${index}  \u2068${wordAt(tokens, index)}\u2069`]));
    }
    const values = [[prompt, state.prompt], [layer, state.layer], [head, state.head], [query, state.query], [scale, state.scale]];
    for (const [{ select }, value] of values) if (select.value !== String(value)) select.value = value;
    through?.draw();
  };
}

/** Moves the training step by the arrow keys, where nothing else wants them. */
function alongTraining({ target, key }) {
  const move = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (target === document.body && move) change({ step: state.step + move });
}

/** The training step: a slider, a button that plays, and the loss. */
export function training() {
  const slider = element("input", { type: "range", min: 0, step: 1, "aria-label": t("Training step; space plays") });
  const play = element("button", { class: "play", type: "button", onclick: toggle });
  const number = element("output", { class: "step" });
  const loss = element("span", { class: "loss" });
  const field = element("div", { class: "time" }, play, slider, element("div", { class: "now" }, number, loss));
  const last = () => shownPrompt().steps.length - 1;

  slider.addEventListener("input", () => change({ step: +slider.value }));
  slider.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    toggle();
  });

  let timer = null;
  stop();

  function stop() {
    clearTimeout(timer);
    timer = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", t("Play the training"));
  }

  function toggle() {
    if (timer) return stop();
    play.textContent = "❚❚";
    play.setAttribute("aria-label", t("Pause"));
    timer = setTimeout(onward, PACE);
    if (state.step === last()) change({ step: 0 });
  }

  /** On to the next step at which something has changed, and to the one after when that one has been drawn. */
  async function onward() {
    const own = timer;
    await change({ step: nextChange(state.prompt, state.step) });
    if (timer !== own) return; // stopped meanwhile
    if (state.step === last()) stop();
    else timer = setTimeout(onward, PACE);
  }

  function draw() {
    slider.max = last();
    slider.disabled = play.disabled = last() === 0;
    slider.value = state.step;
    const { step } = shownStep();
    slider.setAttribute("aria-valuetext", t("step {step}", { step }));
    number.textContent = t("step {step}", { step: step.toLocaleString("en") });
    const losses = lossesAt(step, shownPrompt());
    loss.textContent = losses && t("loss: {losses}", { losses });
  }

  return { field, draw };
}
