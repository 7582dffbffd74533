// Exercise: three attention functions, and which of them let the future in.

import { signedShade } from "../base/colour.js";
import { choice, element } from "../base/dom.js";
import { formatNumber, power } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { toggle } from "./field.js";
import { FUNCTIONS, largestLeak } from "./masks.js";
import { fixed, matrix } from "./matrix.js";

// Invented: a vector of three channels for each word.
const WORDS = { the: [0.4, 0.1, 0.8], fox: [1.5, 0.8, -0.6], saw: [-0.5, 1.4, 0.6], a: [0.2, -0.9, 0.7], hen: [1.1, -0.3, -1.2] };
const SENTENCE = ["the", "fox", "saw", "a", "hen"];
const NAMES = ["A", "B", "C"];

export function brokenmask(host) {
  const sentence = [...SENTENCE];
  const answers = {};
  let before = null;
  const vectors = (words) => words.map((word) => WORDS[word]);
  const places = SENTENCE.map((_, place) => `${place}`);

  const words = sentence.map((word, place) => {
    const { field, select } = choice(t("token {place}", { place }), Object.keys(WORDS).map((one) => [one, one]), (value) => {
      before = outputs();
      sentence[place] = value;
      verdict.replaceChildren();
      draw();
    });
    select.value = word;
    return field;
  });
  const functions = Object.keys(FUNCTIONS).map((name, at) => {
    const table = matrix(t("outputs of function {letter}", { letter: NAMES[at] }), { write: fixed(3), colour: (value) => signedShade(value, 2) });
    table.node.append(toggle(t("Function {letter}", { letter: NAMES[at] }), [[false, t("is sound")], [true, t("leaks")]], null, (leaks) => {
      answers[name] = leaks;
      draw();
    }).node);
    return { name, table };
  });
  const check = element("button", { type: "button", class: "plain", onclick: judge }, t("Check"));
  const verdict = element("div", { class: "verdict", role: "status" });
  host.append(
    element("p", {}, t("Change a token. What moved is framed. An output may change only at that token and after it: which functions let the future in?")),
    element("div", { class: "choices" }, ...words),
    element("div", { class: "side-by-side" }, ...functions.map(({ table }) => table.node)), check, verdict,
  );

  function outputs() {
    return Object.values(FUNCTIONS).map((attention) => attention(vectors(sentence)).output);
  }

  function draw() {
    const now = outputs();
    functions.forEach(({ table }, at) => {
      table.show(now[at], places, ["0", "1", "2"]);
      table.light((row, column) => before !== null && before[at][row][column] !== now[at][row][column]);
    });
    check.disabled = Object.keys(answers).length < functions.length;
  }

  function judge() {
    const rightly = { shifted: answers.shifted === true, right: answers.right === false, late: answers.late === true };
    const all = Object.values(rightly).every(Boolean);
    const sum = FUNCTIONS.late(vectors(sentence)).weights[1].reduce((total, one) => total + one, 0);
    const says = {
      shifted: phrase("A leaks: its mask is {mask}, so every token sees the next one. Change token 4 and the output at 3 moves.", { mask: element("code", {}, "j <= i + 1") }),
      right: phrase("B is sound: what stands before the changed token stays the same to the last bit.", {}),
      late: phrase("C leaks too, though none of its weights is on the future: it masks after the softmax, so the future is still in the sum that divides. Its row 1 adds up to {sum}, not to 1.", { sum: formatNumber(sum, 3) }),
    };
    verdict.classList.toggle("right", all);
    verdict.replaceChildren(
      element("p", {}, element("b", {}, all ? t("All three right.") : t("Not all three yet; here is the evidence."))),
      element("ul", {}, ...functions.map(({ name }) => element("li", {}, rightly[name] ? "✓ " : "✗ ", ...says[name]))),
      proof(),
    );
  }

  /** A table: by which token on the future was changed, and by how much the past moved. */
  function proof() {
    const X = vectors(sentence);
    const other = X.map((row) => row.map((one) => -one)); // the opposite of each
    const leak = (attention, from) => {
      const most = largestLeak(attention, X, other, from);
      return most === 0 ? "0" : most < 1e-3 ? power(most, 1) : formatNumber(most, 4);
    };
    const rows = places.slice(1).map((place) => element("tr", {}, element("th", { scope: "row" }, place),
      ...functions.map(({ name }) => element("td", { "data-proof": `${name} ${place}` }, leak(FUNCTIONS[name], Number(place))))));
    const head = element("tr", {}, element("th", {}, t("changed from")), ...NAMES.map((letter) => element("th", { scope: "col" }, letter)));
    return element("table", { class: "proof" }, element("caption", {}, t("The test that proves it: every token from here on is replaced by its opposite; how far the outputs before it move at most")),
      element("thead", {}, head), element("tbody", {}, ...rows));
  }

  draw();
  return draw;
}
