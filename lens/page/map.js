// One head, large: tokens on both axes, the row and column under the pointer lit, one cell pinned.

import { paint } from "./colour.js";
import { element } from "./dom.js";
import { visible } from "./label.js";
import { change, shownMaps, shownPrompt, state } from "./state.js";

const LARGEST = 44; // pixels a cell
const TALLEST = 720; // pixels the map may be high
const READABLE = 9; // pixels a cell below which only the lit tokens are named

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** `point(cell)` is told of the cell under the pointer, {query, key}, or null when the pointer has left. */
export function map(host, point) {
  const keys = element("div", { class: "keys", "aria-hidden": "true" });
  const queries = element("div", { class: "queries", "aria-hidden": "true" });
  const canvas = element("canvas", { class: "hatched" });
  const masked = element("span", { class: "masked" }, "masked: the future");
  const bands = ["row", "column", "cell"].map((name) => element("div", { class: `band ${name}` }));
  const field = element("div", { class: "field", tabindex: 0, role: "application", "aria-describedby": "cell" }, canvas, masked, ...bands);
  const whole = element("div", { class: "map" }, element("span", { class: "axes" }, "key →", element("br"), "query ↓"), keys, queries, field);
  host.append(whole);

  let shown = null;
  let cell = 0; // pixels
  let hovered = null;

  function build() {
    const labels = () => shownPrompt().tokens.map((token) => element("span", {}, element("bdi", {}, visible(token))));
    keys.replaceChildren(...labels());
    queries.replaceChildren(...labels());
    masked.hidden = !shownPrompt().causal || shownPrompt().tokens.length < 4;
  }

  /** Sizes cells to the room beside the labels, whose size follows a first guess at the cells'. */
  function layout() {
    const { length } = shownPrompt().tokens;
    const fit = () => Math.min(LARGEST, Math.min(whole.clientWidth - field.offsetLeft, TALLEST) / length);
    whole.classList.remove("crowded");
    whole.style.setProperty("--label", "13px");
    whole.style.setProperty("--label", `${Math.min(13, Math.floor(fit()))}px`);
    whole.classList.toggle("crowded", fit() < READABLE);
    cell = fit();
    if (cell >= READABLE) cell = Math.floor(cell);
    whole.style.setProperty("--cell", `${cell}px`);
    whole.style.setProperty("--side", `${cell * length}px`);
    whole.classList.toggle("roomy", cell >= 14);
  }

  function light() {
    const { query, key } = hovered ?? state;
    const [row, column, one] = bands;
    row.style.top = one.style.top = `${query * cell}px`;
    column.style.left = one.style.left = `${key * cell}px`;
    queries.querySelector(".lit")?.classList.remove("lit");
    keys.querySelector(".lit")?.classList.remove("lit");
    queries.children[query].classList.add("lit");
    keys.children[key].classList.add("lit");
  }

  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    const last = shownPrompt().tokens.length - 1;
    const index = (distance, size) => Math.max(0, Math.min(last, Math.floor((distance / size) * (last + 1))));
    return { query: index(event.clientY - box.top, box.height), key: index(event.clientX - box.left, box.width) };
  }

  function hover(at) {
    hovered = at;
    light();
    point(at);
  }

  field.addEventListener("pointermove", (event) => hover(cellAt(event)));
  field.addEventListener("pointerleave", () => hover(null));
  field.addEventListener("click", (event) => change(cellAt(event)));
  field.addEventListener("keydown", (event) => {
    const last = shownPrompt().tokens.length - 1;
    const [down, right] = MOVES[event.key] ?? [0, { Home: -last, End: last }[event.key]];
    if (right === undefined) return;
    event.preventDefault();
    hovered = null;
    change({ query: state.query + down, key: state.key + right });
  });
  let width = 0;
  new ResizeObserver(() => {
    if (shown === null || width === host.clientWidth) return; // nothing drawn yet, or its own height alone
    width = host.clientWidth;
    layout();
    light();
  }).observe(host);

  return () => {
    if (shown !== state.prompt) {
      shown = state.prompt;
      hovered = null;
      build();
      layout();
    }
    field.setAttribute("aria-label", `Attention map of layer ${state.layer}, head ${state.head}; arrow keys move the pinned cell`);
    paint(canvas, shownMaps(), state.layer, state.head, state.scale);
    light();
    point(hovered);
  };
}
