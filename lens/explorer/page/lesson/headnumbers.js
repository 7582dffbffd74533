// Two heads of dim 4, with numbers: from X through qkv, the weights and the concatenated outputs to proj.

import { shade, signedShade } from "../base/colour.js";
import { element } from "../base/dom.js";
import { formatNumber } from "../base/number.js";
import { phrase, t } from "../base/words.js";
import { largestDifference } from "./attention.js";
import { transpose } from "./matrices.js";
import { products } from "./sums.js";
import { colourOfHead } from "./channels.js";
import { channelsOf, multiHead } from "./multihead.js";
import { fixed, matrix } from "./matrix.js";

const number = (value) => formatNumber(value, 4);
const code = (text) => element("code", {}, text);
const beside = (...tables) => element("div", { class: "side-by-side" }, ...tables.map(({ node }) => node));

/** {node, draw(order)}: `example` is the one of examples.py, `sizes` are its sizes. */
export function headNumbers(example, sizes) {
  const { tokens } = example;
  const [X, W_Q, W_K, W_V, W_O] = example.given.map(({ rows }) => rows);
  const W = X[0].map((_, row) => [...W_Q[row], ...W_K[row], ...W_V[row]]);
  const channels = channelsOf(sizes);
  const usual = channels.map((_, at) => at);
  const explained = element("p", { class: "explained", "aria-live": "polite" }, t("Point at a number, or tap it, to see where it comes from."));
  const say = (parts) => explained.replaceChildren(...parts);
  const allHeads = Array.from({ length: sizes.num_heads }, (_, head) => head);
  let [order, shown] = [usual, null];

  const named = (names) => names.map((name) => `${name}`);
  const dims = named(X[0].map((_, at) => at));
  const signed = (title, look) => matrix(title, { look, write: fixed(2), colour: (value) => signedShade(value, 4) });
  const tables = {
    X: signed(code("X"), ({ row, column }) => {
      say(phrase("{name}, invented: channel {channel} of {token}", { name: code("X"), channel: column, token: code(tokens[row]) }));
    }),
    qkv: signed(code("qkv = X · W"), ({ row, column: place }) => {
      const { part, head, channel } = channels[order[place]];
      const sum = products(X[row], W.map((line) => line[order[place]]));
      say(phrase("{part} of head {head}, channel {channel}, of {token}: {sum} = {value}", { part: code(part), head, channel, token: code(tokens[row]), sum, value: number(shown.qkv[row][place]) }));
    }),
    heads: allHeads.map((head) => matrix(t("weights of head {head}", { head }), {
      write: fixed(2), colour: (value) => shade(value, 1, "absolute"), look: ({ row, column }) => {
        const { scores, weights } = shown.heads[head];
        const scaled = scores[row].map((score) => number(score * sizes.key_dim ** -0.5));
        say(phrase("Head {head}: scores of {token}: {scores}; their softmax gives {key} the weight {value}", { head, token: code(tokens[row]), scores: scaled.join(", "), key: code(tokens[column]), value: number(weights[row][column]) }));
      },
    })),
    concat: signed(code("concat"), ({ row, column }) => {
      const head = Math.floor(column / sizes.head_dim);
      const { v, weights } = shown.heads[head];
      const sum = products(weights[row], v.map((line) => line[column % sizes.head_dim]));
      say(phrase("Head {head} gives {token} in channel {channel} the weights times the values: {sum} = {value}", { head, token: code(tokens[row]), channel: column % sizes.head_dim, sum, value: number(shown.concat[row][column]) }));
    }),
    W_O: signed(code("W_O"), ({ row, column }) => {
      say(phrase("{name}, invented: how much of concatenated channel {from} goes into channel {to} of the output", { name: code("W_O"), from: row, to: column }));
    }),
    out: signed(code("out = concat · W_O"), ({ row, column }) => {
      const sum = products(shown.concat[row], transpose(W_O)[column]);
      say(phrase("Output of {token}, channel {channel}: {sum} = {value}", { token: code(tokens[row]), channel: column, sum, value: number(shown.out[row][column]) }));
    }),
  };
  const same = element("p", { class: "same" });
  const node = element("div", { class: "head-numbers" },
    explained, beside(tables.X, tables.qkv), beside(...tables.heads), beside(tables.concat, tables.W_O, tables.out), same);

  function draw(newOrder) {
    order = newOrder;
    shown = multiHead(X, W, W_O, sizes, order);
    tables.X.show(X, tokens, dims);
    tables.qkv.show(shown.qkv, tokens, named(order));
    tables.qkv.heads.forEach((head, place) => {
      const { part, head: of } = channels[order[place]];
      head.style.borderBottomColor = colourOfHead(of, part);
    });
    tables.heads.forEach((one, head) => one.show(shown.heads[head].weights, tokens, tokens));
    tables.concat.show(shown.concat, tokens, dims);
    tables.concat.heads.forEach((head, at) => (head.style.borderBottomColor = colourOfHead(Math.floor(at / sizes.head_dim), "V")));
    tables.W_O.show(W_O, dims, dims);
    tables.out.show(shown.out, tokens, dims);
    const apart = largestDifference(shown.out, multiHead(X, W, W_O, sizes, usual).out);
    same.replaceChildren(...phrase("Largest difference of {out} between the two orders: {apart}", { out: code("out"), apart: element("b", {}, `${apart}`) }));
  }

  return { node, draw };
}
