// Rope as clocks: of each pair of channels the query and the key as hands, turned by their positions.

import { element, svg } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";
import { CHANNELS, KEY, QUERY, speed, turned } from "./encodings.js";

const PAIRS = CHANNELS / 2;

/** {node, draw(i, j)}: the query at position i, the key at j. */
export function hands() {
  const dials = Array.from({ length: PAIRS }, (_, pair) => dial(pair));
  const node = element("div", { class: "clocks" }, ...dials.map(({ node }) => node));

  function draw(i, j) {
    const [query, key] = [turned(QUERY, i), turned(KEY, j)];
    dials.forEach((one) => one.draw(query, key));
  }

  return { node, draw };
}

function dial(pair) {
  const longest = Math.max(...[QUERY, KEY].map((vector) => Math.hypot(vector[pair], vector[pair + PAIRS])));
  const [query, key] = ["query", "key"].map((name) => svg("line", { class: name, x1: 0, y1: 0 }));
  const values = { first: pair, second: pair + PAIRS, angle: formatNumber(speed(pair), pair) };
  const name = t("channels {first} and {second}: {angle} rad a position", values);
  const picture = svg("svg", { viewBox: "-1.1 -1.1 2.2 2.2", role: "img", "aria-label": name }, svg("circle", { r: 1 }), key, query);
  const node = element("figure", {}, picture, element("figcaption", {}, t("{first}, {second}: {angle} rad", values)));

  function draw(...vectors) {
    [query, key].forEach((hand, at) => {
      hand.setAttribute("x2", vectors[at][pair] / longest);
      hand.setAttribute("y2", -vectors[at][pair + PAIRS] / longest);
    });
  }

  return { node, draw };
}
