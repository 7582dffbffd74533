// What the dot product starts from: x of the query and of the key, and this head's q, k and v of them.

import { element } from "../base/dom.js";
import { vectorOf } from "./names.js";
import { rotation, undoRotation } from "./rotation.js";
import { largest, vector } from "./vector.js";

/** x_i, and x_j where the keys are of the same sequence. */
export function inputs(host) {
  const [query, key] = ["i", "j"].map((index) => vector(vectorOf("x", index), `x of the ${index === "i" ? "query" : "key"}`));
  host.append(query.node, key.node);
  return ({ prompt, full, layer, i, j }) => {
    const [ofQuery, ofKey] = [i, j].map((position) => (position === i || !prompt.keys ? full.x.at(layer, position) : []));
    const max = Math.max(largest(ofQuery), largest(ofKey));
    key.node.hidden = i === j || Boolean(prompt.keys);
    query.show(ofQuery, max);
    if (!key.node.hidden) key.show(ofKey, max);
  };
}

/** q_i, k_j and v_j; with rope also q_i and k_j before they were rotated. */
export function qkvVectors(host) {
  let shown = null;
  let base = null; // of their rotation
  let channel = 0; // whose pair is shown in its plane
  const onRead = (next) => {
    if (next === null || !shown) return;
    channel = next;
    showPair();
  };
  const earlier = (letter) => vector(element("span", {}, name(letter), " before"), `${spoken(letter)} before the rotation`, onRead);
  const before = ["q", "k"].map(earlier);
  const after = ["q", "k"].map((letter) => vector(name(letter), spoken(letter), onRead));
  const value = vector(name("v"), spoken("v"));
  const pairs = element("div", { class: "turned" });
  const showPairs = rotation(pairs);
  host.append(before[0].node, after[0].node, before[1].node, after[1].node, value.node, pairs);

  const showPair = () => showPairs(shown, channel, base);

  return ({ prompt, row, i, j }) => {
    const [K, D] = [row.q.length, row.z.length];
    const vectors = [row.q, row.k.subarray(j * K, (j + 1) * K)];
    const rope = prompt.position === "rope";
    base = prompt.theta;
    shown = rope ? vectors.map((values, at) => withRotation([i, j][at], "qk"[at], values, base)) : null;
    vectors.forEach((values, at) => {
      const max = Math.max(largest(values), rope ? largest(shown[at].before) : 0);
      before[at].node.hidden = !rope;
      if (rope) before[at].show(shown[at].before, max);
      after[at].show(values, max);
    });
    value.show(row.v.subarray(j * D, (j + 1) * D));
    pairs.hidden = !rope;
    if (rope) showPair();
  };
}

const withRotation = (position, letter, after, base) => ({
  letter, index: indexOf(letter), position, before: undoRotation(after, position, base), after,
});
const indexOf = (letter) => (letter === "q" ? "i" : "j");
const name = (letter) => vectorOf(letter, indexOf(letter));
const spoken = (letter) => `${letter} of the ${letter === "q" ? "query" : "key"}`;
