// A vector as a strip of colour, or as numbers while they are few; its exact numbers under the pointer and by arrow keys.

import { tint, write } from "../base/cells.js";
import { paintSigned, signedShade } from "../base/colour.js";
import { element, partAt } from "../base/dom.js";
import { brief, extent, whole } from "../base/number.js";
import { t } from "../base/words.js";

export const MAX_PRINTED = 8; // numbers that can be printed side by side
export const CELL = 64; // pixels of one of them, as walk.css has it

const MOVES = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -Infinity, End: Infinity };

/**
 * `onChoose(channel)` is called with a channel that is clicked or gone to by key. Returns {node, show(values, look)}, look:
 * `name`, what stands before it; `spoken`, its name for a screen reader; colours go from -max to max; the channel that is
 * `chosen` is marked.
 */
export function vector(onChoose = () => {}) {
  const canvas = element("canvas");
  const pick = element("span", { class: "pick" });
  const mark = element("span", { class: "chosen" });
  const field = element("div", { class: "channels", tabindex: 0, role: "slider", "aria-valuemin": 0 });
  const read = element("output", { class: "read" }, "");
  const title = element("span", { class: "name" });
  const node = element("div", { class: "vector" }, title, field, read);

  let values = [];
  let scale = 1;
  let channel = null; // the one that is read

  function place(frame, at) {
    frame.hidden = at === null;
    frame.style.left = `${(100 * (at ?? 0)) / values.length}%`;
    frame.style.width = `${100 / values.length}%`;
  }

  function setChannel(next) {
    channel = next;
    place(pick, channel);
    write(read, channel === null ? scaleText() : `${channel}: ${whole(values[channel])}`);
    field.setAttribute("aria-valuenow", channel ?? 0);
    field.setAttribute("aria-valuetext", t("channel {channel}: {value}", { channel: channel ?? 0, value: whole(values[channel ?? 0]) }));
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
  field.addEventListener("click", (event) => onChoose(at(event)));
  field.addEventListener("blur", () => setChannel(null));
  field.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (move === undefined) return;
    event.preventDefault();
    setChannel(Math.max(0, Math.min(values.length - 1, (channel ?? 0) + move)));
    onChoose(channel);
  });

  function fit(length) {
    const numbers = length > MAX_PRINTED ? [] : Array.from({ length }, () => element("span", { class: "number" }, ""));
    field.replaceChildren(...(length > MAX_PRINTED ? [canvas] : numbers), mark, pick);
    field.classList.toggle("few", length <= MAX_PRINTED);
    field.setAttribute("aria-valuemax", length - 1);
    channel = null;
  }

  function show(shown, { name, spoken, max = extent(shown), chosen = null }) {
    title.replaceChildren(...[name].flat());
    field.setAttribute("aria-label", spoken);
    if (shown.length !== values.length) fit(shown.length);
    values = shown;
    scale = max;
    if (values.length > MAX_PRINTED) paintSigned(canvas, values, max);
    else values.forEach((value, index) => {
      write(field.children[index], brief(value));
      tint(field.children[index], signedShade(value, max));
    });
    place(mark, chosen);
    setChannel(channel);
  }

  return { node, show };
}
