// What the page carries: the run, its prompts, and the maps of each step, unpacked when they are first needed.

export const page = JSON.parse(document.getElementById("data").textContent);

/** The measures of a head, in the order of the page; `most` is the top of its scale (null: as large as it gets). */
export const MEASURES = [
  { name: "previous_token", label: "previous token", most: 1, says: "Mean weight that a position gives to the one just before it, from position 1 on." },
  { name: "first_token", label: "first token", most: 1, says: "Mean weight on position 0, from position 1 on. High means an attention sink." },
  { name: "duplicate_token", label: "duplicate token", most: 1, says: "On random tokens said twice: mean weight from the second saying on the same token in the first." },
  { name: "induction", label: "induction", most: 1, says: "On random tokens said twice: mean weight from the second saying on the token that came next in the first, which is the one to predict." },
  { name: "entropy", label: "entropy", most: 1, says: "How spread out a row is, as a share of the most it could be: 0 looks at one position, 1 at all alike." },
  { name: "mean_distance", label: "mean distance", most: null, says: "How many positions back the head looks, on average." },
];

/** The maps of one prompt at one step: of each head a row of weights per query, over the keys it can see. */
class Maps {
  constructor(prompt, numbers, digits) {
    this.prompt = prompt;
    this.length = prompt.tokens.length;
    this.digits = digits;
    this.numbers = numbers;
    this.size = prompt.causal ? (this.length * (this.length + 1)) / 2 : this.length ** 2;
  }

  row(layer, head, query) {
    const before = this.prompt.causal ? (query * (query + 1)) / 2 : query * this.length;
    const start = (layer * this.prompt.heads + head) * this.size + before;
    return this.numbers.subarray(start, start + (this.prompt.causal ? query + 1 : this.length));
  }

  /** null where the key is masked. */
  weight(layer, head, query, key) {
    return this.row(layer, head, query)[key] ?? null;
  }
}

const unpacked = new Map();
const key = (prompt, step) => `${prompt} ${step}`;

/** The maps if they are unpacked already. */
export function mapsOf(prompt, step) {
  return unpacked.get(key(prompt, step));
}

export async function load(prompt, step) {
  if (!mapsOf(prompt, step)) {
    const { format, data } = page.prompts[prompt].steps[step].weights;
    const bytes = await inflate(data);
    const maps = format === "float32"
      ? new Maps(page.prompts[prompt], new Float32Array(joined(bytes, 4).buffer), 6)
      : new Maps(page.prompts[prompt], Float32Array.from(new Uint16Array(joined(bytes, 2).buffer), (n) => n / 1000), 3);
    unpacked.set(key(prompt, step), maps);
  }
  return mapsOf(prompt, step);
}

async function inflate(base64) {
  const packed = atob(base64);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** All first bytes, then all second ones, ... to numbers of `width` bytes. */
function joined(planes, width) {
  const count = planes.length / width;
  const numbers = new Uint8Array(planes.length);
  for (let place = 0; place < width; place++) {
    for (let i = 0; i < count; i++) numbers[i * width + place] = planes[place * count + i];
  }
  return numbers;
}

/** A head's measure, or undefined. Repeats are measured on the repeated prompt alone, whichever one is shown. */
export function measured(prompt, step, layer, head, name) {
  const at = page.prompts[prompt].steps[step];
  const own = at.metrics[layer][head][name];
  if (own !== undefined || !["duplicate_token", "induction"].includes(name)) return own;
  for (const other of page.prompts) {
    const value = other.steps.find((one) => one.step === at.step)?.metrics[layer][head][name];
    if (value !== undefined) return value;
  }
  return undefined;
}

/** [measure, score] of each pattern that reaches its threshold, the strongest first. */
export function badges(prompt, step, layer, head) {
  return MEASURES.map((measure) => [measure, measured(prompt, step, layer, head, measure.name)])
    .filter(([measure, score]) => score >= page.thresholds[measure.name])
    .sort((one, other) => other[1] - one[1]);
}

/** The loss logged last at or before a training step: {kind, value, step}; the validation loss where there is one. */
export function lossAt(step) {
  const line = page.losses.findLast((one) => one.step <= step);
  if (!line) return undefined;
  const kind = line.val === undefined ? "train" : "val";
  return { kind, value: line[kind], step: line.step };
}
