// What the weights give: this head's answer, the answers of all heads side by side, and what proj makes of them.

import { element } from "../base/dom.js";
import { extent } from "../base/number.js";
import { nameOf } from "../base/pins.js";
import { change, isOff } from "../base/state.js";
import { phrase, t } from "../base/words.js";
import { multipliedOut } from "./dotproduct.js";
import { ofKey, ofQuery } from "./names.js";
import { written } from "./projection.js";
import { computeRow } from "./recompute.js";
import { factor, loggedAs, result } from "./sums.js";
import { CELL, MAX_PRINTED, vector } from "./vector.js";

/** The chosen key's weight * v, and z of the query: the sum of all keys'. */
export function headOutput(host) {
  const [part, whole] = [vector(), vector()];
  const silent = element("p", { class: "note" }, t("This head is switched off: zero, or the mean over the text, goes on in the place of this sum."));
  host.append(part.node, whole.node, silent);
  return ({ row: { weighted, z }, j, layer, head }) => {
    silent.hidden = !isOff(nameOf({ layer, head }));
    const max = Math.max(extent(weighted), extent(z));
    part.show(weighted.subarray(j * z.length, (j + 1) * z.length), { name: phrase("weight × {v}", { v: ofKey("v") }), spoken: t("weight times v of the key"), max });
    whole.show(z, { name: ofQuery("z"), spoken: t("z of the query"), max });
  };
}

/**
 * z of every head, each computed as this one's; what this head writes into the stream, where the page carries the weights,
 * multiplied out for a channel; and out, the sum of what all heads write.
 */
export function allOutputs(host) {
  let drawn = null;
  let channel = 0;
  const choose = (next) => {
    channel = next;
    show(drawn);
  };
  const answers = vector();
  const own = vector(choose);
  const out = vector(choose);
  const owners = element("div", { class: "owners" });
  const product = element("div");
  const sum = element("p", { class: "formula" });
  host.append(answers.node, owners, own.node, out.node, product, sum);
  const multiply = multipliedOut(product);

  function show(context) {
    drawn = context;
    const { prompt, full, layer, head, i, found, isLogged } = context;
    const zs = Array.from({ length: prompt.heads }, (_, other) => answerOf(context, other));
    const joined = Float64Array.from(zs.flatMap((z) => [...z]));
    answers.show(joined, { name: phrase("all {z}", { z: ofQuery("z") }), spoken: t("z of all heads") });
    showOwners(owners, prompt.heads, head, joined.length);
    own.node.hidden = product.hidden = sum.hidden = !found;
    const outs = full.out.at(layer, i);
    const writes = found ? zs.map((z, other) => written(found.model, layer, other, z)) : [];
    const max = Math.max(extent(outs), ...writes.map(({ values }) => extent(values)));
    out.show(outs, { name: ofQuery("out"), spoken: t("out of the query"), max, chosen: found ? channel : null });
    if (!found) return;
    own.show(writes[head].values, { name: t("head {head} writes", { head }), spoken: t("what head {head} writes", { head }), max, chosen: channel });
    multiply([t("head {head}, channel {channel}:", { head, channel }), " ", ofQuery("z"), ` · proj`], zs[head], writes[head].rows[channel], null, []);
    const { bias } = found.model.blocks[layer]["attn.proj"];
    const parts = writes.map(({ values }) => values[channel]);
    sum.replaceChildren(ofQuery("out"), `[${channel}] = `, ...addedUp(parts, bias ? bias[channel] : null, isLogged ? outs[channel] : null));
  }
  return show;
}

/** z of a head as it goes into proj: computed as the chosen one's, or, where heads are switched off, as the model has it. */
function answerOf({ prompt, full, row, layer, head, i, found, isOff }, other) {
  if (isOff) return found.full.z.at(layer, other, i);
  return other === head ? row.z : computeRow(full, prompt, layer, other, i).z;
}

/** What the heads write into a channel, and its bias, added up. */
function addedUp(parts, bias, logged) {
  const total = parts.reduce((sum, part) => sum + part, bias ?? 0);
  return [
    ...parts.flatMap((part, head) => [head ? " + " : "", factor(part), ` (${t("head {head}", { head })})`]),
    ...(bias === null ? [] : phrase(" + {bias} (bias)", { bias: factor(bias) })),
    " = ", result(total), ...loggedAs(logged, total),
  ];
}

/** Under the answers of all heads whose each part is; a click chooses the head. */
function showOwners(host, heads, head, channels) {
  if (host.children.length !== heads) host.replaceChildren(...Array.from({ length: heads }, (_, other) => owner(other)));
  host.hidden = heads === 1;
  host.style.width = channels > MAX_PRINTED ? "" : `${channels * CELL}px`;
  Array.from(host.children).forEach((button, other) => button.setAttribute("aria-pressed", other === head));
}

function owner(head) {
  return element("button", { type: "button", onclick: () => change({ head }) }, element("span", {}, `${t("head")} `), String(head));
}
