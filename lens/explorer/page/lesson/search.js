// Chapter 1: a dot product as two arrows, a search as one query against several keys, and the same in three channels.

import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";
import { button, toggle } from "./field.js";
import { dot, softmax } from "./matrices.js";
import { plane } from "./plane.js";
import { products } from "./sums.js";
import { threeChannels } from "./threechannels.js";

const REACH = 3; // of the plane
const STRAIGHT = 0.005; // a product closer to 0 is shown as 0

// The numbers of the chapter's text and code, invented: a query and a key say how much sushi and how near, below zero for the
// opposite; the value of a key is a price.
const PLACES = [
  { name: t("Sushi Mai, round the corner"), key: [2, 2], price: 30 },
  { name: t("Sushi Sea, across the river"), key: [2, -1], price: 20 },
  { name: t("Pho Hoa, next door"), key: [-1, 2], price: 10 },
];
const LETTERS = ["A", "B", "C"];
const ASKED = [
  [t("sushi near me"), [2, 1]],
  [t("sushi, however far"), [2, 0]],
  [t("anything near"), [0, 2]],
];

export function search(host, lesson) {
  const scenes = {
    one: { query: [2, 1], keys: [[1, 1.5]], names: ["k"] },
    two: { query: [2, 1], keys: [[1, 1.5], [1, -1]], names: ["k₁", "k₂"] },
    places: { query: [...ASKED[0][1]], keys: PLACES.map(({ key }) => [...key]), names: LETTERS },
  };
  let scene = scenes.one;
  const planes = {
    plain: plane(["x₁", "x₂"], move),
    places: plane([t("sushi →"), t("near ↑")], move),
  };
  const product = element("div", { class: "result" });
  const says = element("p", { class: "sign", "aria-live": "polite" });
  const table = element("div", { class: "shares" });
  const mixture = element("p", { class: "mixture" });
  const oneKey = element("div", { class: "buttons" },
    button(t("k twice as long"), () => stretch(2)), button(t("k half as long"), () => stretch(0.5)), button(t("k turned round"), () => stretch(-1)));
  const asked = element("div", { class: "buttons" }, ...ASKED.map(([text, query]) => button(`“${text}”`, () => move(0, query))));
  const way = toggle(t("What is compared"), [["one", t("One key")], ["two", t("Two keys")], ["places", t("Restaurants")]], "one", (name) => {
    scene = scenes[name];
    draw();
  });
  const reading = element("div", { class: "reading" }, asked, product, says, oneKey, table, mixture);
  host.append(
    element("h3", {}, t("Drag an arrow")), way.node,
    element("div", { class: "search" }, planes.plain.node, planes.places.node, reading),
    threeChannels(lesson),
  );
  draw();

  function move(index, vector) {
    if (index === 0) scene.query = [...vector];
    else scene.keys[index - 1] = [...vector];
    draw();
  }

  function stretch(factor) {
    const [key] = scene.keys;
    const longer = key.map((value) => factor * value);
    if (Math.max(...longer.map(Math.abs)) <= REACH) move(1, longer);
  }

  function draw() {
    const isPlaces = scene === scenes.places;
    const { query, keys, names } = scene;
    const scores = keys.map((key) => dot(query, key));
    const shown = isPlaces ? planes.places : planes.plain;
    for (const one of Object.values(planes)) one.node.hidden = one !== shown;
    shown.draw([{ name: "q", vector: query, kind: "asks" }, ...keys.map((vector, at) => ({ name: names[at], vector, kind: "key" }))]);
    const isOne = keys.length === 1;
    product.hidden = says.hidden = oneKey.hidden = !isOne;
    table.hidden = isOne;
    asked.hidden = mixture.hidden = !isPlaces;
    if (isOne) drawProduct(query, keys[0]);
    else drawShares(scores, names, isPlaces);
  }

  function drawProduct(query, key) {
    const value = dot(query, key);
    product.replaceChildren(
      element("span", {}, `q·k = ${products(query, key)} =`),
      element("output", { class: "large" }, formatNumber(value, 2)),
    );
    const sign = Math.abs(value) < STRAIGHT ? t("At right angles, or no arrow at all: zero.")
      : value > 0 ? t("They point more the same way than not: above zero. The longer an arrow, the more.")
      : t("They point opposite ways: below zero. The longer an arrow, the more so.");
    const [one, other] = [query, key].map((vector) => Math.hypot(...vector));
    const angle = one && other ? (Math.acos(Math.max(-1, Math.min(1, value / (one * other)))) * 180) / Math.PI : 0;
    says.replaceChildren(sign, element("span", { class: "note" }, t("Lengths {q} and {k}, angle {angle}°", {
      q: formatNumber(one, 2), k: formatNumber(other, 2), angle: formatNumber(angle, 0),
    })));
  }

  function drawShares(scores, names, isPlaces) {
    const shares = softmax(scores);
    table.replaceChildren(...scores.map((score, at) => element("div", { class: "share-row" },
      element("b", {}, names[at]),
      element("span", { class: "what" }, ...whatOf(at, isPlaces)),
      element("span", { class: "fit" }, formatNumber(score, 2)),
      bar(shares[at]),
      element("output", { class: "share" }, formatNumber(shares[at], 4)),
    )));
    if (!isPlaces) return;
    const prices = PLACES.map(({ price }) => price);
    mixture.replaceChildren(
      t("Asked for the price, a mixture of all three values comes back:"),
      element("span", {}, `${products(shares, prices, 4)} =`),
      element("output", { class: "large" }, formatNumber(dot(shares, prices), 2)),
    );
  }

  function whatOf(at, isPlaces) {
    const product = products(scene.query, scene.keys[at]);
    if (!isPlaces) return [product];
    return [PLACES[at].name, element("span", { class: "note" }, t("{product}; price {price}", { product, price: PLACES[at].price }))];
  }
}

/** A share as a length. */
export function bar(share) {
  const filled = element("span", { class: "filled" });
  filled.style.width = `${100 * share}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, filled);
}
