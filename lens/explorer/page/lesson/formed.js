// How two heads of the default run formed: their maps at each recorded step, as a film, and their scores.

import { element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { phrase, t } from "../base/words.js";
import { headMap } from "./headmap.js";
import { scores } from "./headscores.js";

const PAUSE = 650; // milliseconds that a step is shown while the film plays

export function formed(host, { measured: { formed: film } }) {
  if (!film) return null;
  const { steps, tokens, query, key } = film;
  let step = steps.length - 1;
  let playing = null;

  const slider = element("input", { type: "range", min: 0, max: step, value: step, "aria-label": t("Training step"), oninput: () => { pause(); go(Number(slider.value)); } });
  const play = element("button", { class: "play", type: "button", onclick: () => (playing ? pause() : start()) });
  const now = element("output", { class: "number" });
  const maps = [["previous_token", t("looks one token back")], ["induction", t("looks for what came next last time")]].map(([name, label]) =>
    headMap({ ...film[name], label, tokens, mark: name === "induction" ? [query, key] : [key, key - 1] }));
  const curves = scores(film, (chosen) => { pause(); go(chosen); });
  const says = element("p", { class: "says" });
  host.append(
    element("h3", {}, t("Play the training, or point at a map")),
    element("div", { class: "film-time" }, play, slider, now),
    element("div", { class: "film-maps" }, ...maps.map(({ node }) => node)),
    says, curves.node);

  function go(to) {
    step = to;
    slider.value = to;
    slider.setAttribute("aria-valuetext", t("step {step}", { step: steps[to] }));
    now.textContent = t("step {step}", { step: steps[to] });
    for (const map of maps) map.draw(step);
    curves.draw(step);
    const { layer, head } = film.induction;
    const weight = element("b", { class: "number", id: "film-weight" }, maps[1].weight(query, key).toFixed(2));
    const word = (at) => element("bdi", { class: "token", lang: "en" }, wordAt(tokens, at));
    says.replaceChildren(...phrase("At the second {word}, head {head} gives {next}, which came next the first time, a weight of {weight}.", {
      word: word(query), next: word(key), head: `${layer}.${head}`, weight,
    }));
  }

  function start() {
    if (step === steps.length - 1) go(0);
    playing = setInterval(() => (step < steps.length - 1 ? go(step + 1) : pause()), PAUSE);
    named();
  }

  function pause() {
    clearInterval(playing);
    playing = null;
    named();
  }

  function named() {
    play.textContent = playing ? "❚❚" : "▶";
    play.setAttribute("aria-label", playing ? t("Pause") : t("Play the training"));
  }

  named();
  go(step);
  return () => maps.forEach((map) => map.draw(step));
}
