// A vector as a strip of colour, or as numbers while they are few; its exact numbers under the pointer and by arrow keys.

import { tint, write } from "../base/cells.js";
import { paintSigned, signedShade } from "../base/colour.js";
import { element, partAt } from "../base/dom.js";
import { brief, whole } from "../base/number.js";

export const MAX_PRINTED = 8; // numbers that can be printed side by side
export const CELL = 64; // pixels of one of them, as walk.css has it

/** The largest absolute value. */
export const largest = (values) => values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);

const MOVES = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -Infinity, End: Infinity };

/**
 * `name` is a node that stands before it, `spoken` its name for a screen reader; `onRead(channel)` is called with the channel
 * that is read, null when none is. Returns {node, show(values, most)}: colours go from -most to most.
 */
export function vector(name, spoken, onRead = () => {}) {
  const canvas = element("canvas");
  const pick = element("span", { class: "pick" });
  const field = element("div", { class: "channels", tabindex: 0, role: "slider", "aria-label": spoken, "aria-valuemin": 0 });
  const read = element("output", { class: "read" }, "");
  const node = element("div", { class: "vector" }, element("span", { class: "name" }, name), field, read);

  let values = [];
  let scale = 1;
  let channel = null; // the one that is read

  function setChannel(next) {
    const before = channel;
    channel = next;
    pick.hidden = channel === null;
    pick.style.left = `${(100 * (channel ?? 0)) / values.length}%`;
    pick.style.width = `${100 / values.length}%`;
    write(read, channel === null ? scaleText() : `${channel}: ${whole(values[channel])}`);
    field.setAttribute("aria-valuenow", channel ?? 0);
    field.setAttribute("aria-valuetext", `channel ${channel ?? 0}: ${whole(values[channel ?? 0])}`);
    if (before !== channel) onRead(channel);
  }

  /** Next to a vector that is not being read: what its strongest colour stands for. */
  const scaleText = () => (values.length > MAX_PRINTED ? `± ${brief(scale)}` : "");

  const at = (event) => {
    const box = field.getBoundingClientRect();
    return partAt(event.clientX - box.left, box.width, values.length);
  };
  const focused = () => (document.activeElement === field ? channel : null);
  field.addEventListener("pointermove", (event) => setChannel(at(event)));
  field.addEventListener("pointerleave", () => setChannel(focused()));
  field.addEventListener("focus", () => setChannel(channel ?? 0));
  field.addEventListener("blur", () => setChannel(null));
  field.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (move === undefined) return;
    event.preventDefault();
    setChannel(Math.max(0, Math.min(values.length - 1, (channel ?? 0) + move)));
  });

  function fit(length) {
    const numbers = length > MAX_PRINTED ? [] : Array.from({ length }, () => element("span", { class: "number" }, ""));
    field.replaceChildren(...(length > MAX_PRINTED ? [canvas] : numbers), pick);
    field.classList.toggle("few", length <= MAX_PRINTED);
    field.setAttribute("aria-valuemax", length - 1);
    channel = null;
  }

  function show(shown, max = largest(shown)) {
    if (shown.length !== values.length) fit(shown.length);
    values = shown;
    scale = max;
    if (values.length > MAX_PRINTED) paintSigned(canvas, values, max);
    else values.forEach((value, index) => {
      write(field.children[index], brief(value));
      tint(field.children[index], signedShade(value, max));
    });
    setChannel(channel);
  }

  return { node, show };
}
