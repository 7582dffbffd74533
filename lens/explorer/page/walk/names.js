// The names of the walk's vectors: q(ladder) is the query's q, k(green) that of the chosen key.

import { element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { shownKeys, shownPrompt, state } from "../base/state.js";

const WORDS = { i: () => wordAt(shownPrompt().tokens, state.query), j: () => wordAt(shownKeys(), state.key) };

/** A vector's name, with the query's token (index "i") or the chosen key's ("j"). */
export function vectorOf(letter, index) {
  const token = element("bdi", { class: `token-${index}` }, state.key === undefined ? "" : WORDS[index]());
  return element("var", {}, letter, "(", token, ")");
}

/** Puts the tokens of the view into all names below a host. */
export function renameVectors(host) {
  for (const index of Object.keys(WORDS)) {
    const word = WORDS[index]();
    for (const token of host.querySelectorAll(`.token-${index}`)) if (token.textContent !== word) token.textContent = word;
  }
}
