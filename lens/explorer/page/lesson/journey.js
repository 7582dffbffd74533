// Chapter 2: "Your journey starts", from X over scores and weights to the context, each cell explained with its numbers.
//
// The words of X ask themselves, or two words of another sequence ask them: cross-attention.

import { shade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { attend } from "./attention.js";
import { button, toggle } from "./field.js";
import { matrix } from "./matrix.js";
import { speed } from "./speed.js";
import { stepper } from "./stepper.js";
import { products, tidy } from "./sums.js";
import { vectorOf, wordsOf } from "./vectors.js";

const CHANNELS = ["1", "2", "3"];
const START = { table: "scores", row: 0, column: 1 }; // explained before anything is pointed at

export function journey(host, { examples }) {
  const { attention_without_weights: own, cross_attention: cross } = examples;
  const known = new Map(own.tokens.map((word, at) => [word.toLowerCase(), own.given[0].rows[at]]));
  const usual = own.tokens.join(" ");
  let words = own.tokens;
  let X = own.given[0].rows.map((row) => [...row]);
  let Q = cross.given[0].rows.map((row) => [...row]);
  let [crosses, askers, asked, scores, weights, context] = [false];
  let step = 3;
  let place = START;

  const look = (table) => (at) => {
    place = { table, ...at };
    explain();
  };
  const tables = {
    Q: matrix(t("Q, the words that ask"), { edit: ({ row, column }, value) => { Q[row][column] = value; draw(); }, look: look("Q") }),
    X: matrix(t("X, the words"), { edit: ({ row, column }, value) => { X[row][column] = value; draw(); }, look: look("X") }),
    scores: matrix(t("Scores ω"), { look: look("scores") }),
    weights: matrix(t("Weights α"), { look: look("weights"), colour: (weight) => shade(weight, 1, "absolute") }),
    context: matrix(t("Context z"), { look: look("context") }),
  };
  for (const [name, { node }] of Object.entries(tables)) node.dataset.table = name;
  const text = element("input", { type: "text", class: "words-field", value: usual, maxlength: 60, autocomplete: "off", spellcheck: "false" });
  text.addEventListener("input", () => say(text.value));
  const again = button(t("Back to the three words"), () => say((text.value = usual)));
  const explained = element("p", { class: "spelled", "aria-live": "polite" });
  const steps = stepper([t("Scores ω"), t("Weights α"), t("Context z")], (to) => {
    step = to;
    place = { ...START, table: ["scores", "weights", "context"][to - 1] };
    draw();
  });

  const aboutCross = element("p", { class: "note" }, t("Two words of another sequence ask, in invented vectors of their own. The words of X are keys and values. Their scores are divided by √3 before the softmax; chapter 4 tells why."));
  const ways = toggle(t("Who asks"), [[false, t("Self-attention")], [true, t("Cross-attention")]], crosses, (chosen) => {
    crosses = chosen;
    place = { ...START, table: place.table === "Q" ? "X" : place.table };
    draw();
  });

  const channelOf = (asking) => (row, column) => phrase("Channel {channel} of “{word}”. Change it, and everything that follows changes.", { channel: column + 1, word: asking()[row] });
  const power = (score) => [element("i", {}, "e"), element("sup", {}, tidy(score, 4), crosses ? "/√3" : "")];
  const saying = {
    Q: channelOf(() => askers),
    X: channelOf(() => words),
    scores: (row, column) => [
      ...named("ω", row, column), ` = ${products(asked[row], X[column])} = `, element("output", {}, formatNumber(scores[row][column], 4)),
      aside(t("How well does “{key}” fit what “{query}” asks?", { query: askers[row], key: words[column] })),
    ],
    weights: (row, column) => [
      ...named("α", row, column), " = ", ...power(scores[row][column]), " / (", ...scores[row].flatMap((score, at) => [at ? " + " : "", ...power(score)]), ") = ",
      element("output", {}, formatNumber(weights[row][column], 4)),
      aside(t("So much of the attention of “{query}” goes to “{key}”. The row adds up to 1.", { query: askers[row], key: words[column] })),
    ],
    context: (row, column) => [
      ...named("z", row, column), ` = ${products(weights[row], X.map((vector) => vector[column]), 4)} = `, element("output", {}, formatNumber(context[row][column], 4)),
      aside(t("Channel {channel} of all words, mixed by the weights of “{query}”.", { channel: column + 1, query: askers[row] })),
    ],
  };

  host.append(
    element("h3", {}, t("Point at a number, change one, or type words of your own")), ways.node, aboutCross,
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
    Q = cross.given[0].rows.map((row) => [...row]);
    place = { table: place.table, row: 0, column: 0 };
    draw();
  }

  function draw() {
    [askers, asked] = crosses ? [cross.tokens, Q] : [words, X];
    ({ scores, weights, output: context } = attend(asked, X, X, crosses ? {} : { scale: 1 }));
    tables.Q.node.hidden = aboutCross.hidden = !crosses;
    tables.Q.show(Q, cross.tokens, CHANNELS);
    tables.X.show(X, words, CHANNELS);
    tables.scores.show(scores, askers, words);
    tables.weights.show(step > 1 ? weights : null, askers, words);
    tables.context.show(step > 2 ? context : null, askers, CHANNELS);
    explain();
  }

  /** Says how the number of the place came about, and marks what it is made of. */
  function explain() {
    const { table, row, column } = place;
    const isThere = { Q: true, X: true, scores: true, weights: step > 1, context: step > 2 }[table];
    explained.replaceChildren(...(isThere ? saying[table](row, column) : [t("This comes with a later step.")]));
    const itself = (name) => (down, right) => table === name && down === row && right === column;
    const lit = {
      Q: { scores: (down) => down === row }[table],
      X: { scores: (down) => down === column || (!crosses && down === row), context: (_, right) => right === column }[table],
      scores: { weights: (down) => down === row }[table],
      weights: { context: (down) => down === row }[table],
    };
    for (const name of Object.keys(tables)) tables[name].light((isThere && lit[name]) || itself(name));
  }
}

const aside = (text) => element("span", { class: "note" }, text);

/** A number's name with its row and column, counted from 1 as in the formulas. */
const named = (letter, row, column) => [element("var", {}, letter), element("sub", {}, `${row + 1}${column + 1}`)];
