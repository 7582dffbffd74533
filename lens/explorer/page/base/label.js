// How a token is shown: white space, control characters and other invisible ones become visible signs.

const SIGNS = { " ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥", "\x7f": "␡" };

export function visible(token) {
  if (token === "") return "∅";
  const signs = token.replace(/⟨[0-9A-F]{2}(?: [0-9A-F]{2})+⟩|./gsu, (part) => {
    return part.length > 2 ? part.replaceAll(" ", "\u00a0") : sign(part); // bytes of a character, else a character
  });
  return /^\p{M}/u.test(signs) ? "◌" + signs : signs; // a lone accent needs something to stand on
}

function sign(character) {
  const code = character.codePointAt(0);
  if (character in SIGNS) return SIGNS[character];
  if (code < 32) return String.fromCodePoint(0x2400 + code);
  if (/[\p{C}\p{Z}]/u.test(character)) return `⟨${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  return character;
}

/** A weight as text; the step's maps say how many digits they carry. */
export function formatWeight(weight, digits) {
  return weight === null ? "masked" : weight.toFixed(digits);
}

/** A score as a badge prints it: two digits, no leading zero. */
export function short(score) {
  return score.toFixed(2).replace(/^0/, "");
}
