// A plane with arrows from its middle, whose heads are dragged or moved by the arrow keys.

import { MOVES, element, svg } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";

const REACH = 3; // of the axes, each way
const UNIT = 50; // of the drawing, to 1 of a vector
const SIDE = 2 * (REACH + 0.3) * UNIT;
const STEP = 0.25; // of an arrow key

/**
 * {node, draw}. draw(arrows): [{name, vector, kind}], kind a class of the style; onmove(index, vector) is called when one is
 * moved. axes: the names of the two channels.
 */
export function plane(axes, onmove) {
  const lines = svg("g", { class: "grid" });
  for (let at = -REACH; at <= REACH; at++) {
    const kind = at === 0 ? "axis" : "line";
    lines.append(svg("line", { class: kind, x1: at * UNIT, x2: at * UNIT, y1: -REACH * UNIT, y2: REACH * UNIT }));
    lines.append(svg("line", { class: kind, y1: at * UNIT, y2: at * UNIT, x1: -REACH * UNIT, x2: REACH * UNIT }));
  }
  const names = [
    svg("text", { class: "axis-name", x: REACH * UNIT, y: -6, "text-anchor": "end" }, axes[0]),
    svg("text", { class: "axis-name", x: 6, y: -REACH * UNIT + 10 }, axes[1]),
  ];
  const arrowsNode = svg("g");
  const drawing = svg("svg", { viewBox: `${-SIDE / 2} ${-SIDE / 2} ${SIDE} ${SIDE}` }, lines, ...names, arrowsNode);
  const node = element("div", { class: "plane" }, drawing);
  let arrows = [];
  let parts = [];

  function build() {
    parts = arrows.map(({ kind }, index) => {
      const part = {
        line: svg("line", { class: "shaft" }),
        tip: svg("path", { class: "tip", d: "M0 0 L-13 6 L-13 -6 Z" }),
        label: svg("text", { class: "arrow-name" }),
        handle: svg("circle", { class: "handle", r: 24, tabindex: 0, role: "slider", "aria-valuemin": -REACH, "aria-valuemax": REACH }),
      };
      part.group = svg("g", { class: `arrow ${kind}` }, part.line, part.tip, part.label, part.handle);
      part.handle.addEventListener("pointerdown", (event) => {
        part.handle.setPointerCapture(event.pointerId);
        part.handle.focus();
        event.preventDefault();
      });
      part.handle.addEventListener("pointermove", (event) => {
        if (part.handle.hasPointerCapture(event.pointerId)) onmove(index, placeOf(event));
      });
      part.handle.addEventListener("keydown", (event) => {
        const [down, right] = MOVES[event.key] ?? [];
        if (down === undefined) return;
        const [x, y] = arrows[index].vector;
        onmove(index, [x + STEP * right, y - STEP * down].map(within));
        event.preventDefault();
      });
      return part;
    });
    arrowsNode.replaceChildren(...parts.map(({ group }) => group));
  }

  /** Where the pointer is, to a tenth. */
  function placeOf({ clientX, clientY }) {
    const box = drawing.getBoundingClientRect();
    const along = (at, start, size) => (((at - start) / size - 0.5) * SIDE) / UNIT;
    const [x, y] = [along(clientX, box.left, box.width), -along(clientY, box.top, box.height)];
    return [x, y].map((value) => within(Math.round(10 * value) / 10));
  }

  function draw(shown) {
    const isNew = shown.length !== arrows.length || shown.some(({ kind }, at) => kind !== arrows[at].kind);
    arrows = shown;
    if (isNew) build();
    arrows.forEach(({ name, vector: [x, y] }, at) => {
      const { line, tip, label, handle } = parts[at];
      const [right, down] = [x * UNIT, -y * UNIT];
      const length = Math.hypot(right, down);
      const end = Math.max(0, 1 - 10 / (length || 1));
      place(line, { x2: right * end, y2: down * end });
      place(tip, { transform: `translate(${right} ${down}) rotate(${(Math.atan2(down, right) * 180) / Math.PI})` });
      const outward = length ? [right / length, down / length] : [0, -1];
      place(label, { x: keep(right + 16 * outward[0]), y: keep(down + 16 * outward[1]) + 4, "text-anchor": outward[0] < -0.3 ? "end" : outward[0] > 0.3 ? "start" : "middle" });
      label.textContent = name;
      place(handle, {
        cx: right, cy: down, "aria-label": name, "aria-valuenow": x,
        "aria-valuetext": t("{x} across, {y} up", { x: formatNumber(x, 2), y: formatNumber(y, 2) }),
      });
    });
  }

  return { node, draw };
}

const within = (value) => Math.max(-REACH, Math.min(REACH, value));

const keep = (at) => Math.max(-SIDE / 2 + 12, Math.min(SIDE / 2 - 12, at));

function place(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}
