// Chapter 3: four pixels from X to the output in seven steps, the row of one of them followed with its arithmetic.

import { shade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { scrolling } from "../base/onscreen.js";
import { t } from "../base/words.js";
import { fixed, matrix } from "./matrix.js";
import { plus, scaled, softmax, times, transpose } from "./matrices.js";
import { stepper } from "./stepper.js";
import { products, tidy } from "./sums.js";

const NAMES = ["X + pe", "W", "Q = K = V", "QKᵀ", "1/√d_k", "softmax", "Z, proj"];
const four = ["0", "1", "2", "3"];
const MOST_POWER = 700; // e to the power of 710 is more than a number can be
const two = ["0", "1"];

export function pixels(host, { examples }) {
  const { given, tokens } = examples.four_pixels;
  const rowsOf = (name) => given.find((one) => one.name === name).rows.map((row) => [...row]);
  const [X, pe, W, proj] = ["X", "pe", "W", "W_O"].map(rowsOf);
  const x = plus(X, pe);
  const factor = 1 / Math.sqrt(W[0].length);
  let V = times(x, W);
  let isTyped = false;
  let chosen = 0;
  let step = NAMES.length;

  const tables = {
    X: matrix(t("X, an empty picture")), pe: matrix(t("pe, the places")), x: matrix("X + pe"),
    W: matrix(t("W, invented"), { edit: typeW }), V: matrix("Q = K = V", { edit: typeV }),
    scores: matrix("QKᵀ"), scaled: matrix("QKᵀ/√d_k", { write: fixed(2) }), weights: matrix(t("the weights"), { write: fixed(4), colour: (share) => shade(share, 1, "absolute") }),
    Z: matrix("Z", { write: fixed(4) }), proj: matrix(t("proj, invented")), out: matrix(t("the output"), { write: fixed(4) }),
  };
  const stages = [
    stage(t("Four tokens, and where each stands"), "X", "pe", "x"),
    stage(t("Choose W: it makes two channels of four"), "W"),
    stage(t("Q, K and V: here one for all three"), "V"),
    stage(t("Scores: each pixel with each"), "scores"),
    stage(t("Scaled by 1/√d_k"), "scaled"),
    stage(t("Softmax: each row adds up to 1"), "weights"),
    stage(t("The mixture of V, and back to four channels"), "Z", "proj", "out"),
  ];
  const buttons = tokens.map((name, at) => element("button", { type: "button", onclick: () => choose(at) }, name));
  const legend = element("p", { class: "note" });
  const steps = stepper(NAMES, (to, isAsked) => {
    step = to;
    draw();
    if (isAsked) stages[to - 1].node.scrollIntoView({ block: "nearest", behavior: scrolling() });
  });
  host.append(
    element("h3", {}, t("Choose a pixel, or change a number of W or V")),
    element("div", { class: "quartet-box" }, element("div", { class: "quartet", role: "group", "aria-label": t("The picture") }, ...buttons), legend),
    steps.node,
    element("div", { class: "stages" }, ...stages.map(({ node }) => node)),
  );
  steps.start();
  return draw;

  function stage(title, ...names) {
    const sum = element("p", { class: "sum" });
    const parts = names.map((name) => tables[name].node);
    const node = element("section", { class: "stage" });
    const number = element("b", {}, "");
    node.append(element("h4", {}, number, ` ${title}`), element("div", { class: "stage-parts" }, ...parts), sum);
    return { node, number, sum };
  }

  function choose(at) {
    chosen = at;
    draw();
  }

  function typeW({ row, column }, value) {
    W[row][column] = value;
    V = times(x, W);
    isTyped = false;
    draw();
  }

  function typeV({ row, column }, value) {
    V[row][column] = value;
    isTyped = true;
    draw();
  }

  function draw() {
    const scores = times(V, transpose(V));
    const smaller = scaled(scores, factor);
    const weights = smaller.map(softmax);
    const Z = times(weights, V);
    const out = times(Z, proj);
    tables.X.show(X, tokens, four);
    tables.pe.show(pe, tokens, four);
    tables.x.show(x, tokens, four);
    tables.W.show(W, four, two);
    tables.V.show(V, tokens, two);
    tables.scores.show(scores, tokens, tokens);
    tables.scaled.show(smaller, tokens, tokens);
    tables.weights.show(weights, tokens, tokens);
    tables.Z.show(Z, tokens, two);
    tables.proj.show(proj, two, four);
    tables.out.show(out, tokens, four);
    for (const name of ["X", "pe", "x", "V", "scores", "scaled", "weights", "Z", "out"]) tables[name].light((row) => row === chosen);
    const own = V[chosen];
    const name = tokens[chosen];
    const sums = [
      [`${name}: ${list(X[chosen])} + ${list(pe[chosen])} = ${list(x[chosen])}`],
      [],
      isTyped ? [t("V has been typed, and no longer follows from X and W.")]
        : own.map((value, column) => `${products(x[chosen], W.map((row) => row[column]))} = ${tidy(value)}`),
      V.map((key, at) => `${name}·${tokens[at]} = ${products(own, key)} = ${tidy(scores[chosen][at])}`),
      smaller[chosen].map((value, at) => `${tidy(scores[chosen][at])} · ${formatNumber(factor, 4)} = ${formatNumber(value, 2)}`),
      powers(smaller[chosen], weights[chosen]),
      Z[chosen].map((value, column) => `${products(weights[chosen], V.map((row) => row[column]), 4)} = ${formatNumber(value, 4)}`),
    ];
    stages.forEach(({ node, number, sum }, at) => {
      node.hidden = at >= step;
      node.classList.toggle("reached", at === step - 1);
      number.textContent = `${at + 1}`;
      sum.replaceChildren(...sums[at].map((line) => element("span", {}, line)));
    });
    drawPicture(weights[chosen], name);
  }

  /** The picture in the shades of the chosen pixel's attention, from the step on that computes it. */
  function drawPicture(shares, name) {
    const isKnown = step > NAMES.indexOf("softmax");
    buttons.forEach((button, at) => {
      const { background, ink } = isKnown ? shade(shares[at], 1, "absolute") : { background: "", ink: "" };
      Object.assign(button.style, { background, color: ink });
      button.setAttribute("aria-pressed", at === chosen);
      button.replaceChildren(tokens[at], ...(isKnown ? [element("small", {}, formatNumber(shares[at], 3))] : []));
    });
    legend.textContent = isKnown
      ? t("How much of its attention {name} gives to each pixel. It is followed below.", { name })
      : t("{name} is followed below.", { name });
  }
}

const list = (vector) => `[${vector.map((value) => tidy(value)).join(", ")}]`;

/** A row's softmax: each power, over the sum of all. */
function powers(scores, shares) {
  const largest = Math.max(...scores);
  const powersOf = (less) => scores.map((score) => Math.exp(score - less));
  const isTooLarge = largest > MOST_POWER;
  const sum = powersOf(isTooLarge ? largest : 0).reduce((total, power) => total + power, 0);
  const less = isTooLarge ? ` − ${formatNumber(largest, 2)}` : ""; // of all scores alike: the weights stay as they are
  const digits = sum < 100 ? 4 : 0;
  return scores.map((score, at) => `exp(${formatNumber(score, 2)}${less}) / ${formatNumber(sum, digits)} = ${formatNumber(shares[at], 4)}`);
}
