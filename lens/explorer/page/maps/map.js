// One head, large: tokens on both axes, the row and column under the pointer lit, one cell pinned.

import { write } from "../base/cells.js";
import { paint, shade } from "../base/colour.js";
import { MOVES, element, partAt } from "../base/dom.js";
import { short, wordAt } from "../base/label.js";
import { largest } from "../base/maps.js";
import { change, shownKeys, shownMaps, shownNames, shownPart, shownPrompt, state } from "../base/state.js";
import { t } from "../base/words.js";

const MAX_CELL = 56; // pixels a cell
const FEW_CELLS = { max: 8, size: 84 }; // and in a map of few cells
const MIN_HEIGHT = 420; // pixels that the map may be high in any window
const AROUND = 200; // pixels of the window that are left for the header and the labels
const WHOLE = 9; // pixels a cell from which on cells are whole pixels wide
const LABELS = { min: 11, max: 13, line: 1.35 }; // pixels of their letters, and how much higher a line is
const NUMBERED = 36; // pixels a cell from which on its weight is written in it
const EXACT = 64; // and to four digits

/** `onHover(cell)` is called with the cell under the pointer, {query, key}, or null when the pointer has left. */
export function map(host, onHover) {
  const keys = element("div", { class: "keys", "aria-hidden": "true" });
  const queries = element("div", { class: "queries", "aria-hidden": "true" });
  const canvas = element("canvas", { class: "hatched" });
  const numbers = element("div", { class: "numbers", "aria-hidden": "true" });
  const masked = element("span", { class: "masked" }, t("masked: the future"));
  const bands = ["row", "column", "cell"].map((name) => element("div", { class: `band ${name}` }));
  const field = element("div", { class: "field", tabindex: 0, role: "application", "aria-describedby": "cell" }, canvas, numbers, masked, ...bands);
  const whole = element("div", { class: "map" }, element("span", { class: "axes" }, t("key →"), element("br"), t("query ↓")), keys, queries, field);
  host.append(whole);

  let shown = ""; // the prompt and the part of its maps
  let part = null;
  let cell = 0; // pixels
  let apart = 1; // tokens that are named are at least so many cells apart
  let hovered = null;

  /** Names `count` tokens on an axis, from number `first` on. */
  function name(axis, tokens, first, count) {
    const names = Array.from({ length: count }, (_, offset) => wordAt(tokens, first + offset));
    axis.replaceChildren(...names.map((word) => element("span", {}, element("bdi", {}, word))));
  }

  /** Fits the cells into the space next to the labels; the smaller they are, the fewer tokens are named. */
  function layout() {
    const { rows, columns } = part;
    const largest = Math.max(rows, columns) > FEW_CELLS.max ? MAX_CELL : FEW_CELLS.size;
    const height = Math.max(MIN_HEIGHT, innerHeight - AROUND);
    const fit = () => Math.min(largest, (whole.clientWidth - field.offsetLeft) / columns, height / rows);
    const letters = () => Math.max(LABELS.min, Math.min(LABELS.max, Math.floor(Math.floor(fit()) / LABELS.line)));
    whole.style.setProperty("--label", `${LABELS.max}px`);
    whole.style.setProperty("--label", `${letters()}px`);
    cell = fit() < WHOLE ? fit() : Math.floor(fit());
    apart = Math.ceil((LABELS.line * letters()) / cell);
    whole.style.setProperty("--cell", `${cell}px`);
    whole.style.setProperty("--wide", `${cell * columns}px`);
    whole.style.setProperty("--tall", `${cell * rows}px`);
    whole.classList.toggle("roomy", cell >= 14);
    numbers.style.gridTemplateColumns = `repeat(${columns}, var(--cell))`;
    const count = cell >= NUMBERED ? rows * columns : 0;
    numbers.replaceChildren(...Array.from({ length: count }, () => element("span", {}, "")));
    const future = part.key + 0.6 * columns > part.query + 0.25 * rows; // where the label would stand
    masked.hidden = !shownPrompt().causal || rows < 4 || !future;
  }

  /** Writes the weights into cells that have room for them. */
  function inscribe() {
    Array.from(numbers.children).forEach((span, index) => {
      const [query, key] = [part.query + Math.floor(index / part.columns), part.key + (index % part.columns)];
      const row = shownMaps().row(state.layer, state.head, query);
      write(span, key >= row.length ? "" : cell < EXACT ? short(row[key]) : row[key].toFixed(Math.min(4, shownMaps().digits)));
      span.style.color = key < row.length ? shade(row[key], largest(row), state.scale).ink : "";
    });
  }

  function light() {
    const { query, key } = hovered ?? state;
    const [row, column, one] = bands;
    const { causal } = shownPrompt(); // no band goes through what is masked
    row.style.width = `${(causal ? Math.max(0, Math.min(part.columns, query - part.key + 1)) : part.columns) * cell}px`;
    const start = causal ? Math.max(0, Math.min(part.rows, key - part.query)) : 0;
    column.style.top = `${start * cell}px`;
    column.style.height = `${(part.rows - start) * cell}px`;
    row.style.top = one.style.top = `${(query - part.query) * cell}px`;
    column.style.left = one.style.left = `${(key - part.key) * cell}px`;
    label(queries, query - part.query);
    label(keys, key - part.key);
  }

  /** Lights one name of an axis, and shows as many of the others as have room. */
  function label(axis, lit) {
    Array.from(axis.children).forEach((one, index) => {
      const distance = Math.abs(index - lit);
      one.className = distance === 0 ? "lit" : index % apart || distance < apart ? "left-out" : "";
    });
  }

  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    return {
      query: part.query + partAt(event.clientY - box.top, box.height, part.rows),
      key: part.key + partAt(event.clientX - box.left, box.width, part.columns),
    };
  }

  function hover(at) {
    hovered = at;
    light();
    onHover(at);
  }

  field.addEventListener("pointermove", (event) => hover(cellAt(event)));
  field.addEventListener("pointerleave", () => hover(null));
  field.addEventListener("click", (event) => change(cellAt(event)));
  field.addEventListener("keydown", (event) => {
    const last = shownKeys().length - 1;
    const [down, right] = MOVES[event.key] ?? [0, { Home: -last, End: last }[event.key]];
    if (right === undefined) return;
    event.preventDefault();
    hovered = null;
    change({ query: state.query + down, key: state.key + right });
  });
  let room = "";
  function resize() {
    const now = `${host.clientWidth} ${innerHeight}`;
    if (part === null || !host.clientWidth || room === now) return; // nothing drawn yet, not shown, or only its own height
    room = now;
    layout();
    inscribe();
    light();
  }
  new ResizeObserver(resize).observe(host);
  addEventListener("resize", resize);

  return () => {
    if (state.view !== "map") return;
    part = shownPart();
    const now = `${shownNames()} ${part.query} ${part.key}`;
    if (shown !== now) {
      shown = now;
      hovered = null;
      name(queries, shownPrompt().tokens, part.query, part.rows);
      name(keys, shownKeys(), part.key, part.columns);
      layout();
    }
    field.setAttribute("aria-label", t("Attention map of layer {layer}, head {head}; arrow keys move the pinned cell", state));
    paint(canvas, shownMaps(), state.layer, state.head, state.scale, part);
    inscribe();
    light();
    onHover(hovered);
  };
}
