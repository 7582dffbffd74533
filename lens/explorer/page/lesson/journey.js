// Chapter 2: "Your journey starts", from X over scores and weights to the context, each cell explained with its numbers.

import { shade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { button } from "./field.js";
import { matrix } from "./matrix.js";
import { softmax, times, transpose } from "./matrices.js";
import { speed } from "./speed.js";
import { stepper } from "./stepper.js";
import { products, tidy } from "./sums.js";
import { vectorOf, wordsOf } from "./vectors.js";

const CHANNELS = ["1", "2", "3"];
const EXAMPLE = "X"; // of the example whose tokens are these words
const START = { table: "scores", row: 0, column: 1 }; // explained before anything is pointed at

export function journey(host, { examples }) {
  const own = examples.find(({ tokens, given }) => tokens.length === 3 && given.length === 1 && given[0].name === EXAMPLE);
  const known = new Map(own.tokens.map((word, at) => [word.toLowerCase(), own.given[0].rows[at]]));
  const usual = own.tokens.join(" ");
  let words = own.tokens;
  let X = own.given[0].rows.map((row) => [...row]);
  let [scores, weights, context] = [];
  let step = 3;
  let place = START;

  const look = (table) => (at) => {
    place = { table, ...at };
    explain();
  };
  const tables = {
    X: matrix(t("X, the words"), { edit: ({ row, column }, value) => { X[row][column] = value; draw(); }, look: look("X") }),
    scores: matrix(t("Scores ω"), { look: look("scores") }),
    weights: matrix(t("Weights α"), { look: look("weights"), colour: (weight) => shade(weight, 1, "absolute") }),
    context: matrix(t("Context z"), { look: look("context") }),
  };
  const text = element("input", { type: "text", class: "words-field", value: usual, maxlength: 60, autocomplete: "off", spellcheck: "false" });
  text.addEventListener("input", () => say(text.value));
  const again = button(t("Back to the three words"), () => say((text.value = usual)));
  const explained = element("p", { class: "spelled", "aria-live": "polite" });
  const steps = stepper([t("Scores ω"), t("Weights α"), t("Context z")], (to) => {
    step = to;
    place = { ...START, table: ["scores", "weights", "context"][to - 1] };
    draw();
  });

  const saying = {
    X: (row, column) => phrase("Channel {channel} of “{word}”. Change it, and everything that follows changes.", { channel: column + 1, word: words[row] }),
    scores: (row, column) => [
      ...named("ω", row, column), ` = ${products(X[row], X[column])} = `, element("output", {}, formatNumber(scores[row][column], 4)),
      aside(t("How well does “{key}” fit what “{query}” asks?", { query: words[row], key: words[column] })),
    ],
    weights: (row, column) => [
      ...named("α", row, column), " = ", ...power(scores[row][column]), " / (", ...scores[row].flatMap((score, at) => [at ? " + " : "", ...power(score)]), ") = ",
      element("output", {}, formatNumber(weights[row][column], 4)),
      aside(t("So much of the attention of “{query}” goes to “{key}”. The row adds up to 1.", { query: words[row], key: words[column] })),
    ],
    context: (row, column) => [
      ...named("z", row, column), ` = ${products(weights[row], X.map((vector) => vector[column]), 4)} = `, element("output", {}, formatNumber(context[row][column], 4)),
      aside(t("Channel {channel} of all words, mixed by the weights of “{query}”.", { channel: column + 1, query: words[row] })),
    ],
  };

  host.append(
    element("h3", {}, t("Point at a number, change one, or type words of your own")),
    element("div", { class: "own-words" }, element("label", {}, element("span", {}, t("Your words")), text), again),
    steps.node, explained,
    element("div", { class: "matrices" }, ...Object.values(tables).map(({ node }) => node)),
    element("p", { class: "note" }, t("Words other than the three get an invented vector from their letters: channel 1 is a tenth of the word’s length (1 at most), channel 2 its share of vowels, channel 3 the place of its first letter in the alphabet, z being 1. The same word always has the same vector.")),
    speed(),
  );
  steps.start();
  return draw;

  function say(typed) {
    const found = wordsOf(typed);
    if (!found.length) return;
    words = found;
    X = words.map((word) => [...(known.get(word.toLowerCase()) ?? vectorOf(word))]);
    place = { table: place.table, row: 0, column: 0 };
    draw();
  }

  function draw() {
    scores = times(X, transpose(X));
    weights = scores.map(softmax);
    context = times(weights, X);
    tables.X.show(X, words, CHANNELS);
    tables.scores.show(scores, words, words);
    tables.weights.show(step > 1 ? weights : null, words, words);
    tables.context.show(step > 2 ? context : null, words, CHANNELS);
    explain();
  }

  /** Says how the number of the place came about, and marks what it is made of. */
  function explain() {
    const { table, row, column } = place;
    const isThere = { X: true, scores: true, weights: step > 1, context: step > 2 }[table];
    explained.replaceChildren(...(isThere ? saying[table](row, column) : [t("This comes with a later step.")]));
    const itself = (name) => (down, right) => table === name && down === row && right === column;
    const lit = {
      X: { scores: (down) => down === row || down === column, context: (_, right) => right === column }[table],
      scores: { weights: (down) => down === row }[table],
      weights: { context: (down) => down === row }[table],
    };
    for (const name of Object.keys(tables)) tables[name].light((isThere && lit[name]) || itself(name));
  }
}

const aside = (text) => element("span", { class: "note" }, text);

/** A number's name with its row and column, counted from 1 as in the formulas. */
const named = (letter, row, column) => [element("var", {}, letter), element("sub", {}, `${row + 1}${column + 1}`)];

const power = (score) => [element("i", {}, "e"), element("sup", {}, tidy(score, 4))];
