// Where the channels of qkv go: a strip for each, into the heads, and from their outputs through proj.

import { svg } from "../base/dom.js";
import { channelsOf } from "./multihead.js";

const GAP = { part: 4, head: 12 };
const ROWS = { qkv: 20, parts: 92, z: 166, out: 240, height: 268 };
const STRIP = 22;
const MIN_FOR_NUMBER = 15; // the width of a strip in which its number can be read

/** A hue for each head; queries are darkest, values lightest. */
export const colourOfHead = (head, part = "K") => `oklch(${{ Q: 0.64, K: 0.73, V: 0.83 }[part]} 0.13 ${(262 + head * 137.5) % 360})`;

/** {node, draw(sizes, order)}; `order`: which channel stands at each place of qkv. */
export function channelPicture(names) {
  const node = svg("svg", { class: "channels", role: "img" });
  let [stood, count] = [[], 0]; // where the strips of qkv were drawn last, and of how many

  function draw(sizes, order) {
    const width = node.parentNode.clientWidth;
    if (!width) return; // not laid out yet
    const channels = channelsOf(sizes);
    const gaps = sizes.num_heads * 2 * GAP.part + (sizes.num_heads - 1) * GAP.head;
    const unit = Math.min(44, (width - gaps - 2) / channels.length);
    const placeOf = new Map(order.map((channel, place) => [channel, place]));
    const below = placesInHeads(channels, sizes, unit);
    const start = (width - unit * channels.length) / 2;
    const startOfHeads = (width - below.width) / 2;
    const startOfZ = (width - unit * sizes.dim) / 2;
    const [lines, strips, words] = [svg("g"), svg("g"), svg("g")];

    channels.forEach((one, at) => {
      const x = start + placeOf.get(at) * unit;
      const to = startOfHeads + below.x[at];
      const colour = colourOfHead(one.head, one.part);
      lines.append(curve(x + unit / 2, ROWS.qkv + STRIP, to + unit / 2, ROWS.parts, colour));
      const top = strip(x, ROWS.qkv, unit, colour, at);
      if (count === channels.length) move(top, stood[at] - x);
      stood[at] = x;
      strips.append(top, strip(to, ROWS.parts, unit, colour, at));
      if (one.part !== "V") return;
      const z = startOfZ + (one.head * sizes.head_dim + one.channel) * unit;
      lines.append(curve(to + unit / 2, ROWS.parts + STRIP, z + unit / 2, ROWS.z, colour));
      strips.append(strip(z, ROWS.z, unit, colour));
    });
    for (let channel = 0; channel < sizes.dim; channel++) strips.append(strip(startOfZ + channel * unit, ROWS.out, unit, "var(--faint)"));

    count = channels.length;
    const middle = width / 2;
    words.append(word(middle, 12, names.qkv(channels.length)));
    words.append(word(middle, ROWS.z - 8, names.z), word(middle, ROWS.out - 20, names.proj), word(middle, ROWS.out + STRIP + 14, names.out));
    for (const { x, text } of below.labels) words.append(word(startOfHeads + x, ROWS.parts + STRIP + 13, text));
    const mixing = svg("path", {
      class: "mixing",
      d: `M${startOfZ},${ROWS.z + STRIP} H${startOfZ + unit * sizes.dim} L${startOfZ + unit * sizes.dim},${ROWS.out} H${startOfZ} Z`,
    });
    node.replaceChildren(mixing, lines, strips, words);
    node.setAttribute("viewBox", `0 0 ${width} ${ROWS.height + 14}`);
    node.setAttribute("aria-label", names.picture);
  }

  return { node, draw };
}

/** Where each channel stands in its head, and the letters below: {x, labels, width}. */
function placesInHeads(channels, { num_heads }, unit) {
  const [x, labels] = [[], []];
  let at = 0;
  for (let head = 0; head < num_heads; head++) {
    for (const part of ["Q", "K", "V"]) {
      const from = at;
      channels.forEach((one, index) => {
        if (one.head !== head || one.part !== part) return;
        x[index] = at;
        at += unit;
      });
      labels.push({ x: (from + at) / 2, text: at - from + GAP.part > 22 ? `${part}${subscript(head)}` : part });
      at += GAP.part;
    }
    at += GAP.head - GAP.part;
  }
  return { x, labels, width: at - GAP.head };
}

const subscript = (number) => Array.from(`${number}`, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");

function strip(x, y, unit, colour, number) {
  const rect = svg("rect", { x: x + 0.5, y, width: Math.max(1, unit - 1), height: STRIP, rx: Math.min(3, unit / 5) });
  rect.style.fill = colour;
  if (number === undefined || unit < MIN_FOR_NUMBER) return rect;
  const text = svg("text", { class: "on-strip", x: x + unit / 2, y: y + 15.5 }, `${number}`);
  return svg("g", { "data-channel": number }, rect, text);
}

function curve(x, y, toX, toY, colour) {
  const middle = (y + toY) / 2;
  const path = svg("path", { d: `M${x},${y} C${x},${middle} ${toX},${middle} ${toX},${toY}` });
  path.style.stroke = colour;
  return path;
}

/** A strip comes from as far away as it stood before. */
function move(node, from) {
  if (from === 0 || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  node.animate([{ transform: `translateX(${from}px)` }, { transform: "none" }], { duration: 600, easing: "ease-in-out" });
}

const word = (x, y, text) => svg("text", { class: "token", x, y }, text);
