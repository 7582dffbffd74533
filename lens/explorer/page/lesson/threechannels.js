// The query and the keys of the worked example as numbers to be changed, with each product written out.

import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";
import { numberField } from "./field.js";
import { dot, softmax } from "./matrices.js";
import { products, tidy } from "./sums.js";

const NAMES = ["k₁", "k₂", "k₃"];

export function threeChannels({ examples }) {
  const { given } = examples.dot_products;
  const [[query], keys] = given.map(({ rows }) => rows.map((row) => [...row]));
  const results = keys.map(() => ({ product: element("output"), share: element("output", { class: "share" }) }));
  const rows = [
    row("q", query, []),
    ...keys.map((key, at) => row(NAMES[at], key, [results[at].product, results[at].share])),
  ];
  draw();
  return element("div", { class: "three" },
    element("h3", {}, t("The same with three channels")),
    element("p", { class: "note" }, t("Change a number. At the right: what softmax makes of the three products.")),
    ...rows,
  );

  function row(name, vector, results) {
    const fields = vector.map((value, channel) => numberField(value, t("{name}, channel {channel}", { name, channel: channel + 1 }), (typed) => {
      vector[channel] = typed;
      draw();
    }));
    return element("div", { class: "three-row" }, element("b", {}, name), element("span", { class: "fields" }, ...fields), ...results);
  }

  function draw() {
    const scores = keys.map((key) => dot(query, key));
    const shares = softmax(scores);
    results.forEach(({ product, share }, at) => {
      product.textContent = `${products(query, keys[at])} = ${tidy(scores[at], 4)}`;
      share.textContent = formatNumber(shares[at], 4);
    });
  }
}
