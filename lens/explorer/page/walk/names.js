// How the vectors of the chosen query and key are called: by their letter and their token.

import { element } from "../base/dom.js";
import { wordAt } from "../base/label.js";
import { shownKeys, shownPrompt, state } from "../base/state.js";

const named = (letter, token) => element("span", { class: "of" }, element("var", {}, letter), "(", element("bdi", {}, token), ")");

/** x of the query as x(fox). */
export const ofQuery = (letter) => named(letter, wordAt(shownPrompt().tokens, state.query));

export const ofKey = (letter) => named(letter, wordAt(shownKeys(), state.key));
