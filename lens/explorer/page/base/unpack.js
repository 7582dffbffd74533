// Numbers as the page carries them, back to numbers; see lens/explorer/payload.py for how they were packed.

/** {"arrays": [[name, shape, decimals], ...], "data"} to Numbers by name; null stays null. */
export async function unpack(packed) {
  if (packed === null) return null;
  const planes = await inflate(packed.data);
  const count = planes.length / 4;
  const result = {};
  let start = 0;
  for (const [name, shape, digits] of packed.arrays) {
    const unit = 10 ** digits;
    const numbers = new Float64Array(shape.reduce((one, other) => one * other, 1));
    for (let i = 0; i < numbers.length; i++) {
      const at = start + i;
      const folded = planes[at] | (planes[at + count] << 8) | (planes[at + 2 * count] << 16) | (planes[at + 3 * count] << 24);
      numbers[i] = ((folded >>> 1) ^ -(folded & 1)) / unit;
    }
    result[name] = new Numbers(numbers, shape, digits);
    start += numbers.length;
  }
  return result;
}

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~"; // of base 85
const DIGITS = new Uint8Array(128);
for (let digit = 0; digit < 85; digit++) DIGITS[ALPHABET.charCodeAt(digit)] = digit;

/** Bytes from base 85, five characters for four of them. */
function decode(text) {
  const bytes = new Uint8Array(4 * Math.ceil(text.length / 5));
  const whole = text.padEnd((bytes.length / 4) * 5, "~");
  for (let at = 0, i = 0; at < bytes.length; at += 4) {
    let word = 0;
    for (const end = i + 5; i < end; i++) word = word * 85 + DIGITS[whole.charCodeAt(i)];
    bytes[at] = word >>> 24;
    bytes[at + 1] = word >>> 16;
    bytes[at + 2] = word >>> 8;
    bytes[at + 3] = word;
  }
  return bytes.subarray(0, Math.floor((text.length * 4) / 5));
}

/** Bytes from text: base 85, compressed. */
export async function inflate(text) {
  const stream = new Blob([decode(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Numbers of any shape: `at(1, 2)` is what is left of the shape after these indices, a number or an array of them. */
export const Numbers = class {
  constructor(numbers, shape, digits) {
    Object.assign(this, { numbers, shape, digits });
  }

  at(...indices) {
    let start = 0;
    let size = this.numbers.length;
    indices.forEach((index, axis) => {
      size /= this.shape[axis];
      start += index * size;
    });
    return indices.length === this.shape.length ? this.numbers[start] : this.numbers.subarray(start, start + size);
  }
};
