// The model itself: from token ids to the logits of what comes next, as model/gpt.py computes them.
//
// T tokens, C channels of the stream, H heads, K channels of a query and of a key, D of a value, V tokens in the
// vocabulary. Everything is a Float32Array of all its numbers, row after row: q (H, T, K) has those of head 0 first.

import { activate, add, addScaled, dot, linear, normalise, softmax } from "./arithmetic.js";
import { changeParts } from "./changes.js";
import { angles, ngramRows, rotate } from "./positions.js";

/** `config`: the model section of the run with key_dim and epsilon; `tensors`: its weights by name, as PyTorch has them. */
export const Model = class {
  constructor(config, tensors) {
    this.config = config;
    const { n_layer, n_embd, n_head, key_dim, block_size, position, rope_theta } = config;
    const part = (name) => ({ weight: tensors[`${name}.weight`], bias: tensors[`${name}.bias`] });
    this.wte = tensors["wte.weight"];
    this.wpe = position === "sinusoidal" ? sinusoids(block_size, n_embd) : tensors["wpe.weight"];
    this.ngrams = tensors["ngrams.table.weight"];
    this.angles = position === "rope" ? angles(block_size, key_dim, rope_theta) : null;
    this.blocks = Array.from({ length: n_layer }, (_, layer) => ({
      ...Object.fromEntries(PARTS.map((name) => [name, part(`blocks.${layer}.${name}`)])),
      gains: ["q_gain", "k_gain"].map((name) => tensors[`blocks.${layer}.attn.${name}`]),
    }));
    this.last = { norm: part("ln_f"), head: "lm_head.weight" in tensors ? part("lm_head") : { weight: this.wte } };
    this.scale = config.scale ? key_dim ** -0.5 : 1;
    this.sizes = { C: n_embd, H: n_head, K: key_dim, D: n_embd / n_head, V: config.vocab_size };
  }

  /** Keeps the keys and values of the tokens of one text, so that each new token costs one token's work; it is read from `start` on. */
  newCache(start = 0) {
    const layers = this.blocks.map(() => ({ k: new Float32Array(0), v: new Float32Array(0) }));
    return { layers, ids: [], start, means: new Map() };
  }

  /**
   * Reads `ids`: {logits (T, V), layers}; with `last` only the logits of the last position, (V).
   *
   * record: fills in `layers`, for each layer what model/gpt.py records of it: stream, x, out and mlp (T, C), q and k
   * (H, T, K), v and z (H, T, D), weights (H, T, T); and rawQ and rawK (H, T, K), before norm and rotation.
   * silence: [{layer, part, how: "zero" or "mean"}]: heads 0 to H - 1, of which the answer z, and H, the MLP, of which
   * all it adds, is zero, or its mean over all positions.
   * patch: [{layer, part, position, values}]: numbers put into the place of those of a head (z, D), of the MLP (C), or
   * of the "stream" (C) that enters the layer; that of layer L is what leaves the last.
   * cache: holds the tokens before these, and takes these; q and all else are of these, k, v and weights of all.
   * Throws a RangeError for more tokens than the context has room for.
   */
  forward(ids, { record = false, silence = [], patch = [], cache = this.newCache(), last = false } = {}) {
    const start = cache.ids.length;
    const { block_size } = this.config;
    if (start + ids.length > block_size) throw new RangeError(`${start + ids.length} tokens, at most ${block_size} fit`);
    cache.ids.push(...ids);
    const changes = { silence, patch, start, means: cache.means };
    const stream = this.embed(cache.ids, start);
    const layers = [];
    this.blocks.forEach((block, layer) => {
      this.changeStream(stream, layer, changes);
      const recorded = record ? { stream: stream.slice() } : null;
      add(stream, this.attention(block, layer, stream, start, cache, changes, recorded));
      add(stream, this.mlp(block, layer, stream, changes, recorded));
      if (record) layers.push(recorded);
    });
    this.changeStream(stream, this.blocks.length, changes);
    return { logits: this.predict(last ? stream.subarray(-this.sizes.C) : stream), layers };
  }

  /**
   * The logits (V) after a text, of which the cache holds the beginning: only what is new is read. When the context is
   * full, the last half of the text is read again, as model/generation.py does. Other `options` as of `forward`.
   */
  after(ids, cache, options = {}) {
    const { block_size } = this.config;
    if (ids.length - cache.start > block_size) {
      cache.start = ids.length - Math.max(1, Math.floor(block_size / 2));
      cache.ids = [];
    }
    return this.forward(ids.slice(cache.start + cache.ids.length), { ...options, cache, last: true }).logits;
  }

  /** What enters the first block: of each id from `start` on its embedding, of its n-grams and its position: (T, C). */
  embed(ids, start) {
    const { C } = this.sizes;
    const stream = new Float32Array((ids.length - start) * C);
    for (let position = start; position < ids.length; position++) {
      const row = stream.subarray((position - start) * C, (position - start + 1) * C);
      const take = (table, index) => add(row, table.subarray(index * C, (index + 1) * C));
      take(this.wte, ids[position]);
      if (this.ngrams) for (const index of ngramRows(ids, position, this.config)) take(this.ngrams, index);
      if (this.wpe) take(this.wpe, position);
    }
    return stream;
  }

  /** What the attention of a block adds to the stream: (T, C). */
  attention(block, layer, stream, start, cache, changes, recorded) {
    const { C, H, K, D } = this.sizes;
    const T = stream.length / C;
    const x = this.norm(stream, block.ln_1);
    const qkv = linear(block["attn.qkv"], x, T); // (T, H K + H K + H D)
    const [rawQ, rawK, newV] = [[0, H * K], [H * K, H * K], [2 * H * K, C]].map(([from, width]) => columns(qkv, T, from, width));
    const [q, newK] = [rawQ, rawK].map((rows, part) => this.placed(rows, block.gains[part], start)); // (T, H, K)
    const held = cache.layers[layer];
    held.k = extended(held.k, start * H * K, newK); // (all, H, K), and room
    held.v = extended(held.v, start * C, newV); // (all, H, D), and room
    const { answers, weights } = this.attend(q, held, start, T, recorded !== null);
    for (let head = 0; head < H; head++) changeParts(answers, layer, head, { from: head * D, width: D, stride: C }, changes);
    const out = linear(block["attn.proj"], answers, T);
    if (recorded) {
      const all = start + T;
      const perHead = { rawQ: [rawQ, K], rawK: [rawK, K], q: [q, K], z: [answers, D] };
      perHead.k = [held.k.subarray(0, all * H * K), K];
      perHead.v = [held.v.subarray(0, all * C), D];
      for (const [name, [rows, width]] of Object.entries(perHead)) recorded[name] = byHead(rows, H, width);
      Object.assign(recorded, { x, weights, out });
    }
    return out;
  }

  /** Of each query and head the weights of the keys it may see, and their mixture of values: answers (T, H, D). */
  attend(q, { k, v }, start, T, keepWeights) {
    const { C, H, K, D } = this.sizes;
    const all = start + T;
    const weights = keepWeights ? new Float32Array(H * T * all) : null;
    const answers = new Float32Array(T * C);
    const row = new Float32Array(all);
    for (let head = 0; head < H; head++) {
      for (let i = 0; i < T; i++) {
        const keys = this.config.causal ? start + i + 1 : all;
        for (let j = 0; j < keys; j++) row[j] = this.scale * dot(q, (i * H + head) * K, k, (j * H + head) * K, K);
        softmax(row, keys);
        for (let j = 0; j < keys; j++) addScaled(answers, i * C + head * D, v, j * C + head * D, D, row[j]);
        if (weights) weights.set(row.subarray(0, keys), (head * T + i) * all);
      }
    }
    return { answers, weights };
  }

  /** Queries or keys (T, H, K) as they enter the dot product: normalised, where the model does that, and rotated. */
  placed(rows, gain, start) {
    const { H, K } = this.sizes;
    const { qk_norm, epsilon } = this.config;
    const placed = qk_norm ? normalise(rows, K, { weight: gain }, { centred: false, epsilon }) : rows.slice();
    if (this.angles) rotate(placed, this.angles, H, K, start);
    return placed;
  }

  /** What the MLP of a block adds to the stream: (T, C). */
  mlp(block, layer, stream, changes, recorded) {
    const { C, H } = this.sizes;
    const T = stream.length / C;
    const x = this.norm(stream, block.ln_2);
    const hidden = linear(block["mlp.fc"], x, T);
    const gate = this.config.activation === "swiglu" ? linear(block["mlp.gate"], x, T) : null;
    activate(this.config.activation, hidden, gate);
    const added = linear(block["mlp.proj"], hidden, T);
    changeParts(added, layer, H, { from: 0, width: C, stride: C }, changes);
    if (recorded) recorded.mlp = added;
    return added;
  }

  changeStream(stream, layer, changes) {
    const { C } = this.sizes;
    changeParts(stream, layer, "stream", { from: 0, width: C, stride: C }, changes);
  }

  norm(x, part) {
    return normalise(x, this.sizes.C, part, { centred: this.config.norm === "layernorm", epsilon: this.config.epsilon });
  }

  /** The logits of rows of the stream: (rows, V). Of an earlier layer's rows: what the model would predict if it ended there. */
  predict(stream) {
    return linear(this.last.head, this.norm(stream, this.last.norm), stream.length / this.sizes.C);
  }
};

