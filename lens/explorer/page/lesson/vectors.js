// An invented vector of three channels for any word, by a rule that can be checked by eye.

const MOST = 6; // words, of which the tables still fit
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const VOWELS = "aeiouy";

/** The words of a text, the first six. */
export const wordsOf = (text) => text.split(/\s+/).filter(Boolean).slice(0, MOST);

/** Its length, its share of vowels, its first letter's place; accents are not counted. */
export function vectorOf(word) {
  const plain = word.normalize("NFD").replace(/\p{M}/gu, "").replace(/đ/gi, "d").toLowerCase();
  const letters = Array.from(plain);
  const vowels = letters.filter((letter) => VOWELS.includes(letter)).length;
  const place = LETTERS.indexOf(letters[0]) + 1; // 0 for what is no letter
  return [Math.min(1, letters.length / 10), vowels / (letters.length || 1), place / LETTERS.length].map(toHundredths);
}

const toHundredths = (value) => Math.round(100 * value) / 100;
