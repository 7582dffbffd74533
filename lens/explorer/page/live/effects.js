// What the model predicts on a text, and what each part of it, a head or an MLP, does to that: under the names and with the
// meaning that lens/effects.py has, where all of it is defined.
//
// T tokens, C channels, V tokens in the vocabulary, L layers, H heads. Arrays come with their shape: [numbers, shape].

import { add, addScaled, dot } from "./arithmetic.js";
import { likeliest, logSumExp } from "./distribution.js";

const TOP = 5; // the likeliest next tokens of each position

/** All of it except the ablation, by name. run: what Model.forward returned of the ids, with its record. */
export function effects(model, ids, run) {
  const loss = { loss: [losses(run.logits, ids), [ids.length - 1]] };
  return { ...loss, ...predictions(run.logits, ids.length), ...logitLens(model, ids, run), ...attribution(model, ids, run) };
}

/** -ln p of each token that follows, in nats: (T - 1). */
export function losses(logits, ids) {
  const rows = split(logits, ids.length);
  return Float32Array.from(ids.slice(1), (next, i) => logSumExp(rows[i]) - rows[i][next]);
}

/** The likeliest next tokens, likeliest first: top.ids and top.probabilities (T, min(5, V)). */
function predictions(logits, T) {
  const count = Math.min(TOP, logits.length / T);
  const tops = split(logits, T).map((row) => {
    const ids = likeliest(row, count);
    const sum = logSumExp(row);
    return { ids, probabilities: ids.map((id) => Math.exp(row[id] - sum)) };
  });
  return {
    "top.ids": [Int32Array.from(tops.flatMap(({ ids }) => ids)), [T, count]],
    "top.probabilities": [Float32Array.from(tops.flatMap(({ probabilities }) => probabilities)), [T, count]],
  };
}

/** What the model would predict if it stopped after each layer: lens.ids and lens.probabilities (L + 1, T), lens.next (L + 1, T - 1). */
function logitLens(model, ids, { logits, layers }) {
  const T = ids.length;
  const likely = new Int32Array((layers.length + 1) * T);
  const probabilities = new Float32Array(likely.length);
  const following = new Float32Array((layers.length + 1) * (T - 1));
  for (let depth = 0; depth <= layers.length; depth++) {
    const rows = split(depth < layers.length ? model.predict(layers[depth].stream) : logits, T);
    rows.forEach((row, i) => {
      const sum = logSumExp(row);
      const [id] = likeliest(row, 1);
      likely[depth * T + i] = id;
      probabilities[depth * T + i] = Math.exp(row[id] - sum);
      if (i + 1 < T) following[depth * (T - 1) + i] = Math.exp(row[ids[i + 1]] - sum);
    });
  }
  const shape = [layers.length + 1, T];
  return { "lens.ids": [likely, shape], "lens.probabilities": [probabilities, shape], "lens.next": [following, [shape[0], T - 1]] };
}

/**
 * How much each part itself adds to the logit of the token that follows, over that of its strongest rival:
 * attribution.target, .against, .embedding and .bias (T), .parts (T, L, H + 1), heads 0 to H - 1 and then the MLP.
 */
function attribution(model, ids, { logits, layers }) {
  const T = ids.length;
  const { C, H, D } = model.sizes;
  const L = layers.length;
  const rows = split(logits, T);
  const target = Int32Array.from(rows, (row, i) => ids[i + 1] ?? likeliest(row, 1)[0]);
  const against = Int32Array.from(rows, (row, i) => likeliest(row, 2).find((id) => id !== target[i]) ?? target[i]);
  const [embedding, bias, parts] = [T, T, T * L * (H + 1)].map((count) => new Float32Array(count));
  for (let i = 0; i < T; i++) {
    const { direction, ofNorm } = directionOf(model, target[i], against[i], finalStream(layers, i, C));
    const along = (numbers, at = 0) => (numbers ? dot(direction, 0, numbers, at, C) : 0);
    embedding[i] = along(layers[0].stream, i * C);
    bias[i] = ofNorm;
    layers.forEach(({ z, mlp }, layer) => {
      const block = model.blocks[layer];
      const before = new Float32Array(C); // the direction as the heads' answers see it, through proj
      for (let c = 0; c < C; c++) addScaled(before, 0, block["attn.proj"].weight, c * C, C, direction[c]);
      const at = (i * L + layer) * (H + 1);
      for (let head = 0; head < H; head++) parts[at + head] = dot(before, head * D, z, (head * T + i) * D, D);
      const ofMlp = along(block["mlp.proj"].bias);
      parts[at + H] = along(mlp, i * C) - ofMlp;
      bias[i] += along(block["attn.proj"].bias) + ofMlp;
    });
  }
  return {
    "attribution.target": [target, [T]], "attribution.against": [against, [T]], "attribution.embedding": [embedding, [T]],
    "attribution.parts": [parts, [T, L, H + 1]], "attribution.bias": [bias, [T]],
  };
}

/** What leaves the last layer at a position: (C). */
export function finalStream(layers, position, C) {
  const { stream, out, mlp } = layers.at(-1);
  const [x, ...added] = [stream, out, mlp].map((rows) => rows.slice(position * C, (position + 1) * C));
  for (const row of added) add(x, row);
  return x;
}

/**
 * The `direction` (C) along which a part of the final stream x adds to logit[target] - logit[against], while the scale by
 * which the final norm divides is held at what it is for x; and what the norm's bias adds, `ofNorm`.
 */
function directionOf(model, target, against, x) {
  const { C } = model.sizes;
  const { norm, head } = model.last;
  const difference = head.weight.slice(target * C, (target + 1) * C);
  addScaled(difference, 0, head.weight, against * C, C, -1);
  const direction = difference.map((number, c) => number * norm.weight[c]);
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / C;
  const centred = (numbers) => {
    const middle = model.config.norm === "layernorm" ? mean(numbers) : 0;
    return numbers.map((number) => number - middle);
  };
  const scale = 1 / Math.sqrt(mean(centred(x).map((number) => number ** 2)) + model.config.epsilon);
  const ofNorm = norm.bias ? dot(difference, 0, norm.bias, 0, C) : 0;
  return { direction: centred(direction).map((number) => number * scale), ofNorm };
}

/**
 * What each position loses without one part: its loss with that part switched off, minus its loss, in nats. Each part costs
 * a forward pass, before which it yields; returns [numbers, (T - 1, L, H + 1)]. silence: what is off already and stays so; it
 * is 0 for these parts.
 */
export function* ablation(model, ids, silence = []) {
  const [T, L, parts] = [ids.length, model.config.n_layer, model.config.n_head + 1];
  const effect = new Float32Array((T - 1) * L * parts);
  const whole = losses(model.forward(ids, { silence }).logits, ids);
  for (let layer = 0; layer < L; layer++) {
    for (let part = 0; part < parts; part++) {
      if (silence.some((off) => off.layer === layer && off.part === part)) continue;
      yield;
      const { logits } = model.forward(ids, { silence: [...silence, { layer, part, how: "zero" }] });
      losses(logits, ids).forEach((loss, i) => (effect[(i * L + layer) * parts + part] = loss - whole[i]));
    }
  }
  return [effect, [T - 1, L, parts]];
}

/** (T, …) as T rows. */
function split(numbers, T) {
  const width = numbers.length / T;
  return Array.from({ length: T }, (_, i) => numbers.subarray(i * width, (i + 1) * width));
}
