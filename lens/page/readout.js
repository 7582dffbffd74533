// Beside the map: the weight under the pointer, the legend, and what is measured of the head.

import { legend } from "./colour.js";
import { MEASURES, badges, measured, page } from "./data.js";
import { element } from "./dom.js";
import { printed, short, visible } from "./label.js";
import { shownMaps, shownPrompt, state } from "./state.js";

export function readout(host) {
  const title = element("h3");
  const weight = element("output", { class: "weight", id: "weight" });
  const pair = element("dl", { class: "pair", id: "pair" });
  const hint = element("p", { class: "note" });
  const colours = element("div", { class: "legend" });
  const measures = element("dl", { class: "scores" });
  host.append(title, element("div", { id: "cell", "aria-live": "polite" }, weight, pair), hint, colours, measures);

  const named = (role, index) => [
    element("dt", {}, role),
    element("dd", {}, element("bdi", { class: "token" }, visible(shownPrompt().tokens[index])), ` ${index}`),
  ];

  /** Tells of one cell; without one, of the pinned cell. */
  function tell(cell) {
    const { query, key } = cell ?? state;
    const maps = shownMaps();
    const value = maps.weight(state.layer, state.head, query, key);
    weight.textContent = printed(value, maps.digits);
    weight.classList.toggle("none", value === null);
    pair.replaceChildren(...named("query", query), ...named("key", key));
  }

  function draw() {
    title.textContent = `Layer ${state.layer}, head ${state.head}`;
    for (const [{ label }] of badges(state.prompt, state.step, state.layer, state.head)) {
      title.append(" ", element("span", { class: "badge" }, label));
    }
    hint.textContent = shownMaps().digits === 6
      ? "Exact: this step carries every weight in full."
      : "This step carries its weights rounded to thousandths; the first and the last step are exact.";
    const masked = element("div", { class: "legend-masked" }, element("span", { class: "swatch hatched" }), "masked");
    colours.replaceChildren(...legend(state.scale), ...(shownPrompt().causal ? [masked] : []));
    measures.replaceChildren(...MEASURES.flatMap(score));
  }

  function score({ name, label, most, says }) {
    const value = measured(state.prompt, state.step, state.layer, state.head, name);
    const bar = element("span", { class: "bar" });
    const filled = element("span", { class: "filled" });
    filled.style.width = `${100 * Math.min(1, (value ?? 0) / (most ?? shownPrompt().tokens.length))}%`;
    bar.append(filled);
    if (name in page.thresholds) {
      const mark = element("span", { class: "threshold" });
      mark.style.left = `${100 * page.thresholds[name]}%`;
      bar.append(mark);
    }
    const text = value === undefined ? "–" : most === null ? value.toFixed(1) : short(value);
    return [element("dt", { title: says }, label), element("dd", {}, bar, element("span", { class: "number" }, text))];
  }

  return { draw, tell };
}
