// A dot product channel by channel, as a sum is done on paper.

import { write } from "../base/cells.js";
import { element } from "../base/dom.js";
import { brief, whole } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { factor, result } from "./sums.js";

const MAX_WRITTEN = 3; // products that are written out in the sum, the largest

/** The products as a list. Returns show(one, other, largestFirst = false). */
export function ledger(host) {
  const list = element("ol", { class: "ledger" });
  host.append(list);
  let lines = [];

  function build(length) {
    lines = Array.from({ length }, () => {
      const [channel, ...numbers] = ["channel", "number", "number", "number"].map((kind) => element("span", { class: kind }, ""));
      return { item: element("li", {}, channel, numbers[0], " × ", numbers[1], " = ", numbers[2]), channel, numbers };
    });
    list.replaceChildren(...lines.map(({ item }) => item));
  }

  return (one, other, largestFirst = false) => {
    if (lines.length !== one.length) build(one.length);
    const order = largestFirst ? byProduct(one, other) : one.keys();
    for (const [at, c] of [...order].entries()) {
      const { item, channel, numbers } = lines[at];
      const values = [one[c], other[c], one[c] * other[c]];
      write(channel, String(c));
      values.forEach((value, place) => write(numbers[place], brief(value)));
      const [first, second, product] = values.map(whole);
      item.title = `${first} × ${second} = ${product}`;
    }
  };
}

/** The channels, that of the largest product first. */
function byProduct(one, other) {
  const size = (c) => Math.abs(one[c] * other[c]);
  return [...one.keys()].sort((a, b) => size(b) - size(a));
}

/**
 * A dot product as one line, its largest products written out, and all of them to be opened. Returns show(name, one, other,
 * bias, after): `name` and `after` are nodes before the sum and behind its result, `bias` a number or null.
 */
export function multipliedOut(host) {
  const line = element("p", { class: "formula" });
  const summary = element("summary", {}, "");
  const order = element("input", { type: "checkbox", onchange: () => list() });
  const body = element("div");
  const all = element("details", { class: "products", ontoggle: () => list() }, summary,
    element("label", { class: "order" }, order, " ", t("largest first")), body);
  host.append(line, all);
  const showLedger = ledger(body);
  let shown = null;

  const list = () => shown && all.open && showLedger(...shown, order.checked);

  return (name, one, other, bias, after) => {
    shown = [one, other];
    const channels = byProduct(one, other);
    const [written, rest] = [channels.slice(0, MAX_WRITTEN), channels.slice(MAX_WRITTEN)];
    const product = (c) => one[c] * other[c];
    const others = rest.reduce((sum, c) => sum + product(c), 0);
    const total = written.reduce((sum, c) => sum + product(c), others) + (bias ?? 0);
    line.replaceChildren(
      ...name, " = ",
      ...written.flatMap((c, at) => [at ? " + " : "", factor(one[c]), " × ", factor(other[c])]),
      ...(rest.length ? phrase(" + {sum} (the other {count})", { sum: factor(others), count: String(rest.length) }) : []),
      ...(bias === null ? [] : phrase(" + {bias} (bias)", { bias: factor(bias) })),
      " = ", result(total), ...after,
    );
    write(summary, t("All {count} products", { count: one.length }));
    list();
  };
}
