// Text as bytes in UTF-8, a byte written as the character of that number, and back.

// A character's bytes.
const CHARACTER = [
  "[\0-\x7f]", "[\xc2-\xdf][\x80-\xbf]",
  "\xe0[\xa0-\xbf][\x80-\xbf]", "\xed[\x80-\x9f][\x80-\xbf]", "[\xe1-\xec\xee\xef][\x80-\xbf]{2}",
  "\xf0[\x90-\xbf][\x80-\xbf]{2}", "[\xf1-\xf3][\x80-\xbf]{3}", "\xf4[\x80-\x8f][\x80-\xbf]{2}",
].join("|");
const RUNS = new RegExp(`(?:${CHARACTER})+|(?<partial>(?:(?!${CHARACTER})[^])+)`, "g");
const WHOLE = new RegExp(`^(?:${CHARACTER})*$`);

const encoder = new TextEncoder();

export const bytesOf = (text) => Array.from(encoder.encode(text), (byte) => String.fromCharCode(byte)).join("");

/** The text of bytes; what is not UTF-8 becomes U+FFFD. decoder and options: of one that is given its bytes in parts. */
export function textOf(bytes, decoder = newDecoder(), options = {}) {
  return decoder.decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)), options);
}

export const newDecoder = () => new TextDecoder("utf-8", { ignoreBOM: true }); // U+FEFF is a character like others

export const areWhole = (bytes) => WHOLE.test(bytes);

/** The text of bytes; those that are only a part of a character in hexadecimal: ⟨E6 98⟩. */
export function readable(bytes) {
  return bytes.replace(RUNS, (run, partial) => (partial ? `⟨${hexadecimal(run)}⟩` : textOf(run)));
}

const hexadecimal = (bytes) => Array.from(bytes, (byte) => byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")).join(" ");
