// Rotary positions: q and k are rotated by their position, pair of channels by pair.

import { element, svg } from "../base/dom.js";
import { brief, figure } from "../base/number.js";
import { phrase, t } from "../base/words.js";

/** The angle by which one position rotates channel c and its partner c + K/2, in radians. */
const anglePerPosition = (theta, c, K) => theta ** ((-2 * c) / K);

/** A vector (K) rotated by its position. */
export function turn(values, position, theta) {
  const half = values.length / 2;
  const turned = new Float64Array(values.length);
  for (let c = 0; c < half; c++) {
    const angle = position * anglePerPosition(theta, c, values.length);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    turned[c] = values[c] * cos - values[c + half] * sin;
    turned[c + half] = values[c + half] * cos + values[c] * sin;
  }
  return turned;
}

/** A vector (K) as it was before it was rotated by its position. */
export const undoRotation = (after, position, theta) => turn(after, -position, theta);

/**
 * One pair of channels of q and of k, drawn in its plane and written out, then all of them as a table. Returns
 * show([{name(), letter, position, before, after}, …], channel, theta).
 */
export function rotation(host) {
  const title = element("p", { class: "formula" });
  const dials = element("div", { class: "dials" });
  const table = element("table", { class: "pairs" });
  const all = element("details", { ontoggle: () => all.open && list() }, element("summary", {}, t("All pairs")), element("div", { class: "wide" }, table));
  host.append(title, dials, all);
  let shown = null; // {vectors, theta}

  function list() {
    const { vectors, theta } = shown;
    const [{ after }] = vectors;
    const half = after.length / 2;
    const heads = vectors.flatMap(({ name, position }) => [
      element("th", { scope: "col" }, t("angle at {position}", { position })),
      element("th", { scope: "col" }, ...phrase("{vector} before", { vector: name() })),
      element("th", { scope: "col" }, ...phrase("{vector} after", { vector: name() })),
    ]);
    const rows = Array.from({ length: half }, (_, c) => element("tr", {},
      element("th", { scope: "row" }, `${c}, ${c + half}`),
      ...vectors.flatMap(({ position, before, after }) => [
        element("td", {}, figure(position * anglePerPosition(theta, c, 2 * half))),
        ...[before, after].map((values) => element("td", {}, figure(values[c]), ", ", figure(values[c + half]))),
      ])));
    table.replaceChildren(
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, t("channels")), ...heads)),
      element("tbody", {}, ...rows));
  }

  return (vectors, channel, theta) => {
    shown = { vectors, theta };
    const K = vectors[0].after.length;
    const c = channel % (K / 2);
    const angle = figure(anglePerPosition(theta, c, K));
    title.replaceChildren(...phrase("Channels {first} and {second}, by position × {formula} = position × {angle}:", {
      first: String(c), second: String(c + K / 2), formula: `${theta} ** (−2 · ${c} / ${K})`, angle,
    }));
    dials.replaceChildren(...vectors.map((one) => element("div", { class: "dial" }, dial(one, c), says(one, c, theta))));
    if (all.open) list();
  };
}

function says({ name, position, before, after }, c, theta) {
  const angle = anglePerPosition(theta, c, after.length);
  return element("p", { class: "formula" },
    ...phrase("{vector} at {position}: {position} × {angle} = {product} rad", { vector: name(), position: String(position), angle: figure(angle), product: figure(position * angle) }),
    element("br"), ...pair(before, c), " → ", ...pair(after, c));
}

const pair = (values, c) => ["(", figure(values[c]), ", ", figure(values[c + values.length / 2]), ")"];

/** The pair as an arrow before, faint, and after. */
function dial({ letter, before, after }, c) {
  const half = before.length / 2;
  const length = Math.hypot(before[c], before[c + half]) || 1;
  const arrow = (values, kind) => svg("line", { class: kind, x1: 0, y1: 0, x2: values[c] / length, y2: -values[c + half] / length });
  const numbers = [before[c], before[c + half], after[c], after[c + half]].map(brief);
  const label = t("{letter}: from {a}, {b} to {c}, {d}", { letter, a: numbers[0], b: numbers[1], c: numbers[2], d: numbers[3] });
  return svg("svg", { viewBox: "-1.15 -1.15 2.3 2.3", role: "img", "aria-label": label },
    svg("circle", { r: 1 }), svg("line", { x1: -1, x2: 1 }), svg("line", { y1: -1, y2: 1 }),
    arrow(before, "before"), arrow(after, "after"));
}
