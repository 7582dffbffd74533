// A head's map at one step of the film, packed as docs/film.py packs it: a pixel for each weight, read by pointer or keys.

import { shade } from "../base/colour.js";
import { element, MOVES, partAt } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { t } from "../base/words.js";

/** {node, draw(step), weight(query, key)}; `mark`: a pair [query, key] that is ringed, and read where no other is. */
export function headMap({ layer, head, label, maps, tokens, mark }) {
  const size = tokens.length;
  const canvas = element("canvas", { width: size, height: size });
  const ring = element("span", { class: "film-ring" });
  const cursor = element("span", { class: "film-cursor", hidden: "" });
  const name = `${layer}.${head}`;
  const field = element("div", { class: "film-field", tabindex: 0, role: "group", "aria-label": t("Map of head {head}; arrow keys move from cell to cell", { head: name }) },
    canvas, ring, cursor);
  const readout = element("p", { class: "film-read", "aria-live": "polite" });
  const node = element("figure", { class: "film-map" },
    element("figcaption", {}, element("b", {}, t("head {head}", { head: name })), " ", label), field, readout);
  let step = maps.length - 1;
  let [query, key] = mark;

  const weight = (q, k) => (k > q ? 0 : (maps[step].charCodeAt((q * (q + 1)) / 2 + k) - 48) / 100);

  function put(box, q, k) {
    Object.assign(box.style, { left: `${(100 * k) / size}%`, top: `${(100 * q) / size}%`, width: `${100 / size}%`, height: `${100 / size}%` });
  }

  function read(q, k) {
    [query, key] = [q, Math.min(q, k)];
    cursor.hidden = query === mark[0] && key === mark[1];
    put(cursor, query, key);
    const word = (at) => element("bdi", { class: "token", lang: "en" }, wordAt(tokens, at));
    readout.replaceChildren(word(query), " → ", word(key), " ", element("b", { class: "number" }, weight(query, key).toFixed(2)));
  }

  field.addEventListener("pointermove", (event) => {
    const { left, top, width, height } = field.getBoundingClientRect();
    read(partAt(event.clientY - top, height, size), partAt(event.clientX - left, width, size));
  });
  field.addEventListener("pointerleave", () => read(...mark));
  field.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    read(Math.max(0, Math.min(size - 1, query + move[0])), Math.max(0, key + move[1]));
  });

  function draw(shown) {
    step = shown;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, size, size);
    for (let q = 0; q < size; q++) {
      for (let k = 0; k <= q; k++) {
        context.fillStyle = shade(weight(q, k), 1, "absolute").background;
        context.fillRect(k, q, 1, 1);
      }
    }
    read(query, key);
  }
  put(ring, ...mark);
  return { node, draw, weight };
}
