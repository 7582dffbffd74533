// Chapter 6: three heads with three jobs, their weights set by hand: where each looks, why, and what proj makes of it.

import { shade, signedShade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { attend, causal, hideFuture } from "./attention.js";
import { button, toggle } from "./field.js";
import { fixed, matrix } from "./matrix.js";
import { oneHot, times } from "./matrices.js";
import { products, tidy } from "./sums.js";
import { wordsOf } from "./vectors.js";

const JOBS = [t("one token back"), t("the first token"), t("the same word, earlier")];
const START = { query: 4, head: 2 }; // the second time of the second word
const number = (value) => formatNumber(value, 4);

export function jobs(host, { examples }) {
  const { tokens: usual, given, scale } = examples.three_jobs;
  const [, ...W_Qs] = given.slice(0, 1 + JOBS.length).map(({ rows }) => rows);
  const [W_K, W_V, W_O] = given.slice(1 + JOBS.length).map(({ rows }) => rows);
  const kinds = W_V[0].length; // channels that say which word
  let [tokens, words, askers, heads, out] = [];
  let { query, head } = START;

  const text = element("input", { type: "text", class: "words-field", value: usual.join(" "), maxlength: 60, autocomplete: "off", spellcheck: "false", oninput: () => say(text.value) });
  const refusal = element("p", { class: "refusal", role: "status" });
  const asking = element("div");
  const explained = element("p", { class: "explained", "aria-live": "polite" });
  const maps = JOBS.map((job, of) => matrix(element("span", {}, ...phrase("head {head}", { head: of }), `: ${job}`), {
    write: null, colour: (weight) => shade(weight, 1, "absolute"), look: ({ row, column }) => explainWeight(of, row, column),
  }));
  const brought = matrix(t("What the word that asks is given"), { write: fixed(2), colour: (value) => shade(value, JOBS.length, "absolute"), look: explainBrought });
  const most = Math.max(...W_Qs.flat(2));
  const asks = matrix(t("rows: what a token has; columns: what it asks for"), {
    write: fixed(0), colour: (value) => (value ? signedShade(value, most) : { background: "", ink: "var(--muted)" }),
  });
  asks.node.classList.add("asked-for");
  const chosen = toggle(t("Whose W_Q is shown"), JOBS.map((_, at) => [at, `W_Q${"₀₁₂"[at]}`]), head, (to) => choose(query, to));
  const about = element("p", { class: "note" });
  const token = (at) => element("code", {}, tokens[at], element("sub", {}, at));
  const explain = (parts) => explained.replaceChildren(...parts);

  host.append(
    element("h3", {}, t("Three heads, built by hand: choose who asks, or type words of your own")),
    element("div", { class: "own-words" },
      element("label", {}, element("span", {}, t("Six words at most, three different ones")), text),
      button(t("Back to the example"), () => say((text.value = usual.join(" "))))),
    refusal, asking, explained, element("div", { class: "side-by-side" }, ...[...maps, brought].map(({ node }) => node)), chosen.node, about, asks.node,
  );
  say(text.value);
  return draw;

  function say(typed) {
    const [found, different] = [wordsOf(typed), new Set(wordsOf(typed))];
    const tooMany = different.size > kinds;
    text.setAttribute("aria-invalid", tooMany);
    refusal.textContent = tooMany ? t("“{word}” is one too many: X has a channel for each of three words.", { word: [...different][kinds] }) : "";
    if (tooMany || !found.length) return;
    [tokens, words] = [found, [...different]];
    compute();
    askers = toggle(t("Who asks"), tokens.map((word, at) => [at, element("bdi", {}, word)]), query, (at) => choose(at, head));
    asking.replaceChildren(askers.node);
    choose(Math.min(START.query, tokens.length - 1), head);
  }

  function compute() {
    const X = tokens.map((word, at) => [...oneHot(kinds, words.indexOf(word)), ...oneHot(W_K.length - kinds, at)]);
    heads = W_Qs.map((W_Q) => attend(times(X, W_Q), times(X, W_K), times(X, W_V), { scale, sees: causal }));
    out = times(tokens.map((_, at) => heads.flatMap(({ output }) => output[at])), W_O);
  }

  function choose(toQuery, toHead) {
    [query, head] = [toQuery, toHead];
    const weights = heads[head].weights[query];
    explainWeight(head, query, weights.indexOf(Math.max(...weights)));
    draw();
  }

  function draw() {
    askers.press(query);
    maps.forEach((map, of) => {
      map.show(hideFuture(heads[of].weights), tokens, tokens);
      mark(map, (row) => row === query);
    });
    const vectors = [...heads.map(({ output }) => output[query]), out[query]];
    brought.show(vectors.map((row) => row.slice(0, words.length)), [...JOBS.map((_, of) => t("head {head}", { head: of })), "proj"], words);
    const channels = W_K.map((_, at) => (at < kinds ? words[at] ?? "·" : `${at - kinds}`));
    asks.show(W_Qs[head], channels, channels);
    mark(asks, (row) => row === words.indexOf(tokens[query]) || row === kinds + query);
    about.replaceChildren(...phrase("Head {head}: {asks}. The two framed rows, added, are the query of {token}.", { head, asks: given[1 + head].says, token: token(query) }));
  }

  function explainWeight(of, row, column) {
    const { scores, weights } = heads[of];
    const scaled = scores[row].slice(0, row + 1).map((score) => tidy(score * scale, 4));
    explain(phrase("Head {head}: scores of {token}: {scores}; their softmax gives {key} the weight {value}", { head: of, token: token(row), scores: scaled.join(", "), key: token(column), value: number(weights[row][column]) }));
  }

  function explainBrought({ row, column }) {
    const { weights } = heads[row] ?? {};
    const values = { token: token(query), channel: element("code", {}, words[column]) };
    if (!weights) {
      const parts = heads.map(({ output }) => number(output[query][column]));
      return explain(phrase("Output of {token}, channel {channel}: {sum} = {value}", { ...values, sum: parts.join(" + "), value: number(out[query][column]) }));
    }
    const sum = products(weights[query], tokens.map((word) => (word === words[column] ? 1 : 0)), 4);
    return explain(phrase("Head {head} gives {token} in channel {channel} the weights times the values: {sum} = {value}", { head: row, ...values, sum, value: number(heads[row].output[query][column]) }));
  }
}

/** Frames the rows of a table of which isMarked(row) is true. */
function mark({ node }, isMarked) {
  node.querySelectorAll("tbody tr").forEach((line, row) => line.classList.toggle("framed", isMarked(row)));
}
