// What the attention reads: the stream of the query and of the key, and x, which the norm makes of it.

import { element } from "../base/dom.js";
import { extent } from "../base/number.js";
import { t } from "../base/words.js";
import { ofKey, ofQuery } from "./names.js";
import { normSum, normalise } from "./norm.js";
import { loggedAs } from "./sums.js";
import { vector } from "./vector.js";

/** Of the query, and of the key where it is another of the same sequence; the stream where the model is in the page. */
export function inputs(host) {
  let drawn = null;
  let channel = 0;
  const choose = (next) => {
    channel = next;
    show(drawn);
  };
  const tokens = [
    { of: ofQuery, spoken: [t("stream at the query"), t("x of the query")] },
    { of: ofKey, spoken: [t("stream at the key"), t("x of the key")] },
  ].map((token) => ({ ...token, stream: vector(choose), x: vector(choose), line: element("p", { class: "formula" }) }));
  host.append(...tokens.flatMap(({ stream, x, line }) => [stream.node, x.node, line]));

  function show(context) {
    drawn = context;
    const { prompt, full, found, isLogged, layer, i, j } = context;
    const there = i === j || prompt.keys ? [i] : [i, j];
    const streams = found ? there.map((position) => found.full.stream.at(layer, position)) : null;
    const max = { x: largestOf(there.map((position) => full.x.at(layer, position))), stream: streams && largestOf(streams) };
    tokens.forEach(({ of, spoken, stream, x, line }, at) => {
      x.node.hidden = at >= there.length;
      stream.node.hidden = line.hidden = x.node.hidden || !found;
      if (x.node.hidden) return;
      const chosen = found ? channel : null;
      x.show(full.x.at(layer, there[at]), { name: of("x"), spoken: spoken[1], max: max.x, chosen });
      if (!found) return;
      stream.show(streams[at], { name: of(t("stream")), spoken: spoken[0], max: max.stream, chosen });
      const { norm, epsilon } = found.model.config;
      const normed = normalise(streams[at], found.model.blocks[layer].ln_1, { centred: norm === "layernorm", epsilon });
      const logged = loggedAs(isLogged ? full.x.at(layer, there[at], channel) : null, normed.values[channel]);
      line.replaceChildren(...normSum([of("x"), `[${channel}]`], normed, channel, logged));
    });
  }
  return show;
}

const largestOf = (vectors) => Math.max(...vectors.map((values) => extent(values)));
