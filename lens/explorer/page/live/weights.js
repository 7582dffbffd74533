// The weights that the page carries, back to numbers; see lens/explorer/weights.py for how they were packed.

import { inflate } from "../base/unpack.js";

/** Of one of the `steps` of page.live the tensors by name, a Float32Array each. */
export async function readWeights({ tensors, format, data }) {
  const bytes = await inflate(data);
  let start = 0;
  const take = (count, Type) => {
    const size = Type.BYTES_PER_ELEMENT;
    const taken = new Type(gathered(bytes.subarray(start, start + count * size), count, size).buffer);
    start += count * size;
    return taken;
  };
  const result = {};
  for (const [name, shape] of tensors) {
    const count = shape.reduce((one, other) => one * other, 1);
    if (shape.length === 1 || format === "float32") result[name] = take(count, Float32Array);
    else if (format === "float16") result[name] = fromHalf(take(count, Uint16Array));
    else result[name] = scaled(take(shape[0], Float32Array), take(count, Int8Array));
  }
  return result;
}

/** Numbers whose first bytes come first, then all second ones, and so on: each with its bytes together. */
function gathered(planes, count, size) {
  const bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < size; plane++) for (let i = 0; i < count; i++) bytes[i * size + plane] = planes[plane * count + i];
  return bytes;
}

// In plain loops: Float32Array.from with a function takes twenty times as long.

/** The whole numbers of each row times the scale of that row. */
function scaled(scales, whole) {
  const width = whole.length / scales.length;
  const result = new Float32Array(whole.length);
  for (let i = 0; i < whole.length; i++) result[i] = whole[i] * scales[Math.floor(i / width)];
  return result;
}

/**
 * Numbers from their bits as float16: sign, 5 bits of exponent, 10 of fraction. As float32, which has 8 and 23, the same
 * bits mean less by 2 ** 112. (There are no infinities among weights.)
 */
function fromHalf(bits) {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = ((bits[i] & 0x8000) << 16) | ((bits[i] & 0x7fff) << 13);
  const result = new Float32Array(words.buffer);
  for (let i = 0; i < result.length; i++) result[i] *= 2 ** 112;
  return result;
}
