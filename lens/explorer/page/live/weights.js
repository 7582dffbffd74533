// The weights that the page carries, back to numbers; see lens/explorer/weights.py for how they were packed.

import { inflate } from "../base/unpack.js";
import { t } from "../base/words.js";

/** Why the page carries no weights, of page.notLive; see not_live in lens/explorer/weights.py. */
export function whyNotLive({ why, megabytes, pageMb }) {
  if (why === "not wanted") return t("The model's weights are not in this page: attention.page_mb is 0.");
  if (why === "not kept") return t("The model's weights are not in this page: the run did not keep those of its last step. With attention.keep_mb {megabytes} or more it would have.", { megabytes });
  return t("The model's weights are not in this page: they take {megabytes} MB even at one byte a number, and attention.page_mb is {pageMb}.", { megabytes, pageMb });
}

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
    else if (format === "float16") result[name] = Float32Array.from(take(count, Uint16Array), fromHalf);
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

function scaled(scales, whole) {
  const width = whole.length / scales.length;
  return Float32Array.from(whole, (number, i) => number * scales[Math.floor(i / width)]);
}

/** A float16 (sign, 5 bits of exponent, 10 of fraction) of its bits; there are no infinities among weights. */
function fromHalf(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}
