// All heads as small maps: layers down, heads across, or the highest score first.

import { paint } from "./colour.js";
import { MEASURES, badges, measured } from "./data.js";
import { choice, element } from "./dom.js";
import { short } from "./label.js";
import { change, shownMaps, shownPrompt, state } from "./state.js";

export function grid(host) {
  const measures = MEASURES.map(({ name, label }) => [name, label]);
  const measure = choice("Score", measures, (value) => change({ measure: value }));
  const order = choice("Order", [["layers", "by layer"], ["score", "highest score first"]], (value) => change({ order: value }));
  const field = element("div", { class: "heads" });
  host.append(element("div", { class: "choices" }, measure.field, order.field), element("div", { class: "wide" }, field));

  let tiles = [];
  let shown = "";

  function build() {
    const { layers, heads } = shownPrompt();
    tiles = [];
    for (let layer = 0; layer < layers; layer++) {
      for (let head = 0; head < heads; head++) tiles.push(tile(layer, head));
    }
    arrange();
  }

  function tile(layer, head) {
    const canvas = element("canvas", { class: "hatched" });
    const number = element("span", { class: "number" });
    const name = element("span", { class: "name" }, `${layer}.${head}`);
    const marks = element("span", { class: "badges" });
    const button = element("button", { type: "button", class: "tile" }, canvas, element("span", { class: "caption" }, name, number), marks);
    button.addEventListener("click", () => change({ layer, head }));
    return { layer, head, canvas, number, marks, button };
  }

  function arrange() {
    const { layers, heads } = shownPrompt();
    field.style.setProperty("--heads", heads);
    field.classList.toggle("sorted", state.order === "score");
    if (state.order === "score") {
      const score = ({ layer, head }) => measured(state.prompt, state.step, layer, head, state.measure) ?? -1;
      field.replaceChildren(...[...tiles].sort((one, other) => score(other) - score(one)).map(({ button }) => button));
      return;
    }
    const across = Array.from({ length: heads }, (_, head) => element("span", { class: "across" }, `head ${head}`));
    const rows = Array.from({ length: layers }, (_, layer) => [
      element("span", { class: "down" }, `layer ${layer}`),
      ...tiles.filter((one) => one.layer === layer).map(({ button }) => button),
    ]);
    field.replaceChildren(element("span"), ...across, ...rows.flat());
  }

  return () => {
    measure.select.value = state.measure;
    order.select.value = state.order;
    const now = `${state.prompt} ${state.order} ${state.order === "score" ? `${state.measure} ${state.step}` : ""}`;
    if (shown.split(" ")[0] !== String(state.prompt)) build();
    else if (shown !== now) arrange();
    shown = now;
    const maps = shownMaps();
    for (const { layer, head, canvas, number, marks, button } of tiles) {
      paint(canvas, maps, layer, head, state.scale);
      const score = measured(state.prompt, state.step, layer, head, state.measure);
      number.textContent = score === undefined ? "–" : short(score);
      const found = badges(state.prompt, state.step, layer, head).map(([{ label }, value]) => `${label} ${short(value)}`);
      marks.replaceChildren(...found.map((text) => element("span", { class: "badge" }, text)));
      button.setAttribute("aria-pressed", layer === state.layer && head === state.head);
      button.setAttribute("aria-label", [`layer ${layer}, head ${head}`, ...found].join(", "));
    }
  };
}
