// What the model computed of a text, put together as the page has it of recorded prompts.

const FULL = ["stream", "x", "q", "k", "v", "z", "out"];

/**
 * {weights, full}, each array as [numbers, shape]: the maps (L, H, cells), row by row, with a causal mask without the cells
 * that it hides, and by name all that they are computed from; and the `buffers` of these. layers: from Model.forward.
 */
export function packed({ n_head: H, n_embd: C, key_dim: K, causal }, layers) {
  const T = layers[0].x.length / C;
  const shapes = { stream: [T, C], x: [T, C], q: [H, T, K], k: [H, T, K], v: [H, T, C / H], z: [H, T, C / H], out: [T, C] };
  const stacked = (arrays, shape) => {
    const numbers = new Float32Array(arrays.length * arrays[0].length);
    arrays.forEach((array, layer) => numbers.set(array, layer * array.length));
    return [numbers, [arrays.length, ...shape]];
  };
  const maps = layers.map(({ weights }) => (causal ? lowerTriangles(weights, H, T) : weights));
  const weights = stacked(maps, [H, maps[0].length / H]);
  const full = Object.fromEntries(FULL.map((name) => [name, stacked(layers.map((layer) => layer[name]), shapes[name])]));
  return { reading: { weights, full }, buffers: [weights, ...Object.values(full)].map(([{ buffer }]) => buffer) };
}

/** Of maps (H, T, T) the rows up to the diagonal, one after another. */
function lowerTriangles(weights, H, T) {
  const cells = new Float32Array((H * T * (T + 1)) / 2);
  let at = 0;
  for (let row = 0; row < H * T; row++) {
    const seen = (row % T) + 1;
    cells.set(weights.subarray(row * T, row * T + seen), at);
    at += seen;
  }
  return cells;
}
