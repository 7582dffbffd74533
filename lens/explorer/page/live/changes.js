// What a reader changes inside the model: parts that are silenced, and numbers put into the place of others.

/**
 * Changes one part of a layer, or the stream that enters it, in place, as `silence` and `patch` of Model.forward say.
 *
 * Its numbers stand in `rows`, those of each position `stride` after the ones before: `width` of them from a place on.
 * `start`: the position of the first row. The mean of a text's first rows, once taken, is that of the later ones too.
 */
export function changeParts(rows, layer, part, { from, width, stride }, { silence, patch, start, means }) {
  const own = (change) => change.layer === layer && change.part === part;
  const positions = rows.length / stride;
  const put = (position, values) => rows.set(values, position * stride + from);
  for (const { how } of silence.filter(own)) {
    const key = `${layer} ${part}`;
    if (how === "mean" && !means.has(key)) means.set(key, mean(rows, { from, width, stride }));
    const values = how === "mean" ? means.get(key) : new Float32Array(width);
    for (let position = 0; position < positions; position++) put(position, values);
  }
  for (const { position, values } of patch.filter(own)) {
    if (position >= start && position < start + positions) put(position - start, values);
  }
}

function mean(rows, { from, width, stride }) {
  const sums = new Float64Array(width);
  for (let at = from; at < rows.length; at += stride) for (let i = 0; i < width; i++) sums[i] += rows[at + i];
  return sums.map((sum) => sum / (rows.length / stride));
}
