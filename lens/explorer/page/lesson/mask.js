// The causal mask: switched on and off, and what another last word moves with it and without it.

import { shade, signedShade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { t } from "../base/words.js";
import { attend, causal, hideFuture } from "./attention.js";
import { toggle } from "./field.js";
import { fixed, matrix } from "./matrix.js";
import { withoutMask } from "./maskless.js";
import { sentencesFrom } from "./sentences.js";
import { vectorOf, wordsOf } from "./vectors.js";

const CHANNELS = ["z₀", "z₁", "z₂"];
const MOVED = 1e-9; // less is rounding

export function mask(host, lesson) {
  const { tokens, given } = lesson.examples.causal_mask;
  const sentences = sentencesFrom(tokens, given[0].rows);
  let sentence = sentences[0];
  let end = sentence.words.at(-1);

  const masked = element("input", { type: "checkbox", role: "switch", onchange: draw });
  masked.checked = true;
  const named = (word) => element("bdi", {}, word);
  const lengths = toggle(t("Sentence"), sentences.map((one) => [one, named(one.words.join(" "))]), sentence, (one) => {
    sentence = one;
    endOn(one.words.at(-1));
  });
  const ends = sentences.map((one) => toggle(t("Last word"), Object.keys(one.ends).map((word) => [word, named(word)]), end, (word) => endOn(word)));
  const typed = element("input", { type: "text", class: "words-field", maxlength: 12, autocomplete: "off", spellcheck: "false" });
  typed.addEventListener("input", () => {
    const [word] = wordsOf(typed.value);
    if (word) endOn(word, typed.value);
  });
  const says = element("p", { class: "who-moved", role: "status" });
  let most = 1; // of an output
  const tables = {
    scores: matrix(t("Scores + mask"), { write: fixed(2), masked: "−∞" }),
    weights: matrix(t("Weights"), { write: fixed(2), masked: formatNumber(0, 2), colour: (value) => shade(value, 1, "absolute") }),
    output: matrix(t("Outputs"), { write: fixed(2), colour: (value) => signedShade(value, most) }),
  };
  host.append(
    lengths.node,
    element("div", { class: "last-word" }, ...ends.map(({ node }) => node), element("label", {}, t("or type another"), " ", typed)),
    element("label", { class: "switch-line" }, masked, element("span", {}, t("Mask: no word sees a later one"))),
    says, element("div", { class: "side-by-side" }, ...Object.values(tables).map(({ node }) => node)),
    element("p", { class: "note" }, t("Each word is its own query, key and value, as in chapter 2; nothing is scaled. The vectors beyond “Your journey starts” are invented; a word that you type gets its vector from its letters, as in chapter 2.")),
    ...withoutMask(lesson.measured.mask),
  );

  /** Puts a word at the end, which the reader may have typed. */
  function endOn(word, text = "") {
    end = word;
    typed.value = text;
    draw();
  }

  /** What is computed with a word at the end. */
  function compute(word) {
    const rows = [...sentence.rows.slice(0, -1), Object.hasOwn(sentence.ends, word) ? sentence.ends[word] : vectorOf(word)];
    return attend(rows, rows, rows, masked.checked ? { scale: 1, sees: causal } : { scale: 1 });
  }

  function draw() {
    const own = sentence.words.at(-1);
    const words = [...sentence.words.slice(0, -1), end];
    ends.forEach(({ node, press }, at) => {
      node.hidden = sentences[at] !== sentence;
      press(end);
    });
    const [now, before] = [compute(end), compute(own)];
    const hidden = (i, j) => masked.checked && j > i;
    const moved = (part) => (i, j) => Math.abs(now[part][i][j] - before[part][i][j]) > MOVED;
    const outputMoved = now.output.map((row, i) => row.some((_, j) => moved("output")(i, j)));
    most = Math.max(...now.output.flat().map(Math.abs));
    for (const [part, { show, light }] of Object.entries(tables)) {
      const isOutput = part === "output";
      show(isOutput || !masked.checked ? now[part] : hideFuture(now[part]), words, isOutput ? CHANNELS : words);
      light((i, j) => (isOutput || !hidden(i, j)) && moved(part)(i, j));
    }
    says.textContent = sentenceOn(outputMoved.filter(Boolean).length, words.length, end === own ? null : { own, end });
  }

  draw();
  return draw;
}

function sentenceOn(moved, count, changed) {
  if (!changed) return t("Change the last word, and see which outputs move.");
  if (moved === 1) return t("“{own}” became “{end}”: only its own output moved. No earlier word can know.", changed);
  return t("“{own}” became “{end}”: {moved} of {count} outputs moved. The future leaks.", { ...changed, moved, count });
}
