// From x to q, k and v: the projection, the norm of q and k, and their rotation, each a step of its own.

import { element } from "../base/dom.js";
import { extent, power } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { multipliedOut } from "./dotproduct.js";
import { CARRIED } from "./inside.js";
import { ofKey, ofQuery } from "./names.js";
import { normSum } from "./norm.js";
import { apart } from "./projection.js";
import { rotation, undoRotation } from "./rotation.js";
import { loggedAs } from "./sums.js";
import { vector } from "./vector.js";

const OF = { q: ofQuery, k: ofKey, v: ofKey };
const SPOKEN = { q: t("q of the query"), k: t("k of the key"), v: t("v of the key") };

/**
 * The drawings of the three steps, of a context as walk.js has it, with `known` as of knownVectors and `projected` as of
 * projection.js, null where the page does not carry the weights. A channel that is chosen in one step is drawn in all.
 */
export function qkvSteps(hosts) {
  const chosen = { letter: "q", channel: 0 };
  let drawn = null;
  const choose = (letter) => (channel) => {
    Object.assign(chosen, { letter, channel });
    for (const step of drawn.known.steps) drawings[step](drawn, chosen);
  };
  const drawings = { qkv: projectionStep(hosts.qkv, choose), norm: normStep(hosts.norm, choose), rope: rotationStep(hosts.rope, choose) };
  const shared = ([step, draw]) => [step, (context) => draw((drawn = context), chosen)];
  return Object.fromEntries(Object.entries(drawings).map(shared));
}

/**
 * Of q of the query i, k of the key j and its v, by letter, what is known without the weights: the vector after each step
 * that can be computed back, by the step's name; and `last`, the step after which it goes into the attention. `steps`: those
 * that q and k go through.
 */
export function knownVectors({ qkNorm, position, theta }, { q, k, v, z }, i, j) {
  const steps = ["qkv", ...(qkNorm ? ["norm"] : []), ...(position === "rope" ? ["rope"] : [])];
  const of = (values, place) => {
    const known = { last: steps.at(-1), [steps.at(-1)]: values };
    if (position === "rope") known[steps.at(-2)] = undoRotation(values, place, theta);
    return known;
  };
  const [K, D] = [q.length, z.length];
  return { steps, q: of(q, i), k: of(k.subarray(j * K, (j + 1) * K), j), v: { last: "qkv", qkv: v.subarray(j * D, (j + 1) * D) } };
}

const vectors = (letters, choose) => letters.map((letter) => ({ letter, ...vector(choose(letter)) }));

/** Shows vectors after a step, those that are there; q and k on one scale. `word` and `spoken`: what q and k are by then. */
function showVectors(shown, step, values, { known, chosen, word, spoken }) {
  const pair = Math.max(...shown.filter(({ letter }) => letter !== "v").map(({ letter }) => extent(values[letter] ?? [])));
  for (const { letter, node, show } of shown) {
    node.hidden = !values[letter];
    if (node.hidden) continue;
    const [name, isLast] = [OF[letter](letter), known[letter].last === step];
    show(values[letter], {
      name: isLast ? name : phrase(word, { vector: name }), spoken: isLast ? SPOKEN[letter] : t(spoken, { vector: SPOKEN[letter] }),
      max: letter === "v" ? extent(values.v) : pair,
      chosen: chosen && (letter === chosen.letter || (letter !== "v" && chosen.letter !== "v")) ? chosen.channel : null,
    });
  }
}

function projectionStep(host, choose) {
  const shown = vectors(["q", "k", "v"], choose);
  const product = element("div");
  const precision = element("p", { class: "note precision" });
  host.append(...shown.map(({ node }) => node), product, precision);
  const multiply = multipliedOut(product);

  return ({ prompt, known, projected, isLogged, found }, chosen) => {
    const spoken = prompt.qkNorm ? t("{vector} before the norm") : t("{vector} before the rotation");
    const values = Object.fromEntries(shown.map(({ letter }) => [letter, known[letter].qkv ?? projected?.[letter].raw]));
    showVectors(shown, "qkv", values, { known, chosen: projected && chosen, word: t("raw {vector}"), spoken });
    product.hidden = !projected;
    precision.hidden = !found;
    if (!projected) return;
    const { letter } = chosen;
    const { x, rows, biases, raw } = projected[letter];
    const c = Math.min(chosen.channel, raw.length - 1);
    const name = known[letter].last === "qkv" ? [OF[letter](letter)] : phrase("raw {vector}", { vector: OF[letter](letter) });
    multiply([...name, `[${c}]`], x, rows[c], biases && biases[c], loggedAs(isLogged && found ? known[letter].qkv?.[c] ?? null : null, raw[c]));
    if (found) precision.textContent = precisionOf(projected, known, isLogged, found.format);
  };
}

function normStep(host, choose) {
  const shown = vectors(["q", "k"], choose);
  const lines = shown.map(() => element("p", { class: "formula" }));
  host.append(...shown.map(({ node }) => node), ...lines);

  return ({ known, projected, isLogged }, chosen) => {
    const values = { q: known.q.norm, k: known.k.norm };
    const spoken = t("{vector} after the norm, before the rotation");
    showVectors(shown, "norm", values, { known, chosen: projected && chosen, word: t("normed {vector}"), spoken });
    shown.forEach(({ letter }, at) => {
      lines[at].hidden = !projected;
      if (!projected) return;
      const { normed } = projected[letter];
      const c = chosen.channel % normed.values.length;
      lines[at].replaceChildren(...normSum([OF[letter](letter), `[${c}]`], normed, c, loggedAs(isLogged ? known[letter].norm[c] : null, normed.values[c])));
    });
  };
}

function rotationStep(host, choose) {
  const shown = vectors(["q", "k"], choose);
  const pairs = element("div", { class: "turned" });
  host.append(...shown.map(({ node }) => node), pairs);
  const showPairs = rotation(pairs);

  return ({ prompt, known, i, j }, chosen) => {
    showVectors(shown, "rope", { q: known.q.rope, k: known.k.rope }, { known, chosen });
    const before = prompt.qkNorm ? "norm" : "qkv";
    const turned = shown.map(({ letter }, at) => ({
      name: () => OF[letter](letter), letter, position: [i, j][at], before: known[letter][before], after: known[letter].rope,
    }));
    showPairs(turned, chosen.channel, prompt.theta);
  };
}

/** How the page carries the weights, and what that does to q, k and v. */
function precisionOf(projected, known, isLogged, format) {
  const weights = t("The page carries the weights of this step {format}.", { format: CARRIED[format] });
  if (!isLogged) return `${weights} ${t("What was not logged is computed by the model in this page.")}`;
  const most = Math.max(...Object.entries(projected).map(([letter, { entering }]) => apart(entering, known[letter][known[letter].last])));
  return `${weights} ${t("Computed with them, q, k and v differ from those that were logged by at most {difference}.", { difference: power(most, 1) })}`;
}
