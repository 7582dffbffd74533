// The dot product of the query and one key, channel by channel, as a sum is done on paper.

import { write } from "../base/cells.js";
import { element } from "../base/dom.js";
import { brief, whole } from "../base/number.js";

export function dotProduct(host) {
  const list = element("ol", { class: "ledger", start: 0 });
  host.append(list);
  let lines = [];

  function build(length) {
    lines = Array.from({ length }, (_, channel) => {
      const numbers = Array.from({ length: 3 }, () => element("span", { class: "number" }, ""));
      const name = element("span", { class: "channel" }, String(channel));
      return { item: element("li", {}, name, numbers[0], " × ", numbers[1], " = ", numbers[2]), numbers };
    });
    list.replaceChildren(...lines.map(({ item }) => item));
  }

  return ({ row: { q, k, products }, j }) => {
    const K = q.length;
    if (lines.length !== K) build(K);
    lines.forEach(({ item, numbers }, c) => {
      const values = [q[c], k[j * K + c], products[j * K + c]];
      values.forEach((value, at) => write(numbers[at], brief(value)));
      const [one, other, product] = values.map(whole);
      item.title = `${one} × ${other} = ${product}`;
    });
  };
}
