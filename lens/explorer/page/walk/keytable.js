// The table over the keys: a line for each, a column for each number that is computed of it.

import { tint, write } from "../base/cells.js";
import { paintSigned, shade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { atOnce } from "../base/maps.js";
import { brief, extent, formatNumber, symbol } from "../base/number.js";
import { shownKeys, shownNames, shownPrompt, state } from "../base/state.js";
import { phrase, t } from "../base/words.js";
import { COLUMNS, MASKED, widthOf } from "./recompute.js";
import { TITLES } from "./steps.js";
import { keepClear, tableCursor } from "./tablecursor.js";
import { MAX_PRINTED } from "./vector.js";

const CLEAR = { background: "", ink: "" }; // the hatching shows
const NARROWEST = 140; // pixels that the name of the last step needs

/** Returns show(row, reveals): `row` as from rowOf or mapRow, `reveals({name, step})` whether a column is there yet. */
export function keyTable(host) {
  const read = element("output", { class: "read", id: "row-read" }, "");
  const part = element("p", { class: "note" });
  const table = element("table");
  const says = t("The row key by key. Up and down choose a key, left and right read its numbers.");
  const spoken = { role: "region", "aria-label": says, "aria-describedby": "row-read" };
  const box = element("div", { class: "row-box", tabindex: 0, ...spoken }, table);
  host.append(element("div", { class: "row-top" }, element("h4", {}, t("Every key")), read), box, part);

  /** What is shown: the row, the places of a line from left to right, the lines, and the key of the first. */
  const grid = { row: null, places: [], lines: [], first: 0, reveals: null };
  const describeRead = tableCursor(box, read, grid);
  let heads = {}; // what is written into the head and the foot, by column
  let feet = {};
  let [built, titled, pinned] = ["", "", ""]; // for which prompt, first key and chosen key these were done last

  function build() {
    const { row } = grid;
    const columns = COLUMNS.filter(({ name }) => name !== "mask" || shownPrompt().causal);
    grid.places = columns.flatMap(({ name, step }) => {
      const width = widthOf(row, name);
      const channels = width > MAX_PRINTED ? [null] : Array.from({ length: width }, (_, channel) => channel);
      return channels.map((channel) => ({ name, step, width, channel })); // channel null: a ribbon of all of them
    });
    heads = Object.fromEntries(columns.map(({ name }) => [name, element("span", {}, "")]));
    feet = { exp: [figureCell()], weight: [figureCell()], weighted: [element("canvas")] };
    if (row.z.length <= MAX_PRINTED) feet.weighted = Array.from(row.z, figureCell);
    grid.lines = Array.from({ length: atOnce(row.keys) }, line);
    grid.places.forEach((place, at) => {
      if (place.channel === null) grid.lines[0].cells[at].append(place.canvas = element("canvas", { class: "ribbons" }));
    });
    grid.first = 0;
    table.style.setProperty("--lines", grid.lines.length);
    table.replaceChildren(widths(), head(columns), element("tbody", {}, ...grid.lines.map(({ tr }) => tr)), foot());
  }

  const figureCell = () => element("span", { class: "number" }, "");
  const kind = ({ name, step, channel }) => ({ class: `at-${step} of-${name} ${channel === null ? "ribbon" : "number"}` });

  function line() {
    const [index, token] = [figureCell(), element("bdi", {}, "")];
    const cells = grid.places.map((place) => element("td", kind(place), ...(place.channel === null ? [] : [""])));
    return { index, token, cells, tr: element("tr", {}, element("th", { scope: "row" }, index, token), ...cells) };
  }

  function widths() {
    const cols = grid.places.map((place) => {
      const col = element("col", kind(place));
      if (place.name === "weighted" && place.width < 3) col.style.width = `${NARROWEST / place.width}px`;
      return col;
    });
    return element("colgroup", {}, element("col", { class: "of-keys" }), ...cols);
  }

  function head(columns) {
    const steps = [...new Set(columns.map(({ step }) => step))];
    const span = (step) => grid.places.filter((place) => place.step === step).length;
    const over = steps.map((step) => element("th", { scope: "colgroup", class: `at-${step}`, colspan: span(step) }, TITLES[step]));
    const under = grid.places.map((place) => element("th", { scope: "col", ...kind(place) }, ...label(place)));
    return element("thead", {},
      element("tr", {}, element("th", { scope: "col", rowspan: 2 }, ...phrase("key {j}", { j: element("var", {}, "j") })), ...over),
      element("tr", {}, ...under));
  }

  function label({ name, width, channel }) {
    const which = channel === null || width === 1 ? "" : `[${channel}]`;
    if (name === "products") return [symbol("q", "i"), which ? "" : " × ", symbol("k", "j"), which];
    if (name === "weighted") return ["× ", symbol("v", "j"), which];
    return [heads[name]];
  }

  function foot() {
    const sums = ({ name, channel }) => (feet[name] ? [feet[name][channel ?? 0]] : []);
    const cells = grid.places.map((place) => element("td", kind(place), ...sums(place)));
    return element("tfoot", {}, element("tr", {}, element("th", { scope: "row" }, t("sum over all keys")), ...cells));
  }

  /** Names the lines; where they are a window on more, it moves on when the chosen key leaves it. */
  function name() {
    const { row, lines } = grid;
    const outside = state.key < grid.first || state.key >= grid.first + lines.length;
    if (outside) grid.first = Math.max(0, Math.min(row.keys - lines.length, state.key - (lines.length >> 1)));
    if (titled === `${built} ${grid.first}`) return;
    titled = `${built} ${grid.first}`;
    lines.forEach(({ index, token }, at) => {
      write(index, String(grid.first + at));
      write(token, wordAt(shownKeys(), grid.first + at));
    });
    part.hidden = lines.length === row.keys;
    const shown = { first: grid.first, last: grid.first + lines.length - 1, count: row.keys };
    part.textContent = t("Keys {first} to {last} of {count}, those around the chosen one; the sums are over all.", shown);
  }

  function fill() {
    const { row, places, lines, first } = grid;
    const max = extent(row.weight);
    lines.forEach(({ tr, cells }, at) => {
      const j = first + at;
      const seen = j < row.seen;
      tr.classList.toggle("future", !seen);
      tr.classList.toggle("chosen", j === state.key);
      places.forEach(({ name, width, channel }, place) => {
        if (channel === null) return;
        write(cells[place], text(name, row[name][j * width + channel], seen));
        if (name === "weight") tint(cells[place], seen ? shade(row.weight[j], max, state.scale) : CLEAR);
      });
    });
    for (const { name, width, canvas } of places) if (canvas) ribbons(canvas, name, width);
    if (row.z.length > MAX_PRINTED) paintSigned(feet.weighted[0], row.z, strongest("weighted"));
  }

  /** What the mask took away is exactly 0. */
  function text(name, value, seen) {
    if (name === "mask") return seen ? "0" : "−∞";
    return !seen && MASKED.includes(name) ? "0" : brief(value);
  }

  function ribbons(canvas, name, width) {
    const { row, lines, first } = grid;
    const values = row[name].slice(first * width, (first + lines.length) * width);
    if (name === "weighted") values.fill(NaN, Math.max(0, row.seen - first) * width);
    paintSigned(canvas, values, strongest(name), width);
  }

  /** What the strongest colour of a column stands for. */
  const strongest = (name) => Math.max(extent(grid.row[name]), name === "weighted" ? extent(grid.row.z) : 0);

  function ends() {
    const { row } = grid;
    const { scale } = shownPrompt();
    const exp = row.shift ? `exp(s ${row.shift < 0 ? "+" : "−"} ${brief(Math.abs(row.shift))})` : "exp";
    const say = { score: t("sum"), scaled: `× ${scale === 1 ? "1" : brief(scale)}`, mask: t("0 or −∞"), exp, weight: t("weight") };
    for (const [name, text] of Object.entries(say)) if (heads[name]) write(heads[name], text);
    const sums = [[feet.exp[0], row.total], [feet.weight[0], row.sum]];
    if (row.z.length <= MAX_PRINTED) row.z.forEach((value, c) => sums.push([feet.weighted[c], value]));
    for (const [cell, value] of sums) {
      write(cell, brief(value));
      cell.title = formatNumber(value, row.digits);
    }
  }

  /** Keeps the chosen key in sight, and the column that a step has added. */
  function settle() {
    const { tr, cells } = grid.lines[state.key - grid.first];
    const newest = grid.places.findLastIndex(grid.reveals);
    const now = `${built} ${state.key} ${state.walk === "all" ? "" : newest}`;
    if (pinned === now) return;
    pinned = now;
    keepClear(box, state.walk === "all" ? tr.firstChild : cells[newest]);
  }

  return (row, reveals) => {
    Object.assign(grid, { row, reveals });
    const now = [shownNames(), ...COLUMNS.map((one) => widthOf(row, one.name))].join();
    if (built !== now) {
      built = now;
      build();
    }
    name();
    fill();
    ends();
    describeRead();
    settle();
  };
}
