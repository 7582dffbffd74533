// Reads a number of the row's table in full, under the pointer or by the arrow keys; a click chooses its key.

import { write } from "../base/cells.js";
import { MOVES, element, partAt } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { formatNumber } from "../base/number.js";
import { keepInView } from "../base/onscreen.js";
import { change, shownKeys, state } from "../base/state.js";
import { t } from "../base/words.js";
import { MASKED } from "./recompute.js";

const SPOKEN = {
  products: (channel) => t("q × k, channel {channel}", { channel }),
  score: () => t("score"),
  scaled: () => t("scaled score"),
  mask: () => t("mask"),
  exp: () => "exp",
  weight: () => t("weight"),
  weighted: (channel) => t("weight × v, channel {channel}", { channel }),
};
const WAYS = { ...MOVES, Home: [0, -Infinity], End: [0, Infinity] };

// Pixels, as in walk.css, of what sticks to the edges: the head, the first column and, in a narrow window, the weights.
const [WIDE, NARROW] = [{ top: 50, left: 150, right: 0 }, { top: 50, left: 104, right: 75 }];
const narrow = matchMedia("(max-width: 760px)");

/** Scrolls a cell, or what is in it, clear of what sticks to the edges. */
export function keepClear(box, item) {
  keepInView(box, item, !narrow.matches ? WIDE : item.closest(".of-weight") ? { ...NARROW, right: 0 } : NARROW);
}

/** `grid` as keyTable has it; `read` is where a number is described. Returns a function that describes the number being read again. */
export function tableCursor(box, read, grid) {
  const pick = element("span", { class: "pick" });
  let hovered = null; // {j, name, channel}
  let place = null; // {name, channel} that the arrow keys have gone to

  /** Every number of a line that is there yet, {name, channel}. */
  const readable = () => grid.places.filter(grid.reveals).flatMap(({ name, width, channel }) => {
    return channel === null ? Array.from({ length: width }, (_, c) => ({ name, channel: c })) : [{ name, channel }];
  });
  const resting = () => readable().findLast(({ name }) => !["products", "weighted"].includes(name));
  const current = () => hovered ?? { j: state.key, ...(place ?? resting()) };

  function describe() {
    const { row, first } = grid;
    const { j, name, channel } = current();
    const at = grid.places.findIndex((one) => one.name === name && (one.channel ?? channel) === channel);
    const { width, channel: own } = grid.places[at];
    const number = formatNumber(row[name][j * width + channel], row.digits);
    const masked = j >= row.seen && MASKED.includes(name);
    const value = masked ? t("0, masked") : name === "mask" && j < row.seen ? "0" : number;
    write(read, t("key {j} {token} · {what}: {value}", { j, token: `\u2068${wordAt(shownKeys(), j)}\u2069`, what: SPOKEN[name](channel), value }));
    pick.hidden = !hovered && document.activeElement !== box;
    if (pick.hidden) return;
    pick.style.left = own === null ? `calc(var(--from) + var(--ribbon) * ${channel / width})` : "0";
    pick.style.width = own === null ? `calc(var(--ribbon) / ${width})` : "100%";
    grid.lines[j - first].cells[at].append(pick);
  }

  function under({ target, clientX, clientY }) {
    const cell = target.closest("tbody :is(td, th)");
    if (!cell) return null;
    const place = grid.places[cell.cellIndex - 1];
    if (!place) return { j: grid.first + cell.parentNode.sectionRowIndex, ...resting() };
    const { name, width, channel, canvas } = place;
    if (!canvas) return { j: grid.first + cell.parentNode.sectionRowIndex, name, channel };
    const edges = canvas.getBoundingClientRect();
    const line = partAt(clientY - edges.top, edges.height, grid.lines.length);
    return { j: grid.first + line, name, channel: partAt(clientX - edges.left, edges.width, width) };
  }

  function hover(at) {
    hovered = at;
    describe();
  }

  box.addEventListener("pointermove", (event) => hover(under(event)));
  box.addEventListener("pointerleave", () => hover(null));
  box.addEventListener("click", (event) => {
    const at = under(event);
    if (at) change({ key: at.j });
  });
  box.addEventListener("focus", describe);
  box.addEventListener("blur", () => {
    place = null;
    describe();
  });
  box.addEventListener("keydown", (event) => {
    if (!WAYS[event.key]) return;
    event.preventDefault();
    const [down, right] = WAYS[event.key];
    const all = readable();
    const { name, channel } = place ?? resting();
    const now = all.findIndex((one) => one.name === name && one.channel === channel);
    place = all[Math.max(0, Math.min(all.length - 1, now + right))];
    hovered = null;
    const shown = down ? change({ key: state.key + down }) : Promise.resolve(describe());
    shown.then(() => keepClear(box, pick));
  });

  return () => {
    const there = (one) => readable().some(({ name, channel }) => name === one.name && channel === one.channel);
    const inTable = ({ j }) => j >= grid.first && j < grid.first + grid.lines.length;
    if (place && !there(place)) place = null;
    if (hovered && !(there(hovered) && inTable(hovered))) hovered = null;
    describe();
  };
}
