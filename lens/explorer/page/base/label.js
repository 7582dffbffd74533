// How a token is shown: white space, control characters and other invisible ones become visible signs. The space that a word
// begins with is not shown unless it is asked for; in its place what goes on with a word is marked.

import { page } from "./data.js";
import { t } from "./words.js";

const SIGNS = { " ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥", "\x7f": "␡" };

const TIE = "‿"; // before a token that goes on with the word of the one before it
const areSpaced = page.prompts.some(({ tokens }) => tokens.some((token) => /^ \S/.test(token))); // not single characters
let spaces = false; // whether each is shown

/** Has the spaces of all tokens shown from now on, or hidden. */
export function showSpaces(shown) {
  spaces = shown;
}

/** Whether a token goes on with the word that the one before it began or is in; of single characters none is said to. */
export const goesOn = (before, token) => areSpaced && /[\p{L}\p{M}\p{N}]$/u.test(before) && /^[\p{L}\p{M}\p{N}]/u.test(token);

/** A token as a word; `before`: the token before it, which says whether it goes on with that one's word. */
export function word(token, before = "") {
  if (spaces || !token.trim()) return visible(token);
  const own = visible(token.replace(/^ +/, ""), " ");
  return goesOn(before, token) ? TIE + own : own;
}

/** The token at a place of a prompt, as a word. */
export const wordAt = (tokens, index) => word(tokens[index], tokens[index - 1]);

/** A token with a sign for each of its characters that would not be seen; `space`: that for a space. */
function visible(token, space = SIGNS[" "]) {
  if (token === "") return "∅";
  const signs = token.replace(/⟨[0-9A-F]{2}(?: [0-9A-F]{2})+⟩|./gsu, (part) => {
    return part.length > 2 ? part.replaceAll(" ", "\u00a0") : part === " " ? space : sign(part); // bytes of a character, else a character
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

/** A text of several lines, with a sign for each control character in it. */
export const legible = (text) => text.replace(/[^\P{Cc}\n\t]/gu, sign);

/** A weight as text; the step's maps say how many digits they carry. */
export function formatWeight(weight, digits) {
  return weight === null ? t("masked") : weight.toFixed(digits);
}

/** A score as a badge prints it: two digits, no leading zero. */
export function short(score) {
  return score.toFixed(2).replace(/^0/, "");
}
