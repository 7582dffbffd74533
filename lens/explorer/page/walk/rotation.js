// Rotary positions: q and k before they were rotated by their position, pair of channels by pair.

import { element, svg } from "../base/dom.js";
import { brief, figure, whole } from "../base/number.js";
import { vectorOf } from "./names.js";

/** The angle by which one position rotates channel c and its partner c + K/2, in radians. */
const anglePerPosition = (base, c, K) => base ** ((-2 * c) / K);

/** A vector (K) as it was before it was rotated by its position. */
export function undoRotation(after, position, base) {
  const half = after.length / 2;
  const before = new Float64Array(after.length);
  for (let c = 0; c < half; c++) {
    const angle = position * anglePerPosition(base, c, after.length);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    before[c] = after[c] * cos + after[c + half] * sin;
    before[c + half] = after[c + half] * cos - after[c] * sin;
  }
  return before;
}

/**
 * One pair of channels of q_i and of k_j, drawn in its plane and written out, then all of them as a table. Returns
 * show([{letter, index, position, before, after}, …], channel, base).
 */
export function rotation(host) {
  const says = element("p", { class: "says" });
  const title = element("p", { class: "formula" });
  const dials = element("div", { class: "dials" });
  const table = element("table", { class: "pairs" });
  const all = element("details", {}, element("summary", {}, "All pairs"), element("div", { class: "wide" }, table));
  host.append(says, title, dials, all);
  let shown = null;
  let base = null; // of the angles

  function list() {
    const [{ after }] = shown;
    const half = after.length / 2;
    const heads = shown.flatMap(({ letter, index, position }) => [
      element("th", { scope: "col" }, `angle at ${position}`),
      element("th", { scope: "col" }, vectorOf(letter, index), " before"),
      element("th", { scope: "col" }, vectorOf(letter, index), " after"),
    ]);
    const rows = Array.from({ length: half }, (_, c) => element("tr", {},
      element("th", { scope: "row" }, `${c}, ${c + half}`),
      ...shown.flatMap(({ position, before, after }) => [
        element("td", {}, figure(position * anglePerPosition(base, c, 2 * half))),
        ...[before, after].map((values) => element("td", {}, figure(values[c]), ", ", figure(values[c + half]))),
      ])));
    table.replaceChildren(
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "channels"), ...heads)),
      element("tbody", {}, ...rows));
  }
  all.addEventListener("toggle", () => all.open && list());

  return (vectors, channel, theta) => {
    [shown, base] = [vectors, theta];
    const K = vectors[0].after.length;
    const c = channel % (K / 2);
    says.textContent = `rope rotates each channel c together with channel c + ${K / 2}, by an angle that grows with the position. `
      + "q and k were logged after the rotation; what they were before it is computed back here.";
    const angle = `position × ${base} ** (−2 · ${c} / ${K}) = position × `;
    title.replaceChildren(`Channels ${c} and ${c + K / 2}, by ${angle}`, figure(anglePerPosition(base, c, K)), ":");
    dials.replaceChildren(...vectors.map((one) => element("div", { class: "dial" }, dial(one, c), element("p", { class: "formula" },
      vectorOf(one.letter, one.index), ` at ${one.position}: ${one.position} × `, figure(anglePerPosition(base, c, K)), " = ",
      figure(one.position * anglePerPosition(base, c, K)), " rad", element("br"), ...pair(one.before, c), " → ", ...pair(one.after, c)))));
    if (all.open) list();
  };
}

const pair = (values, c) => ["(", figure(values[c]), ", ", figure(values[c + values.length / 2]), ")"];

/** The pair as an arrow before, faint, and after. */
function dial({ letter, before, after }, c) {
  const half = before.length / 2;
  const length = Math.hypot(before[c], before[c + half]) || 1;
  const arrow = (values, kind) => svg("line", { class: kind, x1: 0, y1: 0, x2: values[c] / length, y2: -values[c + half] / length });
  const label = `${letter}: from ${brief(before[c])}, ${brief(before[c + half])} to ${whole(after[c])}, ${whole(after[c + half])}`;
  return svg("svg", { viewBox: "-1.15 -1.15 2.3 2.3", role: "img", "aria-label": label },
    svg("circle", { r: 1 }), svg("line", { class: "axis", x1: -1, x2: 1 }), svg("line", { class: "axis", y1: -1, y2: 1 }),
    arrow(before, "before"), arrow(after, "after"));
}