const PARTS = ["ln_1", "attn.qkv", "attn.proj", "ln_2", "mlp.fc", "mlp.gate", "mlp.proj"];

/** Of rows (T, …) the columns from a place on: (T, width). */
function columns(rows, T, from, width) {
  const stride = rows.length / T;
  const result = new Float32Array(T * width);
  for (let row = 0; row < T; row++) result.set(rows.subarray(row * stride + from, row * stride + from + width), row * width);
  return result;
}

/** The numbers with new ones put in at a place, in twice the room where there is too little. */
function extended(numbers, at, added) {
  let room = numbers;
  if (at + added.length > numbers.length) {
    room = new Float32Array(at === 0 ? added.length : 2 * (at + added.length));
    room.set(numbers);
  }
  room.set(added, at);
  return room;
}

/** (T, H, width) head by head: (H, T, width). */
function byHead(rows, H, width) {
  const T = rows.length / (H * width);
  const result = new Float32Array(rows.length);
  for (let row = 0; row < T * H; row++) {
    result.set(rows.subarray(row * width, (row + 1) * width), ((row % H) * T + Math.floor(row / H)) * width);
  }
  return result;
}

/** Cosines and sines of the angles that rope with theta 10,000 has, a row for each position: (positions, C). */
function sinusoids(positions, C) {
  const { cos, sin } = angles(positions, C, 10_000);
  const rows = new Float32Array(positions * C);
  for (let position = 0; position < positions; position++) {
    const at = (position * C) / 2;
    rows.set(cos.subarray(at, at + C / 2), position * C);
    rows.set(sin.subarray(at, at + C / 2), position * C + C / 2);
  }
  return rows;
}
