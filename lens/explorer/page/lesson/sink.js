// Exercise: four maps, one of them a sink. The measure is that of lens/patterns.py: the mean of A[i, 0] over i >= 1.

import { shade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { generator } from "../live/sampling.js";
import { causal, hideFuture } from "./attention.js";
import { softmax } from "./matrices.js";
import { matrix } from "./matrix.js";

const TOKENS = ["▸", "A", "B", "C", "D", "A", "B", "C", "D"];
const PERIOD = 4;
const NOISE = 0.8; // how far the invented scores are strewn, as none of a trained head is exact

/** The score by which each head prefers a key to the others, and its name. */
const HEADS = {
  induction: { lift: (query, key) => (key === query - PERIOD + 1 && key > 1 ? 5 : 0), name: t("an induction head") },
  spread: { lift: () => 0, name: t("a head that looks at everything a little") },
  sink: { lift: (_, key) => (key === 0 ? 4 : 0), name: t("a sink") },
  previous: { lift: (query, key) => (key === query - 1 ? 5 : 0), name: t("a previous-token head") },
};

/** The maps by name, of invented scores: weights that are masked are 0. */
export function inventedMaps() {
  const random = generator(7);
  const mapOf = ({ lift }) => TOKENS.map((_, query) => softmax(TOKENS.map((_, key) => {
    const strewn = NOISE * (2 * random() - 1);
    return causal(query, key) ? lift(query, key) + strewn : -Infinity;
  })));
  return Object.fromEntries(Object.entries(HEADS).map(([name, head]) => [name, mapOf(head)]));
}

export const firstToken = (map) => map.slice(1).reduce((sum, row) => sum + row[0], 0) / (map.length - 1);

export function sink(host) {
  const maps = inventedMaps();
  const verdict = element("p", { class: "verdict", role: "status" });
  const drawn = Object.entries(maps).map(([name, map], at) => {
    const table = matrix(t("map {letter}", { letter: "ABCD"[at] }), { write: null, colour: (weight) => shade(weight, 1, "absolute") });
    table.node.append(element("button", { type: "button", class: "plain", "data-map": name, onclick: () => answer(name, map) }, t("{letter} is the sink", { letter: "ABCD"[at] })));
    return { table, map };
  });
  host.append(
    element("p", {}, t("A head with nothing to fetch must still give its weight to something. Which of these four rests on the first token?")),
    element("div", { class: "side-by-side four" }, ...drawn.map(({ table }) => table.node)),
    verdict, element("p", { class: "note" }, t("The maps are invented for this exercise; rows ask, columns are looked at.")),
  );

  function answer(name, map) {
    const values = { name: HEADS[name].name, measure: element("code", {}, t("mean of A[i, 0]")), value: element("b", {}, formatNumber(firstToken(map), 3)) };
    verdict.classList.toggle("right", name === "sink");
    verdict.replaceChildren(...(name === "sink"
      ? phrase("Yes. The {measure}, over all rows but the first, is {value}: most of what it gives goes to the first token, whatever that token is.", values)
      : phrase("A good look, but not this one: it is {name}. Its {measure}, over all rows but the first, is {value}; look for a first column that stands out.", values)));
  }

  function draw() {
    for (const { table, map } of drawn) {
      table.show(hideFuture(map), TOKENS, TOKENS);
    }
  }

  draw();
  return draw;
}
