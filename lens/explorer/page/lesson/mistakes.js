// The three classic mistakes, each made: shapes that do not fit, scores that are not divided, no mask.

import { element } from "../base/dom.js";
import { t } from "../base/words.js";
import { curves } from "./curves.js";
import { toggle } from "./field.js";

export function mistakes(host, { measured: { scale, mask } }) {
  if (!scale || !mask) return;
  const views = { shapes: shapes(), scale: unscaled(scale), mask: unmasked(mask) };
  const names = [["shapes", t("shapes")], ["scale", t("no √d_k")], ["mask", t("no mask")]];
  const body = element("div", { class: "mistake" });
  const show = (name) => body.replaceChildren(...views[name]);
  host.append(toggle(t("Which mistake"), names, "shapes", show).node, body);
  show("shapes");
}

// ---- shapes

const START = { q: [5, 64], k: [5, 32], v: [5, 64] }; // the first of docs/measured.json
const MAX = 4096;

/** Tokens and channels of q, k and v, to be typed, and what `attend` says of them. */
function shapes() {
  const inputs = Object.fromEntries(Object.entries(START).map(([name, sizes]) => [name, sizes.map((size, at) => input(name, size, at))]));
  const causal = element("input", { type: "checkbox", onchange: judge });
  const said = element("pre", { class: "said", "aria-live": "polite" });

  function input(name, value, at) {
    const label = at ? t("channels of {name}", { name }) : t("tokens of {name}", { name });
    return element("input", { type: "number", min: 1, max: MAX, value, "aria-label": label, oninput: judge });
  }

  function judge() {
    const sizes = Object.fromEntries(Object.entries(inputs).map(([name, two]) => [name, two.map(({ value }) => Number(value))]));
    const whole = Object.values(sizes).flat().every((size) => Number.isInteger(size) && size >= 1 && size <= MAX);
    const error = whole ? refusal(sizes, causal.checked) : "";
    said.classList.toggle("wrong", error !== "");
    said.textContent = !whole ? t("Whole numbers from 1 to {max}, please.", { max: MAX }) : error ? `ValueError: ${error}` : fits(sizes);
  }

  const rows = Object.entries(inputs).map(([name, two]) => element("div", { class: "shape" }, element("var", {}, name), two[0], "×", two[1]));
  judge();
  return [
    element("p", {}, t("Type the sizes, tokens × channels. What does attend say?")),
    element("div", { class: "shapes" }, ...rows, element("label", { class: "causal" }, causal, t("with the mask"))),
    said,
  ];
}

/** The message with which `attend` of model/attention.py refuses q, k and v [tokens, channels]; "" where they fit. */
export function refusal({ q, k, v }, causal) {
  const shape = ([tokens, channels]) => `(${tokens}, ${channels})`;
  if (q[1] !== k[1]) return `q and k must have the same key_dim: q is ${shape(q)}, k is ${shape(k)}`;
  if (k[0] !== v[0]) return `each key needs one value: k is ${shape(k)}, v is ${shape(v)}`;
  if (causal && q[0] > k[0]) return `a causal mask needs a key for every query: ${q[0]} queries, ${k[0]} keys`;
  return "";
}

const fits = ({ q, k, v }) =>
  t("They fit: scores {queries} × {keys}, output {queries} × {channels}", { queries: q[0], keys: k[0], channels: v[1] });

// ---- measured

function unscaled({ steps, with: right, without }) {
  const lines = [{ name: t("divided by √d_k"), values: right.curve }, { name: t("not divided"), values: without.curve }];
  return [
    curves({ title: t("Validation loss, nats per token"), steps, lines }),
    element("p", { class: "says" }, t("The same model, one option changed. It still learns, slowly: a saturated softmax passes on next to no gradient.")),
  ];
}

function unmasked({ steps, with: right, without }) {
  const lines = [{ name: t("with the mask"), values: right.curve }, { name: t("without"), values: without.curve }];
  const floor = t("Per story {loss} nats, where no honest model can be below {floor}: it reads the answer. When it has to write, there is none to read.", {
    loss: without.story.toFixed(2), floor: right.floor.toFixed(2),
  });
  return [
    curves({ title: t("Validation loss, nats per token"), steps, lines }),
    element("p", { class: "says" }, floor),
    element("div", { class: "samples" }, sample(t("with the mask it writes"), right.sample), sample(t("without it writes"), without.sample)),
  ];
}

const sample = (name, text) => element("figure", {}, element("figcaption", {}, name), element("bdi", { lang: "en" }, text.trim()));
